//! A process beside that of a test, which can be sent lines, stopped and killed.

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::Duration;

/// The time that the process may take to answer.
const PATIENCE: Duration = Duration::from_secs(60);

/// A program that reads lines and answers in lines. It is killed when this is dropped.
#[derive(Debug)]
pub struct PeerProcess {
    process: Child,
    input: ChildStdin,
    lines: Receiver<String>,
}

impl PeerProcess {
    /// Starts `program`.
    ///
    /// # Panics
    ///
    /// If the program can't be started.
    pub fn start(program: &str, arguments: &[&str]) -> Self {
        let mut process = Command::new(program)
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("the program can be started");
        let input = process.stdin.take().expect("a pipe");
        let output = BufReader::new(process.stdout.take().expect("a pipe"));
        let (send, lines) = channel();
        // This thread ends with the pipe, and the pipe with the process.
        thread::spawn(move || {
            output
                .lines()
                .map_while(Result::ok)
                .try_for_each(|line| send.send(line))
        });
        Self {
            process,
            input,
            lines,
        }
    }

    /// Waits for the next line.
    ///
    /// # Panics
    ///
    /// If no line comes.
    pub fn line(&self) -> String {
        let line = self.lines.recv_timeout(PATIENCE);
        line.expect("the peer process says something")
    }

    /// Sends a line and waits for the next one.
    ///
    /// # Panics
    ///
    /// If the process is gone or says nothing.
    pub fn ask(&mut self, line: &str) -> String {
        writeln!(self.input, "{line}").expect("the peer process listens");
        self.line()
    }

    /// Stops the process with all that it was doing (`SIGSTOP`).
    pub fn pause(&self) {
        self.signal("-STOP");
    }

    /// Lets a paused process go on (`SIGCONT`).
    pub fn resume(&self) {
        self.signal("-CONT");
    }

    /// Kills the process (`SIGKILL`) and waits for its end.
    ///
    /// # Panics
    ///
    /// If the process ended before.
    pub fn kill(mut self) {
        let ended = self.process.try_wait().expect("the process's state");
        assert_eq!(ended, None, "there is nothing left to kill");
        self.process.kill().expect("the process can be killed");
        self.process.wait().expect("the process ends");
    }

    fn signal(&self, signal: &str) {
        let id = self.process.id().to_string();
        let status = Command::new("kill").arg(signal).arg(id).status();
        assert!(status.expect("`kill` can be run").success());
    }
}

impl Drop for PeerProcess {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
