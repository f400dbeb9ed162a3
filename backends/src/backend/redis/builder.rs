//! Setting up a Redis backend.

use std::error::Error;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use super::RedisBackend;
use super::client::{self, Client, ClientIdentity, ClientLimits, Servers, Tls};
use super::commands::Commands;
use super::credentials::{Credentials, Provider};
use super::read_from::ReadFrom;
use super::unknown_commands::Missing;
use super::url::address::check_server;
use super::url::errors::invalid;
use super::url::servers;
use crate::backend::store::{Instance, Limits};
use crate::error::BackendResult;
use crate::escape::escape;

/// Sets up a [`RedisBackend`].
///
/// | setting | unless set | meaning |
/// |---|---|---|
/// | [`url`](Self::url), [`client`](Self::client) | `redis://localhost:6379` | the server, and a login that stays |
/// | `tls` (feature `tls`) | the system's authorities | the terms of TLS, where the address asks for it |
/// | [`credentials`](Self::credentials) | none | a closure that returns the login, where that changes |
/// | [`client_name`](Self::client_name) | none | the name of the connections in `CLIENT LIST` |
/// | [`namespace`](Self::namespace), [`namespace_none`](Self::namespace_none) | `reinhardt` | the text before every key |
/// | [`connect_timeout`](Self::connect_timeout) | 2 s | the limit of an attempt to connect |
/// | [`call_timeout`](Self::call_timeout) | 1 s | the limit of a call |
/// | [`keep_alive`](Self::keep_alive) | 30 s | the silence after which a server is asked whether it is there |
/// | [`waiting_limit`](Self::waiting_limit) | 10,000 | the most calls that may wait |
/// | [`waiting_bytes`](Self::waiting_bytes) | 64 MiB | the most bytes that they may send |
/// | [`key_limit`](Self::key_limit) | 1 KiB | the longest key |
/// | [`value_limit`](Self::value_limit) | 16 MiB | the largest encoded value |
///
/// # Examples
///
/// ```no_run
/// use reinhardt_backends::RedisBackend;
/// use std::time::Duration;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> reinhardt_backends::BackendResult<()> {
/// let backend = RedisBackend::builder()
///     .url("redis://user:password@localhost:6379/2")
///     .namespace("shop")
///     .call_timeout(Duration::from_millis(250))
///     .build()
///     .await?;
/// # Ok(()) }
/// ```
#[derive(Clone)]
#[must_use]
pub struct RedisBackendBuilder {
    server: ServerSource,
    tls: Option<Tls>,
    provider: Option<Provider>,
    client_name: Option<String>,
    namespace: Option<String>,
    times: ClientLimits,
    waiting_bytes: Option<usize>,
    limits: Limits,
}

/// The bytes that may wait unless the program says otherwise.
const WAITING_BYTES: usize = 64 * 1024 * 1024;
/// Nobody waits longer, whatever a program asks for.
const LONGEST: Duration = Duration::from_secs(24 * 3600);

#[derive(Clone)]
enum ServerSource {
    Url(String),
    Client(Box<redis::Client>),
}

impl Default for RedisBackendBuilder {
    fn default() -> Self {
        Self {
            server: ServerSource::Url("redis://localhost:6379".to_string()),
            tls: None,
            provider: None,
            client_name: None,
            namespace: Some("reinhardt".to_string()),
            times: ClientLimits {
                connect: Duration::from_secs(2),
                call: Duration::from_secs(1),
                keep_alive: Duration::from_secs(30),
                waiting: 10_000,
                waiting_bytes: WAITING_BYTES,
            },
            waiting_bytes: None,
            limits: Limits::default(),
        }
    }
}

impl RedisBackendBuilder {
    /// Names the server; `redis://localhost:6379` unless set.
    ///
    /// | URL | server |
    /// |---|---|
    /// | `redis://[user][:password@]host[:port][/database]` | a name, an IPv4 address or an IPv6 address in brackets; port 6379 and database 0 unless given |
    /// | `rediss://..` | the same by TLS (feature `tls`): the type `Tls` says what is trusted |
    /// | `unix:///path` | a unix socket |
    /// | `redis-cluster://[user][:password@]host[:port],host[:port]..` | some nodes of a cluster; `rediss-cluster://` by TLS |
    /// | `redis-sentinel://[user][:password@]host[:port],host[:port]../service[/database]` | the primary that the sentinels name; port 26379 unless given; `rediss-sentinel://` by TLS |
    ///
    /// `valkey://`, `valkeys://`, `redis+unix://`, `valkey+unix://`, `valkey-cluster://`,
    /// `redis+cluster://` and `valkey-sentinel://` are read as well.
    ///
    /// A plain URL of any node of a cluster is enough: the node says that it is one, and where the
    /// other nodes are. A URL that names several nodes works while some of them are down.
    ///
    /// | parameter | URL | meaning |
    /// |---|---|---|
    /// | `db=3` | all | the database, where the path names none |
    /// | `user=app`, `pass=secret` | `unix://` | the login |
    /// | `sentinel_username=app`, `sentinel_password=secret` | `redis-sentinel://` | the login of the sentinels |
    /// | `protocol=2`, `protocol=3` (or `resp2`, `resp3`) | all | the protocol: RESP3 unless given |
    ///
    /// Special characters of users, passwords and paths are percent-encoded: `%40` stands for `@`.
    /// In a parameter, `+` stands for a space and `%2B` for a plus sign. A user without a password
    /// logs in with an empty one, and a password without a user is that of the user `default`.
    ///
    /// [`build`](Self::build) refuses everything else (`InvalidConfig`): other schemes, a cluster's
    /// database other than 0, Sentinel without a service, other parameters, parameters and
    /// databases that are given twice, and fragments, with `#insecure` among them. The error names
    /// the scheme or the parameter, and shows no other part of the URL.
    pub fn url(mut self, url: &str) -> Self {
        self.server = ServerSource::Url(url.to_string());
        self
    }

    /// Takes the server and the settings of a client of redis-rs, in place of a URL.
    ///
    /// | of the client | in the backend |
    /// |---|---|
    /// | address | used; one of TLS with the feature `tls`; one that is `insecure` is `InvalidConfig` |
    /// | certificates for TLS | never used, because they can't be read: `InvalidConfig` unless `tls` is set as well |
    /// | user, password, database | used; a login together with [`credentials`](Self::credentials) is `InvalidConfig` |
    /// | protocol | used: RESP2, the default of redis-rs, unless the client was told RESP3 (`?protocol=resp3`) |
    /// | `TcpSettings` | `TCP_NODELAY`, keep-alive and user timeout are used where they are set; the linger time is lost, because it can't be read |
    /// | library name and version | used; with `set_skip_set_lib_name` none is sent |
    ///
    /// Prefer RESP3 on servers that know it: a backend with a URL speaks RESP3.
    ///
    /// The rest of redis-rs' settings belongs to connections and not to their client, and is never
    /// taken over: time limits, retries, credentials providers, DNS resolvers, push senders and
    /// client-side caches. The time limits are those of this builder.
    ///
    /// # Examples
    ///
    /// ```no_run
    /// use reinhardt_backends::RedisBackend;
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let client = redis::Client::open("redis://localhost:6379/?protocol=resp3")?;
    /// let backend = RedisBackend::builder().client(client).namespace("shop").build().await?;
    /// # Ok(()) }
    /// ```
    pub fn client(mut self, client: redis::Client) -> Self {
        self.server = ServerSource::Client(Box::new(client));
        self
    }

    /// Sets up TLS for a URL that begins with `rediss://` or `valkeys://`, or a client
    /// whose address asks for TLS; [`Tls::system`] unless set.
    ///
    /// With any other address [`build`](Self::build) is `InvalidConfig`.
    #[cfg(feature = "tls")]
    pub fn tls(mut self, tls: Tls) -> Self {
        self.tls = Some(tls);
        self
    }

    /// Asks a closure for the login, in place of one in the URL: for passwords and tokens that
    /// change while the program runs.
    ///
    /// The closure is asked when a connection is to be made and there is no login that still holds;
    /// so not before the first call with [`build_lazy`](Self::build_lazy). It is asked once at a
    /// time, for the backend and all of its clones and runtimes, on the runtime that needs a login
    /// first. A question has the time of [`connect_timeout`](Self::connect_timeout), which is part
    /// of the attempt to connect; after that its future is dropped. A runtime that ends with a
    /// question holds up no other runtime. A runtime that stands still, because something blocks
    /// its thread, holds the others up for half a second: then another runtime asks.
    ///
    /// | credentials | used | asked for again |
    /// |---|---|---|
    /// | with [`valid_for`](Credentials::valid_for) | by all connections, until they end | after seven to eight tenths of their life, by chance, while there is a connection; and once a server has refused them |
    /// | without | by the attempts to connect that wait for them | for each attempt to connect |
    ///
    /// Before the old credentials end, connections that are up log in again (`AUTH`) with the
    /// returned ones, among the requests of all callers: no call waits for the login or fails by
    /// it. If the closure fails then, or the server refuses the returned credentials, the closure
    /// is asked again after a tenth of the time for which the old credentials still hold, 100 ms at
    /// least and a minute at most, up to a fifth less by chance. Connections go on with the old
    /// credentials meanwhile. A connection whose credentials have ended takes no further requests:
    /// the next call connects anew.
    ///
    /// All connections share what one of them learns. Where a server refuses credentials that were
    /// asked for earlier (`WRONGPASS`, `NOAUTH`), the same attempt asks once more and logs in with
    /// the credentials that are returned. If these are refused too, calls are `Denied`, and each
    /// further attempt asks again; attempts are as far apart as in any outage. A connection on
    /// which a request is answered with `NOAUTH` is replaced.
    ///
    /// The closure is the program's own code. No lock is held while it runs; a panic is an error.
    /// Without a connection nothing runs. What runs ends with the last clone of the backend, or, if
    /// an attempt to connect waits for it, with that attempt.
    ///
    /// # Errors
    ///
    /// If there is no login that holds, calls fail with
    ///
    /// * `Unavailable` if the closure fails, panics, doesn't answer in time, or returns credentials
    ///   that have ended already. The closure's own error is neither shown nor kept as `source()`,
    ///   because it may hold a secret: log it in the closure.
    /// * `InvalidConfig` if the closure returns an empty user or an empty password. Nothing is sent
    ///   then.
    ///
    /// [`build`](Self::build) tells both, and is `InvalidConfig` where the URL or the client has a
    /// login as well.
    ///
    /// # Examples
    ///
    /// ```no_run
    /// use reinhardt_backends::{Credentials, RedisBackend};
    /// use std::time::Duration;
    ///
    /// # async fn token() -> std::io::Result<String> { Ok(String::new()) }
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> reinhardt_backends::BackendResult<()> {
    /// let backend = RedisBackend::builder()
    ///     .url("redis://cache.example:6379")
    ///     .credentials(|| async {
    ///         Ok(Credentials::new("app", token().await?).valid_for(Duration::from_secs(900)))
    ///     })
    ///     .build()
    ///     .await?;
    /// # Ok(()) }
    /// ```
    pub fn credentials<P, F>(mut self, provider: P) -> Self
    where
        P: Fn() -> F + Send + Sync + 'static,
        F: Future<Output = Result<Credentials, Box<dyn Error + Send + Sync>>> + Send + 'static,
    {
        self.provider = Some(Provider::new(provider));
        self
    }

    /// Sets the name by which the server's `CLIENT LIST` shows the connections (`CLIENT SETNAME`);
    /// none unless set.
    ///
    /// The name goes with [`url`](Self::url) and [`client`](Self::client), in RESP3 and in RESP2. A
    /// user that may not set a name, and a server that doesn't know the command, are greeted all
    /// the same. [`build`](Self::build) refuses a name that no server takes (`InvalidConfig`): an
    /// empty name, and a name with anything but the visible characters of ASCII in it, so no
    /// spaces.
    ///
    /// # Examples
    ///
    /// ```no_run
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> reinhardt_backends::BackendResult<()> {
    /// use reinhardt_backends::RedisBackend;
    ///
    /// let backend = RedisBackend::builder().client_name("shop-web").build().await?;
    /// # Ok(()) }
    /// ```
    pub fn client_name(mut self, name: &str) -> Self {
        self.client_name = Some(name.to_string());
        self
    }

    /// Sets the text that every key begins with, before a colon; `reinhardt` unless set. The text
    /// is escaped as key segments are.
    pub fn namespace(mut self, namespace: &str) -> Self {
        self.namespace = Some(namespace.to_string());
        self
    }

    /// Writes keys as they are, for a key space that is shared with other programs.
    ///
    /// `clear` and `clear_prefix("")` are `Unsupported` then, because nothing says which keys are
    /// this backend's.
    pub fn namespace_none(mut self) -> Self {
        self.namespace = None;
        self
    }

    /// Limits one attempt to connect, greeting and login included; 2 s unless set, a day at most.
    pub fn connect_timeout(mut self, limit: Duration) -> Self {
        self.times.connect = limit.min(LONGEST);
        self
    }

    /// Limits one call, queueing and reconnecting included; 1 s unless set, a day at most. A call
    /// that takes several round trips (`clear`, `scan`, more than 1,000 keys at once) has this
    /// limit for each of them.
    pub fn call_timeout(mut self, limit: Duration) -> Self {
        self.times.call = limit.min(LONGEST);
        self
    }

    /// Sets the silence after which a connection is asked whether it is still there; 30 s unless
    /// set.
    ///
    /// Load balancers and firewalls forget connections that were silent for a while (60 s and 350 s
    /// are usual), and tell nobody. So a connection that was silent for so long sends a `PING`
    /// before anything else, also while nobody calls, and has the kernel probe it (TCP keep-alive,
    /// three times, a third of this time apart). The kernel's probes are those of a
    /// [`client`](Self::client) where it sets some. On a unix socket there is the `PING` alone.
    ///
    /// Each `PING` is a command that wakes a server: less than a few seconds helps nobody.
    /// [`build`](Self::build) refuses less than a second (`InvalidConfig`), because TCP counts
    /// seconds. A day is the most.
    pub fn keep_alive(mut self, silence: Duration) -> Self {
        self.times.keep_alive = silence.min(LONGEST);
        self
    }

    /// Limits the number of calls that may wait at once; 10,000 unless set. One call more is
    /// `Unavailable` at once.
    pub fn waiting_limit(mut self, calls: usize) -> Self {
        self.times.waiting = calls;
        self
    }

    /// Limits the bytes that all waiting calls together may send, keys and values included; 64 MiB
    /// unless set, or the [`value_limit`](Self::value_limit) if that is more. One call more is
    /// `Unavailable` at once. A call that waits alone may send more.
    ///
    /// This bounds the memory of requests on their way to a server that is slow or can't be
    /// reached.
    pub fn waiting_bytes(mut self, bytes: usize) -> Self {
        self.waiting_bytes = Some(bytes);
        self
    }

    /// Sets the longest key, in bytes, namespace not counted; 1 KiB unless set.
    pub fn key_limit(mut self, bytes: usize) -> Self {
        self.limits.key = bytes;
        self
    }

    /// Sets the largest encoded value, in bytes; 16 MiB unless set.
    pub fn value_limit(mut self, bytes: usize) -> Self {
        self.limits.value = bytes;
        self
    }

    /// Connects.
    ///
    /// # Errors
    ///
    /// `InvalidConfig` for settings that can't be right; `Unavailable`, `Timeout`, `Denied` or
    /// `Unsupported` if there is no connection to be had.
    pub async fn build(self) -> BackendResult<RedisBackend> {
        let backend = self.build_lazy()?;
        backend.commands.client.connect().await?;
        Ok(backend)
    }

    /// Checks the settings and leaves connecting to the first call.
    ///
    /// # Errors
    ///
    /// `InvalidConfig`.
    pub fn build_lazy(self) -> BackendResult<RedisBackend> {
        let servers = match &self.server {
            ServerSource::Url(url) => servers(url)?,
            ServerSource::Client(client) => {
                let server = client.get_connection_info();
                check_server(server, "client", self.tls.is_some())?;
                Servers::one(server.clone())
            }
        };
        let login = servers.first.redis_settings();
        if self.provider.is_some() && (login.username().is_some() || login.password().is_some()) {
            return Err(invalid(
                "`credentials` is set, and the URL or the client has a login of its own",
            ));
        }
        self.check_name_and_silence()?;
        let servers = servers.try_map(|server| {
            client::Endpoint::new(server, self.tls.clone(), self.times.keep_alive)
        })?;
        self.check_limits()?;
        let limits = ClientLimits {
            waiting_bytes: self.most_waiting_bytes()?,
            ..self.times
        };
        let prefix = self.prefix()?;
        let identity = ClientIdentity {
            name: self.client_name,
            provider: self.provider,
        };
        Ok(RedisBackend {
            reads: ReadFrom::Primary,
            commands: Arc::new(Commands {
                client: Client::new(servers, identity, limits),
                prefix,
                limits: self.limits,
                instance: Instance::unique(),
                missing: Missing::default(),
                #[cfg(feature = "redis-commands")]
                other: std::sync::OnceLock::new(),
            }),
        })
    }

    fn check_name_and_silence(&self) -> BackendResult<()> {
        if let Some(name) = &self.client_name {
            check_client_name(name)?;
        }
        if self.times.keep_alive < Duration::from_secs(1) {
            return Err(invalid("`keep_alive` is less than a second"));
        }
        Ok(())
    }

    fn check_limits(&self) -> BackendResult<()> {
        if self.times.connect.is_zero() || self.times.call.is_zero() {
            return Err(invalid("a time limit is zero"));
        }
        if self.times.waiting == 0 {
            return Err(invalid("no call may wait"));
        }
        Ok(())
    }

    /// Returns the most bytes that may wait. The largest value that is allowed fits in there.
    fn most_waiting_bytes(&self) -> BackendResult<usize> {
        let value = self.limits.value;
        let bytes = self.waiting_bytes.unwrap_or(WAITING_BYTES.max(value));
        if bytes < value {
            return Err(invalid(format!(
                "`waiting_bytes` is {bytes}, less than the limit of a value, {value} bytes"
            )));
        }
        Ok(bytes)
    }

    /// Returns the text before every key.
    fn prefix(&self) -> BackendResult<String> {
        match self.namespace.as_deref() {
            Some("") => Err(invalid("the namespace is empty: use `namespace_none`")),
            Some(namespace) => Ok(format!("{}:", escape(namespace))),
            None => Ok(String::new()),
        }
    }
}

/// Checks a name by the rule of the servers: with a space or a line break in it `CLIENT LIST` could
/// not be read.
fn check_client_name(name: &str) -> BackendResult<()> {
    if name.is_empty() {
        return Err(invalid("`client_name` is empty"));
    }
    if !name.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(invalid(
            "`client_name` has a character in it that no server takes there: a space, a control \
             character, or one outside of ASCII",
        ));
    }
    Ok(())
}

/// Leaves the URL out, which may hold a password.
impl fmt::Debug for RedisBackendBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RedisBackendBuilder")
            .field("client_name", &self.client_name)
            .field("namespace", &self.namespace)
            .field("times", &self.times)
            .field("limits", &self.limits)
            .finish_non_exhaustive()
    }
}
