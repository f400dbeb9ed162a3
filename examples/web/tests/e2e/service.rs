//! The service in a process of its own, ended when dropped.

use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};
use tokio::time::timeout;

/// The time limit of everything that is waited for.
const PATIENCE: Duration = Duration::from_secs(30);

/// A process that serves on a free port of the loopback interface.
#[derive(Debug)]
pub(crate) struct Service {
    process: Child,
    url: String,
    log: PathBuf,
    _directory: TempDir,
}

impl Service {
    /// Starts the service with more variables in its environment, and waits until it serves.
    /// Without the URL of a server it runs on memory.
    pub(crate) async fn start(redis_url: Option<&str>, variables: &[(&str, &str)]) -> Self {
        let directory = tempfile::tempdir().expect("a temporary folder");
        let log = directory.path().join("log");
        let mut process = Command::new(env!("CARGO_BIN_EXE_web"))
            .env_clear()
            .env("PORT", "0")
            .env("REDIS_URL", redis_url.unwrap_or_default())
            .envs(variables.iter().copied())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(std::fs::File::create(&log).expect("a log"))
            .kill_on_drop(true)
            .spawn()
            .expect("the service can be started");
        let mut said = String::new();
        let output = process.stdout.take().expect("the output is piped");
        let mut output = BufReader::new(output);
        let line = timeout(PATIENCE, output.read_line(&mut said)).await;
        line.expect("the service says where it is")
            .expect("it can be read");
        let url = said.trim().to_string();
        assert!(url.starts_with("http://"), "{said}{}", read(&log));
        Self {
            process,
            url,
            log,
            _directory: directory,
        }
    }

    /// Returns the URL without a slash at its end.
    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    /// Returns the log up to now.
    pub(crate) fn log(&self) -> String {
        read(&self.log)
    }

    /// Asks the process to end (`SIGTERM`).
    pub(crate) fn terminate(&self) {
        let id = self.process.id().expect("the service runs");
        let id = i32::try_from(id).ok().and_then(Pid::from_raw);
        kill_process(id.expect("an id of a process"), Signal::TERM).expect("a signal can be sent");
    }

    /// Waits until the process has ended, and returns its exit status and its log.
    pub(crate) async fn ended(mut self) -> (ExitStatus, String) {
        let status = timeout(PATIENCE, self.process.wait()).await;
        let status = status.unwrap_or_else(|_| panic!("it doesn't end\n{}", self.log()));
        (status.expect("a status"), self.log())
    }
}

fn read(log: &Path) -> String {
    std::fs::read_to_string(log).unwrap_or_default()
}
