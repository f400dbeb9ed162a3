//! A private `redis-server` or `valkey-server`, ended when dropped.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use reinhardt_backends::{RedisBackend, RedisBackendBuilder};
use tempfile::TempDir;

use crate::{Authority, Certificate};

/// The time that a server may take to answer.
const PATIENCE: Duration = Duration::from_secs(30);
const PROGRAMS: [&str; 2] = ["redis-server", "valkey-server"];
/// The variable that names the server program to use in place of the one on `PATH`.
const PROGRAM_VARIABLE: &str = "REINHARDT_TEST_SERVER";
/// The settings file of a sentinel. The sentinel also writes to it.
const SENTINEL: &str = "sentinel.conf";
/// The files of a server on TLS.
const AUTHORITY: &str = "authority.pem";
const CERTIFICATE: &str = "certificate.pem";
const KEY: &str = "key.pem";

/// A server of a test's own, with nothing in it, that keeps nothing on disk.
///
/// Its program is the one that the variable `REINHARDT_TEST_SERVER` names, otherwise the first
/// `redis-server` or `valkey-server` on `PATH`.
#[derive(Debug)]
pub struct Server {
    directory: TempDir,
    address: Address,
    settings: Vec<String>,
    process: Option<Child>,
}

#[derive(Debug, Clone)]
enum Address {
    Unix(PathBuf),
    Tcp(u16),
    /// The port for backends, by TLS, and the unix socket for the commands of the test itself.
    Tls(u16, PathBuf),
}

impl Server {
    /// Starts a server on a unix socket.
    ///
    /// # Panics
    ///
    /// If there is no server program, or it doesn't answer.
    pub fn start() -> Self {
        Self::with_settings(&[])
    }

    /// Starts a server on a unix socket with more settings, as on its command line:
    /// `["--requirepass", "secret"]`.
    pub fn with_settings(settings: &[&str]) -> Self {
        let directory = tempfile::tempdir().expect("a temporary folder");
        let socket = directory.path().join("redis.sock");
        Self::launch(directory, Address::Unix(socket), settings)
    }

    /// Starts a server on a free port of the loopback interface.
    pub fn on_tcp() -> Self {
        Self::on_tcp_with(&[])
    }

    /// Starts a server on a free port of the loopback interface with more settings.
    pub fn on_tcp_with(settings: &[&str]) -> Self {
        let directory = tempfile::tempdir().expect("a temporary folder");
        Self::launch(directory, Address::Tcp(free_port()), settings)
    }

    /// Starts a server on a free port of the loopback interface that may be a node of a cluster.
    pub(crate) fn as_node(settings: &[&str]) -> Self {
        let directory = tempfile::tempdir().expect("a temporary folder");
        Self::launch(directory, Address::Tcp(node_port()), settings)
    }

    /// Starts a sentinel on a free port of the loopback interface, with these lines in its file.
    ///
    /// # Panics
    ///
    /// If there is no server program, or it doesn't answer.
    pub fn as_sentinel(lines: &str) -> Self {
        let directory = tempfile::tempdir().expect("a temporary folder");
        std::fs::write(directory.path().join(SENTINEL), lines).expect("a file");
        Self::launch(directory, Address::Tcp(free_port()), &[])
    }

    /// Says whether the process was started and has not been killed since.
    pub(crate) fn is_running(&self) -> bool {
        self.process.is_some()
    }

    /// Starts a server that is reached by TLS, on a free port of the loopback interface. The server
    /// shows a certificate and trusts an authority. It demands no certificate of clients unless a
    /// setting says so: `["--tls-auth-clients", "yes"]`.
    ///
    /// # Panics
    ///
    /// If there is no server program that knows TLS, or it doesn't answer.
    pub fn on_tls(authority: &Authority, certificate: &Certificate, settings: &[&str]) -> Self {
        let directory = tempfile::tempdir().expect("a temporary folder");
        Self::launch_on_tls(directory, authority, certificate, settings)
    }

    /// Starts a sentinel that is reached by TLS, and reaches servers and other sentinels by TLS.
    ///
    /// # Panics
    ///
    /// As [`on_tls`](Self::on_tls).
    pub(crate) fn as_sentinel_on_tls(
        authority: &Authority,
        certificate: &Certificate,
        lines: &str,
    ) -> Self {
        let directory = tempfile::tempdir().expect("a temporary folder");
        std::fs::write(directory.path().join(SENTINEL), lines).expect("a file");
        let speaks_so = ["--tls-replication", "yes"];
        Self::launch_on_tls(directory, authority, certificate, &speaks_so)
    }

    fn launch_on_tls(
        directory: TempDir,
        authority: &Authority,
        certificate: &Certificate,
        settings: &[&str],
    ) -> Self {
        let mut server = Self {
            address: Address::Tls(node_port(), directory.path().join("redis.sock")),
            directory,
            settings: ["--tls-auth-clients", "no"].map(String::from).to_vec(),
            process: None,
        };
        let settings = settings.iter().map(ToString::to_string);
        server.settings.extend(settings);
        server.equip(authority, certificate);
        server.restart();
        server
    }

    /// Gives a server on TLS another certificate, and another authority to trust. The server reads
    /// them at its next start.
    ///
    /// # Panics
    ///
    /// If their files can't be written.
    pub fn equip(&self, authority: &Authority, certificate: &Certificate) {
        for (name, text) in [
            (AUTHORITY, &authority.pem()),
            (CERTIFICATE, &certificate.pem),
            (KEY, &certificate.key),
        ] {
            std::fs::write(self.directory.path().join(name), text).expect("a file");
        }
    }

    fn launch(directory: TempDir, address: Address, settings: &[&str]) -> Self {
        let mut server = Self {
            directory,
            address,
            settings: settings.iter().map(ToString::to_string).collect(),
            process: None,
        };
        server.restart();
        server
    }

    /// Connects a backend that is patient, because many tests may be starting servers at the same
    /// time.
    ///
    /// # Panics
    ///
    /// If the server doesn't answer within 30 seconds.
    pub async fn connect(&self) -> RedisBackend {
        let builder = RedisBackend::builder().url(&self.url());
        let builder = builder.call_timeout(Duration::from_secs(30));
        builder.build().await.expect("the server answers")
    }

    /// Returns the URL for `RedisBackend`.
    pub fn url(&self) -> String {
        match &self.address {
            Address::Unix(socket) => format!("unix://{}", socket.display()),
            Address::Tcp(port) => format!("redis://127.0.0.1:{port}"),
            Address::Tls(port, _) => format!("rediss://127.0.0.1:{port}"),
        }
    }

    /// Returns the port of a server on TCP, or on TLS.
    ///
    /// # Panics
    ///
    /// If the server is on a unix socket.
    pub fn port(&self) -> u16 {
        match self.address {
            Address::Tcp(port) | Address::Tls(port, _) => port,
            Address::Unix(_) => panic!("the server is on a unix socket"),
        }
    }

    /// Starts the server, again if it was killed, on the same address and with the same settings,
    /// and waits until it answers.
    ///
    /// # Panics
    ///
    /// If it runs already, can't be started or doesn't answer.
    pub fn restart(&mut self) {
        assert!(self.process.is_none(), "the server runs already");
        let deadline = Instant::now() + PATIENCE;
        loop {
            let mut process = self.spawn();
            while process.try_wait().expect("the server's state").is_none() {
                if self.answers() {
                    self.process = Some(process);
                    return;
                }
                if Instant::now() > deadline {
                    let _ = process.kill();
                    let _ = process.wait();
                    panic!("the server doesn't answer: {}", self.log());
                }
                thread::sleep(Duration::from_millis(5));
            }
            assert!(
                !self.log().contains("TLS support") && !self.log().contains("Bad directive"),
                "{} doesn't know TLS: use another one, for instance Debian's redis-server",
                program().display()
            );
            // Another process may have taken the port meanwhile.
            assert!(
                Instant::now() < deadline,
                "the server ended: {}",
                self.log()
            );
            if let Address::Tcp(port) | Address::Tls(port, _) = &mut self.address {
                *port = node_port();
            }
        }
    }

    /// Stops the process with all that it was doing (`SIGSTOP`).
    pub fn pause(&self) {
        self.signal("-STOP");
    }

    /// Lets a paused process go on (`SIGCONT`).
    pub fn resume(&self) {
        self.signal("-CONT");
    }

    /// Kills the process (`SIGKILL`).
    pub fn kill(&mut self) {
        if let Some(mut process) = self.process.take() {
            process.kill().expect("the server can be killed");
            process.wait().expect("the server ends");
        }
    }

    /// Sends a command as one line, on a connection of its own, and returns the raw answer.
    ///
    /// # Panics
    ///
    /// If the server doesn't answer.
    pub fn command(&self, line: &str) -> String {
        self.try_command(line)
            .unwrap_or_else(|error| panic!("`{line}`: {error}"))
    }

    fn try_command(&self, line: &str) -> std::io::Result<String> {
        match &self.address {
            Address::Unix(socket) | Address::Tls(_, socket) => {
                let stream = UnixStream::connect(socket)?;
                stream.set_read_timeout(Some(PATIENCE))?;
                self.exchange(stream, line, |stream| stream.shutdown(Shutdown::Write))
            }
            Address::Tcp(port) => {
                let stream = TcpStream::connect(("127.0.0.1", *port))?;
                stream.set_read_timeout(Some(PATIENCE))?;
                self.exchange(stream, line, |stream| stream.shutdown(Shutdown::Write))
            }
        }
    }

    fn exchange<S: Read + Write>(
        &self,
        mut stream: S,
        line: &str,
        shut_down: impl FnOnce(&S) -> std::io::Result<()>,
    ) -> std::io::Result<String> {
        let mut answer = String::new();
        if self.is_sentinel() {
            // A sentinel knows no `QUIT`.
            stream.write_all(format!("{line}\r\n").as_bytes())?;
            shut_down(&stream)?;
            stream.read_to_string(&mut answer)?;
            return Ok(answer);
        }
        stream.write_all(format!("{line}\r\nQUIT\r\n").as_bytes())?;
        stream.read_to_string(&mut answer)?;
        Ok(answer.trim_end_matches("+OK\r\n").to_string())
    }

    fn is_sentinel(&self) -> bool {
        self.directory.path().join(SENTINEL).is_file()
    }

    /// Says whether the server answers at all, be it with an error (`NOAUTH`, `LOADING`,
    /// `MASTERDOWN`).
    fn answers(&self) -> bool {
        let answer = self.try_command("PING").unwrap_or_default();
        !answer.is_empty()
    }

    fn spawn(&self) -> Child {
        let log = std::fs::File::create(self.directory.path().join("log")).expect("a log");
        let mut command = Command::new(program());
        if self.is_sentinel() {
            let file = self.directory.path().join(SENTINEL);
            command.arg(file).arg("--sentinel");
        }
        match &self.address {
            Address::Unix(socket) => {
                let _ = std::fs::remove_file(socket);
                command.args(["--port", "0", "--unixsocket"]).arg(socket);
            }
            Address::Tcp(port) => {
                command.args(["--bind", "127.0.0.1", "--port"]);
                command.arg(port.to_string());
            }
            Address::Tls(port, socket) => {
                let _ = std::fs::remove_file(socket);
                command.args(["--bind", "127.0.0.1", "--port", "0", "--unixsocket"]);
                command.arg(socket).arg("--tls-port").arg(port.to_string());
                for (setting, name) in [
                    ("--tls-ca-cert-file", AUTHORITY),
                    ("--tls-cert-file", CERTIFICATE),
                    ("--tls-key-file", KEY),
                ] {
                    command.arg(setting).arg(self.directory.path().join(name));
                }
            }
        }
        command
            .args(["--save", "", "--appendonly", "no", "--dir"])
            .arg(self.directory.path())
            .args(&self.settings)
            .stdin(Stdio::null())
            .stdout(log.try_clone().expect("a log"))
            .stderr(log)
            .spawn()
            .expect("the server can be started")
    }

    fn log(&self) -> String {
        std::fs::read_to_string(self.directory.path().join("log")).unwrap_or_default()
    }

    fn signal(&self, signal: &str) {
        let process = self.process.as_ref().expect("the server runs");
        let status = Command::new("kill")
            .arg(signal)
            .arg(process.id().to_string())
            .status();
        assert!(status.expect("`kill` can be run").success());
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Some(mut process) = self.process.take() {
            // A stopped process dies of `SIGKILL` too.
            let _ = process.kill();
            let _ = process.wait();
        }
    }
}

/// Returns the builder of a backend whose time limits are long enough for every machine.
pub fn patient(url: &str) -> RedisBackendBuilder {
    let builder = RedisBackend::builder().url(url);
    builder.call_timeout(PATIENCE).connect_timeout(PATIENCE)
}

fn program() -> PathBuf {
    if let Some(program) = std::env::var_os(PROGRAM_VARIABLE) {
        let program = PathBuf::from(program);
        assert!(
            program.is_file(),
            "{PROGRAM_VARIABLE} names {}, which isn't a file",
            program.display()
        );
        return program;
    }
    let folders = std::env::var_os("PATH").unwrap_or_default();
    let mut candidates = std::env::split_paths(&folders)
        .flat_map(|folder| PROGRAMS.map(|program| folder.join(program)));
    candidates.find(|program| program.is_file()).expect(
        "no redis-server or valkey-server on PATH: install one (Debian: `apt-get install redis-server`) or use `tests/run`",
    )
}

/// Returns a free port for a server that may be a node of a cluster: the nodes speak to each other
/// on the port that is 10,000 higher.
fn node_port() -> u16 {
    let is_free = |port: &u16| TcpListener::bind(("127.0.0.1", *port)).is_ok();
    loop {
        let port = free_port();
        if port.checked_add(10_000).as_ref().is_some_and(is_free) {
            return port;
        }
    }
}

fn free_port() -> u16 {
    let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a free port");
    listener.local_addr().expect("a bound address").port()
}
