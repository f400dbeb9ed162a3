//! The rest of Redis: a connection for the commands of the crate redis.

mod table;

use std::error::Error;
use std::fmt;
use std::io;
use std::sync::Arc;

use redis::aio::ConnectionLike;
use redis::{
    Arg, Cmd, ErrorKind as RedisErrorKind, Pipeline, RedisError, RedisFuture, RedisResult,
};
use redis::{Value, parse_redis_value};

use self::table::Words;
use super::RedisBackend;
use super::client::{Client, ErrorReply, Raw, Reply, refusal, slot};
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
    /// All connections that this gives out are one, with those of the backend's clones, and it is
    /// not the one that sessions and keyspaces use. It has the same address, TLS, login, limits and
    /// routing. So ask for one as often as you like; it is made by the first call, and made anew
    /// when it is lost. [`close`](Self::close) closes it too.
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
    /// No key of a typed keyspace is named so by accident: those begin with the prefix of the
    /// keyspace and a colon. `clear` removes what is named so with the rest of the namespace.
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
        let client = self.beside.get_or_init(make).clone();
        // Closed before there was one beside it.
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
            let mut raw = Raw {
                packed: cmd.get_packed_command(),
                replies: None,
                slot: None,
                may_be_redirected: !words.runs_script(),
            };
            if !self.is_cluster().await? {
                return value(self.send(raw).await?);
            }
            if words.loads_script() {
                let reply = self.client.raw_on_each_node(raw).await;
                return value(reply.map_err(failure)?);
            }
            raw.slot = Some(slot_of(&words)?);
            value(self.send(raw).await?)
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
            if all.is_empty() {
                let nothing = pipeline.is_transaction().then(|| Value::Array(Vec::new()));
                return Ok(nothing.into_iter().collect());
            }
            let slot = match self.is_cluster().await? {
                true => Some(common_slot(&all)?),
                false => None,
            };
            let raw = Raw {
                packed: pipeline.get_packed_pipeline(),
                replies: Some(offset + count),
                slot,
                may_be_redirected: false,
            };
            let Reply::Array(replies) = self.send(raw).await? else {
                return Err(unreadable());
            };
            let mut values = replies.into_iter().map(value);
            for passed in values.by_ref().take(offset) {
                // What refuses a command of a transaction ends all of it: it tells more than that.
                passed?.extract_error()?;
            }
            values.collect()
        })
    }

    fn get_db(&self) -> i64 {
        self.database
    }
}

impl RedisConnection {
    async fn is_cluster(&self) -> RedisResult<bool> {
        self.client.is_cluster().await.map_err(failure)
    }

    async fn send(&self, raw: Raw) -> RedisResult<Reply> {
        self.client.raw(raw).await.map_err(failure)
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

/// Returns the hash slot of a command for a cluster.
fn slot_of(words: &Words<'_>) -> RedisResult<u16> {
    words.first_key().map(slot).ok_or_else(|| {
        let name = words.name();
        refused(format!(
            "`{name}` without a key on a cluster: a key says which node is asked"
        ))
    })
}

/// Returns the hash slot of several commands for a cluster.
fn common_slot(commands: &[Words<'_>]) -> RedisResult<u16> {
    let slots = commands.iter().map(slot_of);
    let slots = slots.collect::<RedisResult<Vec<u16>>>()?;
    match slots.windows(2).all(|pair| pair[0] == pair[1]) {
        true => Ok(slots[0]),
        false => Err(refused(
            "commands for several hash slots in one pipeline: give their keys a common `{tag}`, or \
             send one pipeline for each"
                .to_string(),
        )),
    }
}

/// The words that errors of this module begin with. What follows shows nothing that was sent.
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

impl BackendError {
    /// Turns an error of a command by a [`RedisConnection`] into one of this library.
    ///
    /// What failed on the way is what it was: the kind, and whether the
    /// [outcome is unknown](Self::outcome_unknown). Of a server's answer the code word alone is
    /// kept, as the rest may show what was sent. It is no `From`, which would be there or not as
    /// other crates turn the feature on.
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
        let kind = match error.kind() {
            RedisErrorKind::Server(_) | RedisErrorKind::Extension => {
                return refusal(&error.code().unwrap_or_default().into());
            }
            RedisErrorKind::AuthenticationFailed => ErrorKind::Denied,
            RedisErrorKind::InvalidClientConfig => ErrorKind::InvalidConfig,
            RedisErrorKind::Parse | RedisErrorKind::UnexpectedReturnType => ErrorKind::Decode,
            RedisErrorKind::Client => ErrorKind::Unsupported,
            RedisErrorKind::Io => ErrorKind::Unavailable,
            _ => ErrorKind::Other,
        };
        // Of other errors the rest may show what was sent.
        let said = error.to_string();
        let is_ours = [REFUSED, DENIED, INVALID]
            .iter()
            .any(|words| said.starts_with(words));
        let detail = error.detail().filter(|_| is_ours);
        Self::new(kind, detail.unwrap_or(error.category()).to_string())
    }
}
