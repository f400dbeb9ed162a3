//! The greeting on a socket: the protocol, the login, the database, and what the server says about
//! itself.
//!
//! It goes without the driver, so that a server may refuse and hang up, and its last words are read
//! all the same.

use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::time::{Duration, Instant};

use redis::{ProtocolVersion, RedisConnectionInfo};
use tokio::io::ReadBuf;

use super::dial::{Place, failure};
use super::driver::Socket;
use super::inbox::End;
use super::read_buffer::ReadBuffer;
use super::refusal::{code, refusal};
use super::resp::{Command, ErrorReply, Reply};
use crate::error::{BackendError, BackendResult, ErrorKind};

/// A server that answers sooner is on the same machine, with nothing in between.
const NEAR: Duration = Duration::from_micros(100);
/// A server that greets later isn't worth being measured.
const FAR: Duration = Duration::from_millis(5);

/// A socket on which the greeting is over.
pub(super) struct Greeted<S = Box<dyn Socket>> {
    pub(super) socket: S,
    /// What came after the greeting.
    pub(super) input: ReadBuffer,
    pub(super) server: Introduction,
}

impl<S: Socket + 'static> Greeted<S> {
    pub(super) fn boxed(self) -> Greeted {
        Greeted {
            socket: Box::new(self.socket),
            input: self.input,
            server: self.server,
        }
    }
}

/// Something that a server said about itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Introduction {
    /// The id of the server's process, where it tells.
    pub(super) run_id: Option<Box<str>>,
    /// Whether a script may name several keys. A proxy may stand before several servers, and would
    /// run the script on the one that has the first key.
    pub(super) takes_many_keys: bool,
}

/// Greets the server, and says whether it is measured to be near, if `measures` is set.
///
/// # Errors
///
/// Each names the place and what was met there. A server that can't be used now (a replica, too
/// many clients) is `Unavailable`; one that is no server is `InvalidConfig`.
pub(super) async fn greet<S: Socket>(
    socket: S,
    settings: &RedisConnectionInfo,
    place: &Place,
    measures: bool,
) -> BackendResult<(Greeted<S>, bool)> {
    let mut greeting = Greeting {
        conversation: Conversation {
            socket,
            input: ReadBuffer::default(),
            end: None,
        },
        settings,
        place,
    };
    let begun = Instant::now();
    let server = match settings.protocol() {
        ProtocolVersion::RESP2 => greeting.in_resp2(None).await?,
        _ => greeting.in_resp3().await?,
    };
    let measures = measures && begun.elapsed() < FAR;
    let quickest = greeting.name_library(measures).await?;
    let Conversation { socket, input, .. } = greeting.conversation;
    let greeted = Greeted {
        socket,
        input,
        server,
    };
    Ok((greeted, quickest.is_some_and(|quickest| quickest < NEAR)))
}

struct Greeting<'a, S> {
    conversation: Conversation<S>,
    settings: &'a RedisConnectionInfo,
    place: &'a Place,
}

impl<S: Socket> Greeting<'_, S> {
    async fn in_resp3(&mut self) -> BackendResult<Introduction> {
        let mut commands = vec![self.hello()];
        commands.extend(self.select());
        commands.push(info("server"));
        let replies = self.conversation.ask(&commands).await;
        let hello = match replies.first() {
            Some(Reply::Array(parts)) => Facts(parts),
            // RESP3 came with Redis 6, and many proxies never learned it.
            Some(Reply::Error(refused)) if may_know_resp2(refused) => {
                return self.in_resp2(Some(refused)).await;
            }
            Some(Reply::Error(refused)) => return Err(self.refused(refused)),
            Some(_) => return Err(self.is_no_server("answered `HELLO` with no greeting")),
            None => return Err(self.silence()),
        };
        if hello.number("proto") != Some(3) {
            let is_echo =
                matches!(hello.0.first(), Some(Reply::Bytes(word)) if word.as_bytes() == b"HELLO");
            return Err(self.is_no_server(if is_echo {
                "sends back what it is sent"
            } else {
                "answered `HELLO` with no greeting"
            }));
        }
        if let Some(mode) = hello.text("mode") {
            self.check_mode(mode)?;
        }
        if hello.text("role").is_some_and(is_replica) {
            return Err(self.is_replica());
        }
        let rest = self.check_selected(&replies[1..], commands.len() - 1)?;
        Ok(Introduction {
            run_id: rest.first().and_then(|info| Info::of(info).run_id()),
            takes_many_keys: true,
        })
    }

    /// Greets by commands that every server knows. Where `HELLO` was refused, this says how.
    async fn in_resp2(&mut self, refused: Option<&ErrorReply>) -> BackendResult<Introduction> {
        let mut commands: Vec<_> = self.auth().into_iter().collect();
        let logs_in = !commands.is_empty();
        commands.push(Command::new("PING"));
        commands.extend(self.select());
        let asked = commands.len();
        commands.extend([info("server"), info("replication")]);
        let replies = self.conversation.ask(&commands).await;
        let expected = asked + 2;
        let mut rest = &replies[..];
        for _ in 0..=usize::from(logs_in) {
            match (rest.first(), refused) {
                (Some(Reply::Status), _) => rest = &rest[1..],
                (Some(Reply::Error(refused)), _) => return Err(self.refused(refused)),
                (Some(_), _) => return Err(self.is_no_server("answered `PING` with no pong")),
                // The first refusal tells more than that it hung up then.
                (None, Some(refused)) => return Err(self.refused(refused)),
                (None, None) => return Err(self.silence()),
            }
        }
        let behind = expected - (replies.len() - rest.len());
        let rest = self.check_selected(rest, behind)?;
        let [server, replication] = [0, 1].map(|at| rest.get(at).map_or(Info(""), Info::of));
        let mode = server.field("redis_mode");
        if let Some(mode) = mode {
            self.check_mode(mode)?;
        }
        if replication.field("role").is_some_and(is_replica) {
            return Err(self.is_replica());
        }
        Ok(Introduction {
            run_id: server.run_id(),
            takes_many_keys: mode == Some("standalone"),
        })
    }

    /// Passes the reply to `SELECT`, if one was asked for among the `expected` ones.
    fn check_selected<'r>(
        &self,
        replies: &'r [Reply],
        expected: usize,
    ) -> BackendResult<&'r [Reply]> {
        if self.settings.db() == 0 {
            return Ok(replies);
        }
        match replies.split_first() {
            Some((Reply::Error(refused), _)) => {
                let refused = refusal(refused);
                let kind = match refused.kind() {
                    ErrorKind::Other => ErrorKind::InvalidConfig,
                    kind => kind,
                };
                let (place, database) = (self.place, self.settings.db());
                let message = format!("{place} refused database {database}: {}", refused.message());
                Err(BackendError::new(kind, message))
            }
            Some((_, rest)) => Ok(rest),
            None if expected > 0 => Err(self.silence()),
            None => Ok(replies),
        }
    }

    /// Tells the server whose connection it is; with `measures` it returns the time of the quicker
    /// one of two round trips.
    async fn name_library(&mut self, measures: bool) -> BackendResult<Option<Duration>> {
        let settings = self.settings;
        let name = settings.lib_name().unwrap_or(env!("CARGO_PKG_NAME"));
        let version = settings.lib_ver().unwrap_or(env!("CARGO_PKG_VERSION"));
        // Servers before 7.2 refuse these, which is ignored.
        let commands = match settings.skip_set_lib_name() {
            true if measures => vec![Command::new("PING"), Command::new("PING")],
            true => Vec::new(),
            false => [("LIB-NAME", name), ("LIB-VER", version)]
                .map(|(what, value)| Command::new("CLIENT").args(["SETINFO", what, value]))
                .to_vec(),
        };
        let at_once = if measures { 1 } else { commands.len().max(1) };
        let mut quickest: Option<Duration> = None;
        for commands in commands.chunks(at_once) {
            let begun = Instant::now();
            if self.conversation.ask(commands).await.len() < commands.len() {
                return Err(self.silence());
            }
            let time = begun.elapsed();
            quickest = Some(quickest.map_or(time, |quickest| quickest.min(time)));
        }
        Ok(quickest.filter(|_| measures))
    }

    fn hello(&self) -> Command {
        // RESP3 tells a missing value from an empty array, and can tell of things that nobody asked
        // for.
        let hello = Command::new("HELLO").number(3);
        match (self.settings.username(), self.settings.password()) {
            (user, Some(password)) => hello.args(["AUTH", user.unwrap_or("default"), password]),
            (Some(user), None) => hello.args(["AUTH", user, ""]),
            (None, None) => hello,
        }
    }

    fn auth(&self) -> Option<Command> {
        let auth = Command::new("AUTH");
        match (self.settings.username(), self.settings.password()) {
            (Some(user), password) => Some(auth.args([user, password.unwrap_or_default()])),
            (None, Some(password)) => Some(auth.arg(password)),
            (None, None) => None,
        }
    }

    fn select(&self) -> Option<Command> {
        let database = self.settings.db();
        (database != 0).then(|| Command::new("SELECT").number(database))
    }

    fn check_mode(&self, mode: &str) -> BackendResult<()> {
        let place = self.place;
        let (kind, message) = match mode {
            "cluster" => (
                ErrorKind::Unsupported,
                format!("{place} is a node of a cluster, which this version can't use"),
            ),
            "sentinel" => (
                ErrorKind::InvalidConfig,
                format!("{place} is a Sentinel, which keeps no entries: name the primary"),
            ),
            _ => return Ok(()),
        };
        Err(BackendError::new(kind, message))
    }

    /// A failover may make it the primary, or lead the address to the primary.
    fn is_replica(&self) -> BackendError {
        let message = format!("{} is a replica, which takes no writes", self.place);
        BackendError::new(ErrorKind::Unavailable, message)
    }

    /// Turns the refusal of the greeting into an error.
    fn refused(&self, refused: &ErrorReply) -> BackendError {
        let place = self.place;
        let kind = refusal(refused).kind();
        let (kind, message) = match (code(refused), kind) {
            ("DENIED", _) => (
                ErrorKind::Denied,
                format!(
                    "{place} is in protected mode (DENIED): without a password it takes \
                     connections from its own machine alone"
                ),
            ),
            ("NOAUTH", _) => (
                ErrorKind::Denied,
                format!("{place} demands a login (NOAUTH), and the settings have none"),
            ),
            ("WRONGPASS", _) => (
                ErrorKind::Denied,
                format!("{place} refused the user or the password (WRONGPASS)"),
            ),
            (_, ErrorKind::Unavailable) if code(refused) == "ERR" => (
                ErrorKind::Unavailable,
                format!("{place} takes no more clients (max number of clients)"),
            ),
            _ if is_login_for_nobody(refused) => (
                ErrorKind::Denied,
                format!("{place} has no password, and the settings have one (ERR)"),
            ),
            _ => {
                let refused = refusal(refused);
                (
                    kind,
                    format!("{place} doesn't take the greeting: {}", refused.message()),
                )
            }
        };
        BackendError::new(kind, message)
    }

    /// Says why there is no answer.
    fn silence(&self) -> BackendError {
        let place = self.place;
        let unread = self.conversation.input.unread();
        if unread.starts_with(b"HTTP/") {
            return self.is_no_server("answered in HTTP");
        }
        // The first bytes of a record: an alert or a handshake, and the version.
        if let [0x15 | 0x16, 0x03, ..] = unread {
            return self.is_no_server("answered in TLS: that takes `rediss://`");
        }
        match self.conversation.end {
            Some(End::Malformed) => self.is_no_server("answered in something that isn't RESP"),
            Some(End::Failed(io::ErrorKind::UnexpectedEof)) => BackendError::new(
                ErrorKind::Unavailable,
                format!("{place} hung up without an answer to the greeting"),
            )
            .with_source(io::Error::from(io::ErrorKind::UnexpectedEof)),
            Some(End::Failed(kind)) => failure(place, kind.into()),
            Some(End::Closed) | None => failure(place, io::ErrorKind::ConnectionAborted.into()),
        }
    }

    fn is_no_server(&self, met: &str) -> BackendError {
        let message = format!("{} is no Redis server: it {met}", self.place);
        BackendError::new(ErrorKind::InvalidConfig, message)
    }
}

/// Says whether a server that refused `HELLO` so may be worth a greeting in RESP2.
fn may_know_resp2(refused: &ErrorReply) -> bool {
    let is_full = refusal(refused).kind() == ErrorKind::Unavailable;
    matches!(refused.code(), "ERR" | "NOPROTO") && !is_full
}

/// `AUTH` on a server without a password.
fn is_login_for_nobody(refused: &ErrorReply) -> bool {
    let details = refused.details();
    details.contains("without any password configured") || details.contains("no password is set")
}

fn is_replica(role: &str) -> bool {
    matches!(role, "replica" | "slave")
}

fn info(section: &str) -> Command {
    Command::new("INFO").arg(section)
}

/// The names and values in the answer to `HELLO`.
struct Facts<'a>(&'a [Reply]);

impl<'a> Facts<'a> {
    fn value(&self, name: &str) -> Option<&'a Reply> {
        let mut pairs = self.0.chunks_exact(2);
        pairs.find_map(|pair| match &pair[0] {
            Reply::Bytes(bytes) if bytes.as_bytes() == name.as_bytes() => Some(&pair[1]),
            _ => None,
        })
    }

    fn text(&self, name: &str) -> Option<&'a str> {
        match self.value(name)? {
            Reply::Bytes(bytes) => str::from_utf8(bytes.as_bytes()).ok(),
            _ => None,
        }
    }

    fn number(&self, name: &str) -> Option<i64> {
        match self.value(name)? {
            Reply::Integer(number) => Some(*number),
            _ => None,
        }
    }
}

/// The answer to `INFO`; nothing where it was refused.
#[derive(Clone, Copy)]
struct Info<'a>(&'a str);

impl<'a> Info<'a> {
    fn of(reply: &'a Reply) -> Self {
        Self(match reply {
            Reply::Bytes(bytes) => str::from_utf8(bytes.as_bytes()).unwrap_or_default(),
            _ => "",
        })
    }

    fn field(self, name: &str) -> Option<&'a str> {
        let mut lines = self.0.lines();
        lines.find_map(|line| {
            line.strip_prefix(name)?
                .strip_prefix(':')
                .map(str::trim_end)
        })
    }

    fn run_id(self) -> Option<Box<str>> {
        self.field("run_id").map(Into::into)
    }
}

/// Commands and their replies, one batch after the other.
struct Conversation<S> {
    socket: S,
    input: ReadBuffer,
    end: Option<End>,
}

impl<S: Socket> Conversation<S> {
    /// Sends the commands and returns their replies: fewer if the conversation ended.
    async fn ask(&mut self, commands: &[Command]) -> Vec<Reply> {
        let mut output = Vec::new();
        commands
            .iter()
            .for_each(|command| command.write_to(&mut output));
        // A server that has refused the connection may not take it. What it said is read.
        let written = self.write(&output).await;
        let mut replies = Vec::with_capacity(commands.len());
        while replies.len() < commands.len() {
            match self.reply().await {
                Ok(reply) => replies.push(reply),
                Err(end) => {
                    self.end = Some(match end {
                        End::Failed(_) => written.err().unwrap_or(end),
                        end => end,
                    });
                    break;
                }
            }
        }
        replies
    }

    async fn write(&mut self, mut output: &[u8]) -> Result<(), End> {
        while !output.is_empty() {
            let written = poll_fn(|context| Pin::new(&mut self.socket).poll_write(context, output));
            match written.await {
                Ok(0) => return Err(End::Failed(io::ErrorKind::WriteZero)),
                Ok(count) => output = &output[count..],
                Err(error) => return Err(End::Failed(error.kind())),
            }
        }
        Ok(())
    }

    async fn reply(&mut self) -> Result<Reply, End> {
        loop {
            while let Some(reply) = self.input.next()? {
                if reply != Reply::Push {
                    return Ok(reply);
                }
            }
            let count = poll_fn(|context| {
                let mut buffer = ReadBuf::new(self.input.room());
                let read = Pin::new(&mut self.socket).poll_read(context, &mut buffer);
                read.map_ok(|()| buffer.filled().len())
            });
            match count.await {
                Ok(0) => return Err(End::Failed(io::ErrorKind::UnexpectedEof)),
                Ok(count) => self.input.add(count),
                Err(error) => return Err(End::Failed(error.kind())),
            }
        }
    }
}
