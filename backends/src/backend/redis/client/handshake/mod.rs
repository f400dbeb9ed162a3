//! The greeting on a socket: the protocol, the login, the database, and what the server says about
//! itself.
//!
//! The greeting goes without the driver, so that a server may refuse and hang up, and its last
//! words are read all the same.

mod faults;

use std::time::{Duration, Instant};

use redis::{ProtocolVersion, RedisConnectionInfo};

use super::conversation::Conversation;
use super::info::{Facts, Info};
use super::location::ServerLocation;
use super::login::Login;
use super::read_buffer::ReadBuffer;
use super::refusal::{code, refusal};
use super::resp::{Command, ErrorReply, Reply};
use super::socket::Socket;
use crate::error::{BackendError, BackendResult, ErrorKind};

/// A server that answers within this time is on the same machine, with nothing in between.
const NEAR: Duration = Duration::from_micros(100);
/// A server that answers later than this is not, and isn't measured again.
const FAR: Duration = Duration::from_millis(1);
/// The most round trips to measure by.
const ROUND_TRIPS: usize = 8;

/// A socket on which the greeting is over.
pub(super) struct Greeted<S = Box<dyn Socket>> {
    pub(super) socket: S,
    /// The bytes that came after the greeting.
    pub(super) input: ReadBuffer,
    pub(super) server: Introduction,
    /// True if the server was measured to be near.
    pub(super) is_near: bool,
    /// The longest time that the server took to answer.
    pub(super) round_trip: Duration,
}

impl<S: Socket + 'static> Greeted<S> {
    pub(super) fn boxed(self) -> Greeted {
        Greeted {
            socket: Box::new(self.socket),
            input: self.input,
            server: self.server,
            is_near: self.is_near,
            round_trip: self.round_trip,
        }
    }
}

/// Something that a server said about itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Introduction {
    /// The id of the server's process, where the server tells it.
    pub(super) run_id: Option<Box<str>>,
    /// True if a script may name several keys. A proxy may stand before several servers, and would
    /// run the script on the server that has the first key.
    pub(super) takes_many_keys: bool,
    pub(super) version: Option<String>,
    pub(super) mode: Option<String>,
}

impl Introduction {
    pub(super) fn is_cluster(&self) -> bool {
        self.mode.as_deref() == Some("cluster")
    }
}

/// The settings of a greeting.
#[derive(Clone, Copy)]
pub(super) struct Identity<'a> {
    /// The protocol, the database and the library.
    pub(super) settings: &'a RedisConnectionInfo,
    pub(super) login: Option<&'a Login>,
    pub(super) client_name: Option<&'a str>,
    pub(super) kind: ServerKind,
}

/// The kind of server that is meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ServerKind {
    /// A server that keeps entries and takes writes.
    Primary,
    /// A server that follows a primary.
    Replica,
    /// A server that tells where primaries and replicas are.
    Sentinel,
}

/// Greets the server, and measures whether it is near if `measures` is set.
///
/// # Errors
///
/// Each error names the place and what was met there. A server that can't be used now (a replica,
/// too many clients) is `Unavailable`; something that is no server is `InvalidConfig`. A login that
/// was refused is noted as such.
pub(super) async fn greet<S: Socket>(
    socket: S,
    identity: Identity<'_>,
    location: &ServerLocation,
    measures: bool,
) -> BackendResult<Greeted<S>> {
    let mut greeting = Greeting {
        conversation: Conversation::over(socket, ReadBuffer::default()),
        settings: identity.settings,
        login: identity.login,
        kind: identity.kind,
        location,
    };
    let (server, knows_resp3) = match identity.settings.protocol() {
        ProtocolVersion::RESP2 => (greeting.in_resp2(None).await?, false),
        _ => greeting.in_resp3().await?,
    };
    greeting
        .name_client(identity.client_name, knows_resp3, server.is_cluster())
        .await?;
    let is_near = measures && greeting.is_near().await?;
    let Conversation {
        socket,
        input,
        round_trip,
        ..
    } = greeting.conversation;
    Ok(Greeted {
        socket,
        input,
        server,
        is_near,
        round_trip,
    })
}

struct Greeting<'a, S> {
    conversation: Conversation<S>,
    settings: &'a RedisConnectionInfo,
    login: Option<&'a Login>,
    kind: ServerKind,
    location: &'a ServerLocation,
}

impl<S: Socket> Greeting<'_, S> {
    /// Greets by `HELLO`, and says whether the server knows this command.
    async fn in_resp3(&mut self) -> BackendResult<(Introduction, bool)> {
        let mut commands = vec![self.hello(), info("server")];
        commands.extend(self.select());
        let replies = self.conversation.ask(&commands).await;
        let hello = match replies.first() {
            Some(Reply::Array(parts)) => Facts(parts),
            // RESP3 came with Redis 6, and many proxies never learned it.
            Some(Reply::Error(refused)) if self.may_know_resp2(refused) => {
                return Ok((self.in_resp2(Some(refused)).await?, false));
            }
            Some(Reply::Error(refused)) => return Err(self.refused(refused)),
            Some(_) => return Err(self.is_no_server("answered `HELLO` with no greeting")),
            None => return Err(self.silence()),
        };
        if hello.number("proto") != Some(3) {
            let is_hello =
                |first: &Reply| matches!(first, Reply::Bytes(word) if word.as_bytes() == b"HELLO");
            let is_echo = hello.0.first().is_some_and(is_hello);
            return Err(self.is_no_server(match is_echo {
                true => "sends back what it is sent",
                false => "answered `HELLO` with no greeting",
            }));
        }
        self.check(hello.text("mode"), hello.text("role"))?;
        let server = replies.get(1).map(Info::of).unwrap_or_default();
        self.check_selected(replies.get(2))?;
        if replies.len() < commands.len() {
            return Err(self.silence());
        }
        let server = Introduction {
            run_id: server.run_id(),
            takes_many_keys: true,
            version: server.version().or(hello.text("version")).map(Into::into),
            mode: hello.text("mode").map(Into::into),
        };
        Ok((server, true))
    }

    /// Greets by commands that every server knows. `hello` is the refusal of `HELLO`, if it was
    /// refused.
    async fn in_resp2(&mut self, hello: Option<&ErrorReply>) -> BackendResult<Introduction> {
        let auth = self.auth();
        let commands =
            auth.into_iter()
                .chain([Command::new("PING"), info("server"), info("replication")]);
        let commands: Vec<_> = commands.chain(self.select()).collect();
        let replies = self.conversation.ask(&commands).await;
        let mut answers = replies.iter();
        if self.has_login() {
            match answers.next() {
                Some(Reply::Status) => {}
                Some(Reply::Error(refused)) if is_login_for_nobody(refused) => {}
                Some(Reply::Error(refused)) => return Err(self.login_refused(refused)),
                Some(_) => return Err(self.is_no_server("answered `AUTH` with no word of it")),
                None => return Err(self.hung_up_after(hello)),
            }
        }
        match answers.next() {
            Some(Reply::Error(refused)) if is_final(refused) => return Err(self.refused(refused)),
            // A refusal is a sign of life too: `MISCONF`, `LOADING`, no permission for it.
            Some(Reply::Status | Reply::Error(_)) => {}
            Some(_) => return Err(self.is_no_server("answered `PING` with no pong")),
            None => return Err(self.hung_up_after(hello)),
        }
        let [server, replication] =
            [(); 2].map(|()| answers.next().map(Info::of).unwrap_or_default());
        // Valkey says what kind of server it is by another name.
        let mode = server.field("redis_mode").or(server.field("server_mode"));
        self.check(mode, replication.field("role"))?;
        self.check_selected(answers.next())?;
        if replies.len() < commands.len() {
            return Err(self.silence());
        }
        Ok(Introduction {
            run_id: server.run_id(),
            takes_many_keys: mode == Some("standalone"),
            version: server.version().map(Into::into),
            mode: mode.map(Into::into),
        })
    }

    /// Checks the answer to `SELECT`, if there is one.
    fn check_selected(&self, answer: Option<&Reply>) -> BackendResult<()> {
        let Some(Reply::Error(refused)) = answer else {
            return Ok(());
        };
        let refused = refusal(refused);
        let kind = match refused.kind() {
            ErrorKind::Other => ErrorKind::InvalidConfig,
            kind => kind,
        };
        let (location, database) = (self.location, self.settings.db());
        let message = format!(
            "{location} refused database {database}: {}",
            refused.message()
        );
        Err(BackendError::new(kind, message))
    }

    /// Tells the server whose connection it is, and by which library. Refusals are ignored: a user
    /// may lack the permission, and servers before 7.2 know no libraries. A replica in a cluster is
    /// asked to answer reads (`READONLY`): it would name the primary otherwise.
    async fn name_client(
        &mut self,
        client: Option<&str>,
        knows_resp3: bool,
        is_cluster: bool,
    ) -> BackendResult<()> {
        let settings = self.settings;
        let client = client.map(|name| Command::new("CLIENT").args(["SETNAME", name]));
        let mut commands: Vec<_> = client.into_iter().collect();
        if knows_resp3 && !settings.skip_set_lib_name() {
            let name = settings.lib_name().unwrap_or(env!("CARGO_PKG_NAME"));
            let version = settings.lib_ver().unwrap_or(env!("CARGO_PKG_VERSION"));
            let library = [("LIB-NAME", name), ("LIB-VER", version)];
            commands.extend(
                library.map(|(what, value)| Command::new("CLIENT").args(["SETINFO", what, value])),
            );
        }
        if is_cluster && self.kind == ServerKind::Replica {
            commands.push(Command::new("READONLY"));
        }
        match self.conversation.ask(&commands).await.len() == commands.len() {
            true => Ok(()),
            false => Err(self.silence()),
        }
    }

    /// Measures whether the server is near: the quickest of a few round trips tells, because any of
    /// them may be slowed down by other work of the machine.
    async fn is_near(&mut self) -> BackendResult<bool> {
        for _ in 0..ROUND_TRIPS {
            let begun = Instant::now();
            if self
                .conversation
                .ask(&[Command::new("PING")])
                .await
                .is_empty()
            {
                return Err(self.silence());
            }
            let time = begun.elapsed();
            if time < NEAR || time > FAR {
                return Ok(time < NEAR);
            }
        }
        Ok(false)
    }

    fn has_login(&self) -> bool {
        self.login.is_some()
    }

    /// Says whether a server that refused `HELLO` so may be worth a greeting in RESP2. Some refuse
    /// everything but `AUTH` before a login.
    fn may_know_resp2(&self, refused: &ErrorReply) -> bool {
        code(refused) == "NOAUTH" && self.has_login() || !is_final(refused)
    }

    fn hello(&self) -> Command {
        // RESP3 tells a missing value from an empty array, and can tell of things that nobody asked
        // for.
        let hello = Command::new("HELLO").number(3);
        match self.login {
            Some(login) => hello.args(login.words()),
            None => hello,
        }
    }

    fn auth(&self) -> Option<Command> {
        self.login.map(Login::auth)
    }

    /// Notes for all connections that the login is of no use.
    fn refuse_login(&self) {
        if let Some(login) = self.login {
            login.refuse();
        }
    }

    fn select(&self) -> Option<Command> {
        let database = self.settings.db();
        (database != 0).then(|| Command::new("SELECT").number(database))
    }

    /// Checks the mode and the role that the server tells, where it does.
    fn check(&self, mode: Option<&str>, role: Option<&str>) -> BackendResult<()> {
        let (location, database) = (self.location, self.settings.db());
        let (kind, message) = match (mode, role) {
            (Some("sentinel") | None, _) if self.kind == ServerKind::Sentinel => return Ok(()),
            _ if self.kind == ServerKind::Sentinel => (
                ErrorKind::InvalidConfig,
                format!("{location} is no Sentinel"),
            ),
            (Some("cluster"), _) if database != 0 => (
                ErrorKind::InvalidConfig,
                format!(
                    "{location} is a node of a cluster, which has database 0 alone, and the settings \
                     name database {database}"
                ),
            ),
            // A replica of a cluster names the primary of each key.
            (Some("cluster"), _) => return Ok(()),
            (Some("sentinel"), _) => (
                ErrorKind::InvalidConfig,
                format!(
                    "{location} is a Sentinel, which keeps no entries: write `redis-sentinel://` and \
                     the name of the service"
                ),
            ),
            // A failover may make it the primary, or lead the address to the primary.
            (_, Some("replica" | "slave")) if self.kind == ServerKind::Primary => (
                ErrorKind::Unavailable,
                format!("{location} is a replica, which takes no writes"),
            ),
            // Whoever was a replica may be another service's primary by now.
            (_, Some("master")) if self.kind == ServerKind::Replica => (
                ErrorKind::Unavailable,
                format!("{location} is a primary, and was told as a replica"),
            ),
            _ => return Ok(()),
        };
        Err(BackendError::new(kind, message))
    }
}

/// Says whether a refusal is the end of a greeting in any protocol.
fn is_final(refused: &ErrorReply) -> bool {
    let is_full = code(refused) == "ERR" && refusal(refused).kind() == ErrorKind::Unavailable;
    matches!(code(refused), "DENIED" | "NOAUTH" | "WRONGPASS") || is_full
}

/// Says whether a refusal is the answer to `AUTH` of a server without a password, which serves
/// everybody.
pub(super) fn is_login_for_nobody(refused: &ErrorReply) -> bool {
    let details = refused.details();
    details.contains("without any password configured") || details.contains("no password is set")
}

fn info(section: &str) -> Command {
    Command::new("INFO").arg(section)
}
