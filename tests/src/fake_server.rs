//! A made-up server that answers whatever a test wants.

use std::io::{BufRead, BufReader, Error, ErrorKind, Result, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;

/// A made-up server on the loopback interface.
#[derive(Debug)]
pub struct FakeServer {
    address: SocketAddr,
    seen: Arc<Mutex<Seen>>,
}

#[derive(Debug, Default)]
struct Seen {
    connections: usize,
    commands: Vec<Vec<String>>,
}

/// The reaction of a made-up server to a command.
#[derive(Debug, Clone)]
pub enum Answer {
    /// Sends these bytes, which may be RESP or not.
    Say(Vec<u8>),
    /// Sends these bytes, and closes the connection.
    LastWords(Vec<u8>),
    /// Sends nothing, and keeps the connection open.
    Silence,
}

impl Answer {
    /// Returns the answer that sends this line.
    pub fn line(line: &str) -> Self {
        Self::Say(format!("{line}\r\n").into_bytes())
    }
}

impl FakeServer {
    /// Starts a server that answers each command as `answer` says, which gets the number of the
    /// connection, counted from 0, and the command. If `answer` returns `None`, a greeting is
    /// answered in RESP3, a `GET` finds nothing, and any other command gets `OK`.
    ///
    /// # Panics
    ///
    /// If there is no free port.
    pub fn start(
        answer: impl Fn(usize, &[String]) -> Option<Answer> + Send + Sync + 'static,
    ) -> Self {
        Self::serving(move |stream, connection, seen| {
            converse(&stream, seen, |command| {
                answer(connection, command).unwrap_or_else(|| usual(command))
            })
        })
    }

    /// Starts a server that sends these bytes to every client that connects, and closes the
    /// connection.
    ///
    /// # Panics
    ///
    /// If there is no free port.
    pub fn that_hangs_up_after(words: &'static [u8]) -> Self {
        Self::serving(move |mut stream, _, _| {
            stream.write_all(words)?;
            stream.shutdown(Shutdown::Both)
        })
    }

    /// Starts a server that sends back all bytes that it receives.
    ///
    /// # Panics
    ///
    /// If there is no free port.
    pub fn echo() -> Self {
        Self::serving(|stream, _, _| std::io::copy(&mut &stream, &mut &stream).map(drop))
    }

    fn serving(
        serve: impl Fn(TcpStream, usize, &Mutex<Seen>) -> Result<()> + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = listener.local_addr().expect("a bound address");
        let seen = Arc::new(Mutex::new(Seen::default()));
        let (serve, of_threads) = (Arc::new(serve), seen.clone());
        // This thread ends with the process: accepting can't be interrupted.
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let connection = {
                    let mut seen = of_threads.lock().unwrap();
                    seen.connections += 1;
                    seen.connections - 1
                };
                let (serve, seen) = (serve.clone(), of_threads.clone());
                thread::spawn(move || serve(stream, connection, &seen));
            }
        });
        Self { address, seen }
    }

    /// Returns the URL for `RedisBackend`.
    pub fn url(&self) -> String {
        format!("redis://{}", self.address)
    }

    /// Returns the number of connections that were made.
    pub fn connections(&self) -> usize {
        self.seen.lock().unwrap().connections
    }

    /// Returns the commands of this name that the server has received.
    pub fn commands(&self, name: &str) -> Vec<Vec<String>> {
        let seen = self.seen.lock().unwrap();
        let named = seen.commands.iter().filter(|command| command[0] == name);
        named.cloned().collect()
    }

    /// Returns the number of commands of this name that the server has received.
    pub fn count(&self, name: &str) -> usize {
        self.commands(name).len()
    }
}

fn usual(command: &[String]) -> Answer {
    match command[0].as_str() {
        "HELLO" => Answer::line("%1\r\n$5\r\nproto\r\n:3"),
        "GET" => Answer::line("$-1"),
        _ => Answer::line("+OK"),
    }
}

fn converse(
    mut stream: &TcpStream,
    seen: &Mutex<Seen>,
    answer: impl Fn(&[String]) -> Answer,
) -> Result<()> {
    stream.set_nodelay(true)?;
    let mut input = BufReader::new(stream);
    loop {
        let command = command(&mut input)?;
        seen.lock().unwrap().commands.push(command.clone());
        match answer(&command) {
            Answer::Say(words) => stream.write_all(&words)?,
            Answer::LastWords(words) => {
                stream.write_all(&words)?;
                return stream.shutdown(Shutdown::Both);
            }
            Answer::Silence => {}
        }
    }
}

/// Reads an array of bulk strings.
fn command(input: &mut impl BufRead) -> Result<Vec<String>> {
    let arguments = number(input)?;
    let argument = |_| {
        let mut bytes = vec![0; number(input)? + 2];
        input.read_exact(&mut bytes)?;
        bytes.truncate(bytes.len() - 2);
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    };
    (0..arguments).map(argument).collect()
}

/// Reads a line, and returns the number behind its first byte.
fn number(input: &mut impl BufRead) -> Result<usize> {
    let mut line = String::new();
    input.read_line(&mut line)?;
    let number = line
        .trim_end()
        .get(1..)
        .and_then(|digits| digits.parse().ok());
    number.ok_or_else(|| Error::from(ErrorKind::UnexpectedEof))
}
