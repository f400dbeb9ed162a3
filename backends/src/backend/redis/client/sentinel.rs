//! Sentinel: the processes that watch the servers of a service, and say which one is its primary.
//!
//! All sentinels are asked side by side, and most answers decide: one that was cut off may name the
//! primary of before. The role of the server that they name is checked when it greets. Each
//! connection to a primary has a watcher beside it, which listens to one sentinel: a switch ends
//! the connections to the primary before, even if that one still answers
//! (<https://redis.io/docs/latest/develop/reference/sentinel-clients/>).

use std::pin::pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::StreamExt;
use futures_util::future::{Either, select};
use futures_util::stream::FuturesUnordered;
use parking_lot::Mutex;
use redis::{ProtocolVersion, RedisConnectionInfo};

use super::deadline::Deadlines;
use super::dial::{Place, dial, failure};
use super::endpoint::{Address, Endpoint};
use super::handshake::{Conversation, Greeted, Identity, Kind};
use super::login::Login;
use super::logins::Task;
use super::refusal::refusal;
use super::resp::{Command, Reply};
use crate::error::{BackendError, BackendResult, ErrorKind};

/// The time for the other answers, once a sentinel has answered.
const PATIENCE: Duration = Duration::from_millis(200);
/// While a server doesn't greet, the sentinels are asked at this interval whether they name another
/// one by now.
const INTERVAL: Duration = Duration::from_millis(250);
/// The pause before another sentinel is listened to.
const PAUSE: Duration = Duration::from_millis(500);
/// The time within which all sentinels have heard of a switch: until then the primary that was left
/// is nobody's.
const SPREAD: Duration = Duration::from_secs(5);
/// After such a silence a sentinel that is listened to is asked whether it is there.
const SILENCE: Duration = Duration::from_secs(10);
/// The channel on which a sentinel tells that a service has another primary.
const SWITCHED: &str = "+switch-master";
/// The channel on which the sentinel that leads a failover tells that a replica has become the
/// primary: some seconds before it tells of the switch, and as soon as the others do.
const PROMOTED: &str = "+promoted-slave";

/// A service that sentinels watch, and the login that they demand.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Service {
    pub(crate) name: String,
    pub(crate) user: Option<String>,
    pub(crate) password: Option<String>,
}

/// The answers of all sentinels.
struct Poll {
    /// The primary that more than half of them name.
    elected: Option<Address>,
    /// The primary that most of those name that have answered.
    first: Option<Address>,
    /// The most telling failure.
    failed: Option<BackendError>,
}

/// The sentinels of a service.
pub(super) struct Sentinels {
    service: String,
    servers: Vec<(Endpoint, Place)>,
    /// The service's servers, but for their address.
    pattern: Endpoint,
    settings: RedisConnectionInfo,
    login: Option<Login>,
    client_name: Option<String>,
    /// The primary that the last switch has left, and the time of that.
    left: Mutex<Option<(Address, Instant)>>,
}

impl Sentinels {
    /// `pattern` has the settings of the service's servers, but for their address.
    pub(super) fn new(
        service: Service,
        pattern: &Endpoint,
        servers: Vec<Endpoint>,
        client_name: Option<String>,
    ) -> Self {
        // What is told on a channel is an answer there, and one of its kind in RESP3.
        let settings = RedisConnectionInfo::default().set_protocol(ProtocolVersion::RESP2);
        let login = match &service.user {
            Some(user) => settings.clone().set_username(user),
            None => settings.clone(),
        };
        let login = match &service.password {
            Some(password) => login.set_password(password),
            None => login,
        };
        Self {
            servers: servers
                .into_iter()
                .map(|server| {
                    let place = Place::of(&server);
                    (server, place)
                })
                .collect(),
            login: Login::of(&login),
            service: service.name,
            pattern: pattern.clone(),
            settings,
            client_name,
            left: Mutex::default(),
        }
    }

    /// Returns the place of the primary, as long as nobody has said where it is.
    pub(super) fn place(&self) -> Place {
        Place::of_service(&self.service, &self.pattern)
    }

    /// Connects to the primary within a limit.
    pub(super) async fn reach(
        &self,
        identity: Identity<'_>,
        limit: Duration,
        deadlines: &Deadlines,
        is_judging: bool,
    ) -> BackendResult<(Greeted, Address)> {
        let by = Instant::now() + limit;
        let mut address = self.primary(limit, deadlines, is_judging).await?;
        loop {
            let server = self.pattern.at(&address)?;
            let place = Place::of(&server);
            let left = by.saturating_duration_since(Instant::now());
            let dialing = dial(&server, identity, &place, left, deadlines, false);
            let outcome = {
                let other = self.other_than(&address, by, deadlines);
                match select(pin!(dialing), pin!(other)).await {
                    Either::Left((outcome, _)) => Ok(outcome),
                    Either::Right((other, _)) => Err(other),
                }
            };
            match outcome {
                Ok(Ok(_)) if self.was_left(&address) => {
                    let left = by.saturating_duration_since(Instant::now());
                    address = self.primary(left, deadlines, false).await?;
                }
                Ok(Ok(greeted)) => return Ok((greeted, address)),
                Ok(Err(error)) => return Err(self.named(&error)),
                Err(other) => address = other,
            }
        }
    }

    /// Says who has named the server of a failure.
    fn named(&self, error: &BackendError) -> BackendError {
        let service = &self.service;
        let message = format!(
            "{}: the sentinels name it as the primary of `{service}`",
            error.message()
        );
        BackendError::new(error.kind(), message)
    }

    /// Waits until more than half of the sentinels name another primary.
    async fn other_than(&self, address: &Address, by: Instant, deadlines: &Deadlines) -> Address {
        loop {
            deadlines.sleep(INTERVAL).await;
            let left = by.saturating_duration_since(Instant::now());
            let named = self.poll(left.max(INTERVAL), deadlines, false).await;
            if let Some(other) = named.elected.filter(|other| other != address) {
                return other;
            }
        }
    }

    /// Asks all sentinels for the address of the primary, and goes by most answers.
    ///
    /// # Errors
    ///
    /// The most telling failure, if no sentinel names one.
    async fn primary(
        &self,
        limit: Duration,
        deadlines: &Deadlines,
        is_judging: bool,
    ) -> BackendResult<Address> {
        let poll = self.poll(limit, deadlines, is_judging).await;
        match (poll.elected.or(poll.first), poll.failed) {
            (Some(address), _) => Ok(address),
            (None, Some(error)) if error.kind() == ErrorKind::InvalidConfig && is_judging => {
                Err(error)
            }
            (None, failed) => Err(self.unknown(failed.as_ref(), limit)),
        }
    }

    /// Asks all sentinels for the address of the primary.
    async fn poll(&self, limit: Duration, deadlines: &Deadlines, is_judging: bool) -> Poll {
        let asked = self.servers.iter();
        let asked = asked.map(|at| self.ask(at, limit, deadlines, is_judging));
        let mut asked: FuturesUnordered<_> = asked.collect();
        let mut votes: Vec<(Address, usize)> = Vec::new();
        let mut failed: Option<BackendError> = None;
        let mut by = Instant::now() + limit;
        loop {
            let left = by.saturating_duration_since(Instant::now());
            let pause = pin!(deadlines.sleep(left));
            match select(asked.next(), pause).await {
                Either::Left((Some(Ok(address)), _)) => {
                    if self.was_left(&address) {
                        failed.get_or_insert_with(|| self.behind());
                        continue;
                    }
                    by = by.min(Instant::now() + PATIENCE);
                    let known = votes.iter().position(|(known, _)| *known == address);
                    let known = known.unwrap_or_else(|| {
                        votes.push((address, 0));
                        votes.len() - 1
                    });
                    votes[known].1 += 1;
                    if votes[known].1 * 2 > self.servers.len() {
                        return Poll {
                            elected: Some(votes.swap_remove(known).0),
                            first: None,
                            failed,
                        };
                    }
                }
                Either::Left((Some(Err(error)), _)) => {
                    // One that answers and is of no use tells more than one that isn't there.
                    let silence = [ErrorKind::Unavailable, ErrorKind::Timeout];
                    if failed.is_none() || !silence.contains(&error.kind()) {
                        failed = Some(error);
                    }
                }
                Either::Left((None, _)) | Either::Right(_) => break,
            }
        }
        votes.sort_by_key(|(_, votes)| std::cmp::Reverse(*votes));
        Poll {
            elected: None,
            first: votes.into_iter().next().map(|(address, _)| address),
            failed,
        }
    }

    fn unknown(&self, failed: Option<&BackendError>, limit: Duration) -> BackendError {
        let service = &self.service;
        let (kind, reason) = match failed {
            Some(error) if error.kind() == ErrorKind::InvalidConfig => {
                (ErrorKind::Unavailable, error.message().to_string())
            }
            Some(error) => (error.kind(), error.message().to_string()),
            None => (
                ErrorKind::Timeout,
                format!("none has answered within {limit:?}"),
            ),
        };
        let message = format!("no sentinel names the primary of `{service}`: {reason}");
        BackendError::new(kind, message)
    }

    /// Makes the error of sentinels that haven't heard of a switch yet.
    fn behind(&self) -> BackendError {
        let message = "those that answer have not heard of the last switch yet";
        BackendError::new(ErrorKind::Unavailable, message)
    }

    /// Says whether a switch has left this primary so lately that some may not have heard of it.
    fn was_left(&self, address: &Address) -> bool {
        let mut left = self.left.lock();
        if left.as_ref().is_some_and(|(_, at)| at.elapsed() > SPREAD) {
            *left = None;
        }
        left.as_ref().is_some_and(|(left, _)| left == address)
    }

    /// Asks a sentinel for the address of the primary.
    async fn ask(
        &self,
        at: &(Endpoint, Place),
        limit: Duration,
        deadlines: &Deadlines,
        is_judging: bool,
    ) -> BackendResult<Address> {
        let mut conversation = self.greet(at, limit, deadlines, is_judging).await?;
        self.ask_by(&mut conversation, &at.1).await
    }

    async fn ask_by(
        &self,
        conversation: &mut Conversation,
        place: &Place,
    ) -> BackendResult<Address> {
        let service = &self.service;
        let ask = Command::new("SENTINEL").args(["GET-MASTER-ADDR-BY-NAME", service]);
        match conversation.ask(&[ask]).await.pop() {
            Some(Reply::Array(parts)) => address(&parts).ok_or_else(|| {
                let message = format!("{place} names the primary of `{service}` by no address");
                BackendError::new(ErrorKind::Unavailable, message)
            }),
            Some(Reply::Nil) => {
                let message = format!("the sentinel {place} knows no service `{service}`");
                Err(BackendError::new(ErrorKind::InvalidConfig, message))
            }
            Some(Reply::Error(refused)) => {
                let refused = refusal(&refused);
                let message = format!("{place}: {}", refused.message());
                Err(BackendError::new(refused.kind(), message))
            }
            Some(_) | None => Err(failure(place, std::io::ErrorKind::ConnectionAborted.into())),
        }
    }

    async fn greet(
        &self,
        (server, place): &(Endpoint, Place),
        limit: Duration,
        deadlines: &Deadlines,
        is_judging: bool,
    ) -> BackendResult<Conversation> {
        let identity = Identity {
            settings: &self.settings,
            login: self.login.as_ref(),
            client_name: self.client_name.as_deref(),
            kind: Kind::Sentinel,
        };
        let greeted = dial(server, identity, place, limit, deadlines, is_judging).await?;
        Ok(Conversation::over(greeted))
    }

    /// Begins to listen for a switch away from a primary, on the present runtime, until what is
    /// returned is dropped. `switched` is told the primary that was left, once.
    pub(super) fn watch(
        self: &Arc<Self>,
        primary: Address,
        limit: Duration,
        deadlines: &'static Deadlines,
        switched: impl Fn(&Address) + Send + 'static,
    ) -> Task {
        let sentinels = self.clone();
        let watcher = async move {
            sentinels.await_switch(&primary, limit, deadlines).await;
            switched(&primary);
        };
        Task(tokio::spawn(watcher).abort_handle())
    }

    async fn await_switch(
        &self,
        primary: &Address,
        limit: Duration,
        deadlines: &'static Deadlines,
    ) {
        let mut next = fastrand::usize(..self.servers.len());
        loop {
            let at = &self.servers[next % self.servers.len()];
            next += 1;
            if self
                .listen(at, primary, limit, deadlines)
                .await
                .is_some_and(|other| other != *primary)
            {
                *self.left.lock() = Some((primary.clone(), Instant::now()));
                return;
            }
            deadlines.sleep(PAUSE).await;
        }
    }

    /// Listens to a sentinel until it names another primary; nothing if the connection ends before.
    async fn listen(
        &self,
        at: &(Endpoint, Place),
        primary: &Address,
        limit: Duration,
        deadlines: &'static Deadlines,
    ) -> Option<Address> {
        let mut conversation = self.greet(at, limit, deadlines, false).await.ok()?;
        let subscribe = [Command::new("SUBSCRIBE").args([SWITCHED, PROMOTED])];
        let subscribed = {
            let subscribing = pin!(conversation.ask(&subscribe));
            deadlines.within(limit, subscribing).await?
        };
        if !matches!(subscribed.first(), Some(Reply::Array(_))) {
            return None;
        }
        // A switch before that was told to nobody here.
        let present = self.poll(limit, deadlines, false).await;
        if let Some(other) = present.elected.filter(|present| present != primary) {
            return Some(other);
        }
        loop {
            let told = {
                let reply = pin!(conversation.reply());
                deadlines.within(SILENCE, reply).await
            };
            let told = match told {
                Some(told) => told.ok()?,
                None => {
                    let ping = [Command::new("PING")];
                    let asking = pin!(conversation.ask(&ping));
                    deadlines.within(limit, asking).await?.pop()?
                }
            };
            if let Some(other) = switch(&told, &self.service).filter(|other| other != primary) {
                return Some(other);
            }
        }
    }
}

/// Reads the host and the port of an address.
fn address(parts: &[Reply]) -> Option<Address> {
    let [Reply::Bytes(host), Reply::Bytes(port)] = parts else {
        return None;
    };
    Some(Address {
        host: str::from_utf8(host.as_bytes()).ok()?.into(),
        port: str::from_utf8(port.as_bytes()).ok()?.parse().ok()?,
    })
}

/// Reads what is told on one of the two channels: the address of the service's new primary.
fn switch(told: &Reply, service: &str) -> Option<Address> {
    let Reply::Array(parts) = told else {
        return None;
    };
    let [_, Reply::Bytes(channel), Reply::Bytes(text)] = &**parts else {
        return None;
    };
    let text = str::from_utf8(text.as_bytes()).ok()?;
    let words: Vec<&str> = text.split(' ').collect();
    let (name, host, port) = match (channel.as_bytes(), &*words) {
        // The service, its primary before and the present one.
        (channel, [name, _, _, host, port]) if channel == SWITCHED.as_bytes() => (name, host, port),
        // `slave`, its name and address, `@`, the service and its primary before.
        (channel, [_, _, host, port, "@", name, ..]) if channel == PROMOTED.as_bytes() => {
            (name, host, port)
        }
        _ => return None,
    };
    (*name == service).then_some(())?;
    Some(Address {
        host: (*host).into(),
        port: port.parse().ok()?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(channel: &str, text: &str) -> Reply {
        let words = ["message", channel, text];
        Reply::Array(
            words
                .map(|word| Reply::Bytes(word.as_bytes().into()))
                .into(),
        )
    }

    #[test]
    fn a_switch_of_the_service_names_its_new_primary() {
        let switched = "cache 10.0.0.1 6379 10.0.0.2 6380";
        let promoted = "slave 10.0.0.2:6380 10.0.0.2 6380 @ cache 10.0.0.1 6379";
        for (channel, text) in [(SWITCHED, switched), (PROMOTED, promoted)] {
            let told = message(channel, text);
            let other = switch(&told, "cache").unwrap();
            assert_eq!((&*other.host, other.port), ("10.0.0.2", 6380));
            assert_eq!(switch(&told, "cach"), None);
        }
        for (channel, text) in [
            (SWITCHED, ""),
            (SWITCHED, "cache"),
            (SWITCHED, "cache 10.0.0.1 6379 10.0.0.2"),
            (SWITCHED, "cache 10.0.0.1 6379 10.0.0.2 x"),
            (SWITCHED, "cache 10.0.0.1 6379 10.0.0.2 70000"),
            (SWITCHED, promoted),
            (PROMOTED, switched),
            (PROMOTED, "slave 10.0.0.2:6380 10.0.0.2 6380 @"),
            ("+sdown", switched),
        ] {
            assert_eq!(switch(&message(channel, text), "cache"), None, "{text}");
        }
        assert_eq!(switch(&Reply::Status, "cache"), None);
    }
}
