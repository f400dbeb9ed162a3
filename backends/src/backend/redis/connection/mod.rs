//! The rest of Redis: a connection for the commands of the crate redis.

mod table;

use std::error::Error;
use std::fmt;
use std::io;
use std::sync::Arc;

use redis::aio::ConnectionLike;
use redis::{
    Arg, Cmd, ErrorKind as RedisErrorKind, Pipeline, RedisError, RedisFuture, RedisResult, Value,
    parse_redis_value,
};

use self::table::{Destination, Words};
use super::RedisBackend;
use super::client::{Client, ErrorReply, Raw, Reply, Slots, refusal};
use super::commands::Commands;
use crate::error::{BackendError, BackendResult, ErrorKind};

#[doc = include_str!("../../../../docs/commands.md")]
#[derive(Clone)]
pub struct RedisConnection {
    client: Arc<Client>,
    database: i64,
}

impl RedisBackend {
    /// Connects for every other command of the server, by the crate redis: see
    /// [`RedisConnection`].
    ///
    /// All handles that this gives out share one connection, also with the backend's clones. It is
    /// not the connection that sessions and keyspaces use, but it has the same address, TLS, login,
    /// limits and routing. So ask for a handle as often as you like: the connection is made by the
    /// first call, and made anew when it is lost. [`close`](Self::close) closes it too.
    ///
    /// # Errors
    ///
    /// As [`RedisBackendBuilder::build`](super::RedisBackendBuilder::build), and `Unavailable`
    /// once the backend was closed.
    ///
    /// # Examples
    ///
    /// ```no_run
    /// use redis::AsyncCommands;
    /// use reinhardt_backends::{RedisBackend, redis};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let backend = RedisBackend::new("redis://localhost:6379").await?;
    /// let mut redis = backend.connection().await?;
    /// let leaders = backend.redis_key("leaders");
    /// let _: () = redis.zadd(&leaders, "ann", 120).await?;
    /// let rank: Option<i64> = redis.zrevrank(&leaders, "ann").await?;
    /// assert_eq!(rank, Some(0));
    /// # Ok(()) }
    /// ```
    pub async fn connection(&self) -> BackendResult<RedisConnection> {
        let client = self.commands.connection()?;
        client.connected().await?;
        Ok(RedisConnection {
            database: client.database(),
            client,
        })
    }

    /// Returns the name that `key` has on the server, which is in the namespace of this backend.
    ///
    /// No key of a typed keyspace has such a name by accident: those keys begin with the prefix of
    /// the keyspace and a colon. `clear` removes keys with such names with the rest of the
    /// namespace.
    ///
    /// # Examples
    ///
    /// ```
    /// use reinhardt_backends::RedisBackend;
    ///
    /// # fn main() -> reinhardt_backends::BackendResult<()> {
    /// let builder = RedisBackend::builder().url("redis://localhost");
    /// let backend = builder.namespace("shop").build_lazy()?;
    /// assert_eq!(backend.redis_key("leaders"), "shop:leaders");
    /// # Ok(()) }
    /// ```
    pub fn redis_key(&self, key: &str) -> String {
        format!("{}{key}", self.commands.prefix)
    }
}

impl Commands {
    /// Returns the client of connections for other commands.
    fn connection(&self) -> BackendResult<Arc<Client>> {
        let make = || Arc::new(self.client.beside());
        let client = self.other.get_or_init(make).clone();
        // The backend was closed before there was the other client.
        match self.client.is_closed() {
            true => Err(BackendError::new(
                ErrorKind::Unavailable,
                "the backend was closed",
            )),
            false => Ok(client),
        }
    }
}

impl ConnectionLike for RedisConnection {
    fn req_packed_command<'a>(&'a mut self, cmd: &'a Cmd) -> RedisFuture<'a, Value> {
        Box::pin(async move {
            let words = checked(cmd)?;
            let destination = words.destination();
            let raw = Raw {
                packed: cmd.get_packed_command(),
                replies: None,
                slots: slots([destination]),
                goes_anywhere: destination == Destination::Any,
                may_be_redirected: !words.runs_script(),
            };
            let reply = match destination {
                Destination::Each => self.client.raw_on_each_node(raw).await,
                _ => self.client.raw(raw).await,
            };
            match reply.map_err(failure)? {
                Reply::OneKeyOnly => Err(without_key(&words)),
                reply => value(reply),
            }
        })
    }

    fn req_packed_commands<'a>(
        &'a mut self,
        pipeline: &'a Pipeline,
        offset: usize,
        count: usize,
    ) -> RedisFuture<'a, Vec<Value>> {
        Box::pin(async move {
            let all = pipeline.cmd_iter().map(checked);
            let all = all.collect::<RedisResult<Vec<_>>>()?;
            let expected = match pipeline.is_transaction() {
                true => (all.len() + 1, 1),
                false => (0, all.len()),
            };
            if (offset, count) != expected {
                // Other callers would get the replies that are left over, or this caller would get
                // theirs.
                return Err(refused(
                    "a pipeline with another number of replies".to_string(),
                ));
            }
            if all.is_empty() {
                let nothing = pipeline.is_transaction().then(|| Value::Array(Vec::new()));
                return Ok(nothing.into_iter().collect());
            }
            let raw = Raw {
                packed: pipeline.get_packed_pipeline(),
                replies: Some(offset + count),
                slots: slots(all.iter().map(Words::destination)),
                goes_anywhere: all
                    .iter()
                    .all(|words| words.destination() == Destination::Any),
                may_be_redirected: false,
            };
            let replies = match self.client.raw(raw).await.map_err(failure)? {
                Reply::Array(replies) => replies,
                Reply::OneKeyOnly => return Err(without_slot(&all)),
                _ => return Err(unreadable()),
            };
            let mut values = replies.into_iter().map(value);
            for passed in values.by_ref().take(offset) {
                // A refusal of one command ends the whole transaction. It tells more than the error
                // of the transaction.
                passed?.extract_error()?;
            }
            values.collect()
        })
    }

    fn get_db(&self) -> i64 {
        self.database
    }
}

/// Leaves the server out, whose URL may hold a password.
impl fmt::Debug for RedisConnection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RedisConnection")
            .field("database", &self.database)
            .finish_non_exhaustive()
    }
}

/// Refuses a command that a connection which many share can't take.
fn checked(cmd: &Cmd) -> RedisResult<Words<'_>> {
    let words = Words::of(cmd.args_iter().map(|arg| match arg {
        Arg::Simple(word) => word,
        // The cursor of a scan, which is no key.
        _ => b"0".as_slice(),
    }));
    if words.are_none() {
        // A server answers nothing to it, and later callers would get each other's replies.
        return Err(refused("a command without a name".to_string()));
    }
    if let Some((name, reason)) = words.refused() {
        return Err(refused(format!("`{name}` {}", reason.reason())));
    }
    if cmd.is_no_response() {
        let message = "a command whose reply is not to be waited for";
        return Err(refused(message.to_string()));
    }
    Ok(words)
}

/// Returns the hash slots of the keys of commands. A command that every node has to get goes with
/// no other command.
fn slots<'c>(destinations: impl IntoIterator<Item = Destination<'c>>) -> Slots {
    let mut keys = Vec::new();
    for destination in destinations {
        match destination {
            Destination::Key(key) => keys.push(key),
            Destination::Any => {}
            Destination::Each | Destination::Unknown => return Slots::None,
        }
    }
    Slots::of(keys.into_iter())
}

/// Returns the error of a command on a cluster that names no key.
fn without_key(words: &Words<'_>) -> RedisError {
    let name = words.name();
    refused(format!(
        "`{name}` without a key on a cluster: a key says which node is asked"
    ))
}

/// Returns the error of commands on a cluster that are not for one node.
fn without_slot(commands: &[Words<'_>]) -> RedisError {
    let mut commands = commands.iter();
    let without = commands.find(|words| {
        let destination = words.destination();
        matches!(destination, Destination::Each | Destination::Unknown)
    });
    without.map_or_else(
        || {
            refused(
                "commands for several hash slots in one pipeline: give their keys a common \
                 `{tag}`, or send one pipeline for each"
                    .to_string(),
            )
        },
        without_key,
    )
}

/// The words that errors of this module begin with. The text after them shows nothing that was
/// sent.
const REFUSED: &str = "refused before it was sent";
const DENIED: &str = "the login was refused";
const INVALID: &str = "the settings can't be right";

/// Returns the error of a command that was not sent.
fn refused(detail: String) -> RedisError {
    RedisError::from((RedisErrorKind::Client, REFUSED, detail))
}

fn unreadable() -> RedisError {
    RedisError::from((RedisErrorKind::Parse, "the reply makes no sense"))
}

fn value(reply: Reply) -> RedisResult<Value> {
    match reply {
        Reply::Raw(bytes) => parse_redis_value(&bytes),
        Reply::Error(error) => parse_redis_value(&line(&error)),
        _ => Err(unreadable()),
    }
}

/// Returns an error reply as a server sends it.
fn line(error: &ErrorReply) -> Vec<u8> {
    let text = error.line().replace(['\r', '\n'], " ");
    format!("-{text}\r\n").into_bytes()
}

/// Makes an error of the crate redis, whose source is ours.
fn failure(error: BackendError) -> RedisError {
    let kind = match error.kind() {
        ErrorKind::Timeout => io::ErrorKind::TimedOut,
        ErrorKind::Denied => {
            let kind = RedisErrorKind::AuthenticationFailed;
            return RedisError::from((kind, DENIED, error.message().to_string()));
        }
        ErrorKind::InvalidConfig => {
            let kind = RedisErrorKind::InvalidClientConfig;
            return RedisError::from((kind, INVALID, error.message().to_string()));
        }
        _ if error.outcome_unknown() => io::ErrorKind::ConnectionAborted,
        _ => io::ErrorKind::NotConnected,
    };
    RedisError::from(io::Error::new(kind, error))
}

/// Returns the failure that an error was made of.
fn inside(error: &RedisError) -> Option<&BackendError> {
    // The crate has its sources in such a pointer, which is an error itself.
    let source = error.source()?;
    let source = source.downcast_ref::<Arc<dyn Error + Send + Sync>>()?;
    source
        .downcast_ref::<io::Error>()?
        .get_ref()?
        .downcast_ref()
}

/// A server's error reply: in a pipeline, the first reply that is one.
struct Answered {
    code: String,
    details: String,
    /// True if other commands of a pipeline may have been executed.
    is_part: bool,
}

fn answered(error: &RedisError) -> Option<Answered> {
    let errors = error.clone().into_server_errors()?;
    let (_, first) = errors.first()?;
    let is_alone = *error == RedisError::from(first.clone());
    // Of a transaction that was aborted nothing was executed.
    let was_aborted = error.code() == Some("EXECABORT");
    Some(Answered {
        code: first.code().to_string(),
        details: first.details().unwrap_or_default().to_string(),
        is_part: !is_alone && !was_aborted,
    })
}

/// Returns the meaning of an error reply to a command of a program.
fn of_answer(code: &str, details: &str) -> BackendError {
    let (kind, message) = match code {
        // The command has done nothing, and the next call goes to the right node.
        "MOVED" | "ASK" => (
            ErrorKind::Unavailable,
            format!("the hash slot of a key is on another node ({code})"),
        ),
        "CROSSSLOT" => (
            ErrorKind::InvalidKey,
            "the keys of a command are in several hash slots (CROSSSLOT)".to_string(),
        ),
        _ => return refusal(&format!("{code} {details}").as_str().into()),
    };
    BackendError::new(kind, message)
}

impl BackendError {
    /// Turns an error of a command by a [`RedisConnection`] into one of this library.
    ///
    /// A failure on the way keeps its kind, and whether the [outcome is
    /// unknown](Self::outcome_unknown). Of a server's answer the code word alone is kept, as the
    /// rest may show what was sent. This is no `From`, which would be there or not as other crates
    /// turn the feature on.
    ///
    /// The outcome is unknown as well if a command of a pipeline was refused, because others of it
    /// may have been executed, and if a command was executed whose answer isn't of the type that
    /// was asked for. What a script of yours, or a command of a transaction, did before the one
    /// that was refused isn't told: the refusal looks like that of a single command.
    ///
    /// # Examples
    ///
    /// ```no_run
    /// use redis::AsyncCommands;
    /// use reinhardt_backends::{BackendError, BackendResult, RedisBackend, redis};
    ///
    /// async fn rank(backend: &RedisBackend, name: &str) -> BackendResult<Option<u64>> {
    ///     let mut redis = backend.connection().await?;
    ///     let rank = redis.zrevrank(backend.redis_key("leaders"), name);
    ///     rank.await.map_err(BackendError::from_redis)
    /// }
    /// ```
    pub fn from_redis(error: RedisError) -> Self {
        if let Some(ours) = inside(&error) {
            return ours.clone();
        }
        if let Some(answered) = answered(&error) {
            return of_answer(&answered.code, &answered.details).after(answered.is_part);
        }
        let kind = match error.kind() {
            RedisErrorKind::AuthenticationFailed => ErrorKind::Denied,
            RedisErrorKind::InvalidClientConfig => ErrorKind::InvalidConfig,
            RedisErrorKind::Parse | RedisErrorKind::UnexpectedReturnType => ErrorKind::Decode,
            RedisErrorKind::Client => ErrorKind::Unsupported,
            RedisErrorKind::Io => ErrorKind::Unavailable,
            _ => ErrorKind::Other,
        };
        // The text of other errors may show what was sent.
        let said = error.to_string();
        let is_ours = [REFUSED, DENIED, INVALID]
            .iter()
            .any(|words| said.starts_with(words));
        let detail = error.detail().filter(|_| is_ours);
        let error = Self::new(kind, detail.unwrap_or(error.category()).to_string());
        error.after(kind == ErrorKind::Decode)
    }
}
