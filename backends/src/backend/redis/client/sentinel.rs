//! Sentinel: the processes that watch the servers of a service, and say which one is its primary.
//!
//! All sentinels are asked side by side, and the answer of more than half of them counts: a
//! sentinel that was cut off may name the primary of before. Fewer are believed only where the
//! others don't answer. The role of the server that they name is checked when it greets.
//!
//! Each connection to a primary has a watcher beside it, which listens to one sentinel, and asks
//! all sentinels when that one tells of a switch, or from time to time. A switch ends the
//! connections to the primary before, even if that primary still answers
//! (<https://redis.io/docs/latest/develop/reference/sentinel-clients/>).

use std::fmt;
use std::pin::pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::StreamExt;
use futures_util::future::{Either, select};
use futures_util::stream::FuturesUnordered;
use parking_lot::Mutex;
use redis::{ProtocolVersion, RedisConnectionInfo};

use super::dial::dial;
use super::endpoint::Endpoint;
use super::handshake::{Conversation, Facts, Greeted, Identity, ServerKind};
use super::location::{Address, ServerLocation};
use super::login::Login;
use super::logins::Task;
use super::outage::shortened;
use super::refusal::refusal;
use super::resp::{Command, Reply};
use super::socket_error::failure;
use crate::error::{BackendError, BackendResult, ErrorKind};
use crate::time::deadline::Deadlines;

/// While a server doesn't greet, the sentinels are asked at this interval whether they name another
/// server by now.
const INTERVAL: Duration = Duration::from_millis(250);
/// The pauses before another sentinel is listened to, the longest after many failures.
const SHORTEST_PAUSE: Duration = Duration::from_millis(500);
const LONGEST_PAUSE: Duration = Duration::from_secs(10);
/// After such a silence a sentinel that is listened to is asked whether it is there, and all are
/// asked for the primary.
const SILENCE: Duration = Duration::from_secs(10);
/// The time within which all sentinels have heard of a switch: until then the primary that was left
/// is nobody's.
const SPREAD: Duration = Duration::from_secs(5);
/// The pause before the sentinels are asked once more whether they have heard of a switch.
const BRIEFLY: Duration = Duration::from_millis(50);
/// The channel on which a sentinel tells that a service has another primary.
const SWITCHED: &str = "+switch-master";
/// The channel on which the sentinel that leads a failover tells that a replica has become the
/// primary: some seconds before it tells of the switch, and as soon as the others do.
const PROMOTED: &str = "+promoted-slave";

/// A service that sentinels watch, and the login that they demand.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Service {
    pub(crate) name: String,
    pub(crate) user: Option<String>,
    pub(crate) password: Option<String>,
}

/// Leaves the login out.
impl fmt::Debug for Service {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = &self.name;
        f.debug_struct("Service")
            .field("name", name)
            .finish_non_exhaustive()
    }
}

/// Replicas, as they are told.
#[derive(Default)]
pub(super) struct Told {
    /// The addresses of the replicas that follow the primary now.
    pub(super) addresses: Vec<Address>,
    /// True if there are replicas, even if they are down.
    pub(super) are_any: bool,
}

/// The answers of all sentinels.
struct Poll {
    /// The primary that more than half of the sentinels name.
    elected: Option<Address>,
    /// The primary that most of the sentinels name that have answered.
    first: Option<Address>,
    /// The most telling failure.
    failed: Option<BackendError>,
    /// True if some sentinels have said nothing of any use, and may later.
    are_silent: bool,
}

/// The sentinels of a service.
pub(super) struct Sentinels {
    service: String,
    servers: Vec<(Endpoint, ServerLocation)>,
    /// The service's servers, but for their address.
    pattern: Endpoint,
    settings: RedisConnectionInfo,
    login: Option<Login>,
    client_name: Option<String>,
    /// The primaries that switches have left, and the times of these switches.
    left: Mutex<Vec<(Address, Instant)>>,
    /// The reason for which the last attempt to listen to a sentinel failed, if it did.
    failure: Mutex<Option<BackendError>>,
}

impl Sentinels {
    /// `pattern` has the settings of the service's servers, but for their address.
    pub(super) fn new(
        service: Service,
        pattern: &Endpoint,
        servers: Vec<Endpoint>,
        client_name: Option<String>,
    ) -> Self {
        Self {
            servers: servers
                .into_iter()
                .map(|server| {
                    let location = server.location();
                    (server, location)
                })
                .collect(),
            login: Login::with(service.user.as_deref(), service.password.as_deref()),
            service: service.name,
            pattern: pattern.clone(),
            // A message on a channel is an ordinary answer in RESP2, and a push in RESP3.
            settings: RedisConnectionInfo::default().set_protocol(ProtocolVersion::RESP2),
            client_name,
            left: Mutex::default(),
            failure: Mutex::default(),
        }
    }

    /// Returns the place of the primary, as long as nobody has said where it is.
    pub(super) fn location(&self) -> ServerLocation {
        self.pattern.location().into_primary_of(&self.service)
    }

    /// Returns the reason for which no sentinel is listened to, if it is known.
    pub(super) fn failure(&self) -> Option<BackendError> {
        self.failure.lock().clone()
    }

    /// Notes that a switch has left a primary.
    pub(super) fn leave(&self, primary: &Address, other: &Address) {
        let mut left = self.left.lock();
        left.retain(|(left, at)| left != other && left != primary && at.elapsed() < SPREAD);
        left.push((primary.clone(), Instant::now()));
    }

    /// Connects to the primary within a limit, and returns its address too.
    pub(super) async fn reach(
        &self,
        identity: Identity<'_>,
        limit: Duration,
        deadlines: &Deadlines,
        is_judging: bool,
    ) -> BackendResult<(Greeted, Address, ServerLocation)> {
        let by = Instant::now() + limit;
        let mut address = self.primary(limit, deadlines, is_judging).await?;
        loop {
            let server = self.pattern.at(&address)?;
            let location = server.location();
            let left = by.saturating_duration_since(Instant::now());
            let dialing = dial(&server, identity, &location, left, deadlines, false);
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
                Ok(Ok(greeted)) => return Ok((greeted, address, location)),
                Ok(Err(error)) => return Err(self.named(error)),
                Err(other) => address = other,
            }
        }
    }

    /// Adds to a failure that the sentinels have named the server.
    fn named(&self, error: BackendError) -> BackendError {
        let service = &self.service;
        let message = format!(
            "{}: the sentinels name it as the primary of `{service}`",
            error.message()
        );
        BackendError::new(error.kind(), message).with_source(error)
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
            (None, Some(error)) => Err(self.unknown(error, poll.are_silent)),
            (None, None) => Err(self.unknown(silent(limit), true)),
        }
    }

    /// Asks all sentinels for the address of the primary.
    async fn poll(&self, limit: Duration, deadlines: &Deadlines, is_judging: bool) -> Poll {
        let asked = self.servers.iter();
        let asked = asked.map(|at| self.ask(at, limit, deadlines, is_judging));
        let mut asked: FuturesUnordered<_> = asked.collect();
        let mut votes: Vec<(Address, usize)> = Vec::new();
        let mut failed: Option<BackendError> = None;
        let mut are_silent = false;
        let begun = Instant::now();
        let mut by = begun + limit;
        loop {
            let left = by.saturating_duration_since(Instant::now());
            let pause = pin!(deadlines.sleep(left));
            match select(asked.next(), pause).await {
                Either::Left((Some(Ok(address)), _)) => {
                    if self.was_left(&address) {
                        failed.get_or_insert_with(behind);
                        are_silent = true;
                        continue;
                    }
                    // The others may be far away, or gone.
                    by = by.min(begun + limit / 2);
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
                            are_silent,
                        };
                    }
                }
                Either::Left((Some(Err(error)), _)) => {
                    // A sentinel that answers and is of no use tells more than one that isn't
                    // there.
                    let silence = [ErrorKind::Unavailable, ErrorKind::Timeout];
                    let is_silent = silence.contains(&error.kind());
                    are_silent |= is_silent;
                    if failed.is_none() || !is_silent {
                        failed = Some(error);
                    }
                }
                Either::Left((None, _)) => break,
                Either::Right(_) => {
                    are_silent = true;
                    break;
                }
            }
        }
        votes.sort_by_key(|(_, votes)| std::cmp::Reverse(*votes));
        Poll {
            elected: None,
            first: votes.into_iter().next().map(|(address, _)| address),
            failed,
            are_silent,
        }
    }

    /// Makes the error of sentinels that name no primary. While one of them may still answer, the
    /// error may heal, whatever the others say.
    fn unknown(&self, error: BackendError, may_heal: bool) -> BackendError {
        let kind = match error.kind() {
            ErrorKind::InvalidConfig => ErrorKind::Unavailable,
            kind if error.is_transient() || !may_heal => kind,
            _ => ErrorKind::Unavailable,
        };
        let (service, reason) = (&self.service, error.message());
        let message = format!("no sentinel names the primary of `{service}`: {reason}");
        BackendError::new(kind, message).with_source(error)
    }

    /// Says whether a switch has left this primary so lately that some sentinels may not have heard
    /// of the switch.
    fn was_left(&self, address: &Address) -> bool {
        let left = self.left.lock();
        let mut left = left.iter().filter(|(_, at)| at.elapsed() < SPREAD);
        left.any(|(left, _)| left == address)
    }

    /// Asks a sentinel for the address of the primary.
    async fn ask(
        &self,
        at: &(Endpoint, ServerLocation),
        limit: Duration,
        deadlines: &Deadlines,
        is_judging: bool,
    ) -> BackendResult<Address> {
        let mut conversation = self.greet(at, limit, deadlines, is_judging).await?;
        let (service, location) = (&self.service, &at.1);
        let ask = Command::new("SENTINEL").args(["GET-MASTER-ADDR-BY-NAME", service]);
        match conversation.ask(&[ask]).await.pop() {
            Some(Reply::Array(parts)) => address(&parts).ok_or_else(|| {
                let message = format!("{location} names the primary of `{service}` by no address");
                BackendError::new(ErrorKind::Unavailable, message)
            }),
            Some(Reply::Nil) => {
                let message = format!("the sentinel {location} knows no service `{service}`");
                Err(BackendError::new(ErrorKind::InvalidConfig, message))
            }
            Some(Reply::Error(refused)) => {
                let refused = refusal(&refused);
                let message = format!("{location}: {}", refused.message());
                Err(BackendError::new(refused.kind(), message))
            }
            Some(_) | None => Err(failure(
                location,
                std::io::ErrorKind::ConnectionAborted.into(),
            )),
        }
    }

    /// Asks all sentinels for the replicas, and takes those that any of them tells: a sentinel that
    /// was cut off, or has just started, knows of none.
    ///
    /// # Errors
    ///
    /// The failure of one sentinel, if none answers, or if those that answer know of no replicas.
    pub(super) async fn replicas(
        &self,
        limit: Duration,
        deadlines: &Deadlines,
    ) -> BackendResult<Told> {
        let asked = self.servers.iter();
        let asked = asked.map(|at| self.ask_for_replicas(at, limit, deadlines));
        let mut asked: FuturesUnordered<_> = asked.collect();
        let begun = Instant::now();
        let mut by = begun + limit;
        let mut all: Option<Told> = None;
        let mut failed = None;
        loop {
            let left = by.saturating_duration_since(Instant::now());
            let pause = pin!(deadlines.sleep(left));
            match select(asked.next(), pause).await {
                Either::Left((Some(Ok(told)), _)) => {
                    // The others may be far away, or gone.
                    by = by.min(begun + limit / 2);
                    let known = all.get_or_insert_default();
                    known.are_any |= told.are_any;
                    let others = told.addresses.into_iter();
                    let others = others.filter(|other| !known.addresses.contains(other));
                    let others: Vec<Address> = others.collect();
                    known.addresses.extend(others);
                }
                Either::Left((Some(Err(error)), _)) => failed = Some(error),
                Either::Left((None, _)) => break,
                Either::Right(_) => {
                    failed.get_or_insert_with(|| silent(limit));
                    break;
                }
            }
        }
        match (all, failed) {
            (Some(told), _) if told.are_any => Ok(told),
            (Some(told), None) => Ok(told),
            (_, failed) => {
                let error = failed.unwrap_or_else(|| silent(limit));
                let (service, reason) = (&self.service, error.message());
                let message = format!("no sentinel tells the replicas of `{service}`: {reason}");
                Err(BackendError::new(error.kind(), message).with_source(error))
            }
        }
    }

    async fn ask_for_replicas(
        &self,
        at: &(Endpoint, ServerLocation),
        limit: Duration,
        deadlines: &Deadlines,
    ) -> BackendResult<Told> {
        let mut conversation = self.greet(at, limit, deadlines, false).await?;
        let ask = Command::new("SENTINEL").args(["REPLICAS", &self.service]);
        match conversation.ask(&[ask]).await.pop() {
            Some(Reply::Array(replicas)) => Ok(told(&replicas)),
            Some(Reply::Error(refused)) => {
                let refused = refusal(&refused);
                let message = format!("{}: {}", at.1, refused.message());
                Err(BackendError::new(refused.kind(), message))
            }
            Some(_) | None => Err(failure(&at.1, std::io::ErrorKind::ConnectionAborted.into())),
        }
    }

    async fn greet(
        &self,
        (server, location): &(Endpoint, ServerLocation),
        limit: Duration,
        deadlines: &Deadlines,
        is_judging: bool,
    ) -> BackendResult<Conversation> {
        let identity = Identity {
            settings: &self.settings,
            login: self.login.as_ref(),
            client_name: self.client_name.as_deref(),
            kind: ServerKind::Sentinel,
        };
        let greeted = dial(server, identity, location, limit, deadlines, is_judging).await?;
        Ok(Conversation::over(greeted))
    }

    /// Begins to listen for a switch away from a primary, on the present runtime, until the
    /// returned task is dropped. `switched` is told the primary that was left and the present
    /// primary, once.
    pub(super) fn watch(
        self: &Arc<Self>,
        primary: Address,
        limit: Duration,
        deadlines: &'static Deadlines,
        switched: impl Fn(&Address, &Address) + Send + 'static,
    ) -> Task {
        let sentinels = self.clone();
        let watcher = async move {
            let other = sentinels.other_primary(&primary, limit, deadlines).await;
            switched(&primary, &other);
        };
        Task(tokio::spawn(watcher).abort_handle())
    }

    /// Waits until the service has another primary.
    async fn other_primary(
        &self,
        primary: &Address,
        limit: Duration,
        deadlines: &'static Deadlines,
    ) -> Address {
        let mut next = fastrand::usize(..self.servers.len());
        let mut pause = SHORTEST_PAUSE;
        loop {
            let at = &self.servers[next % self.servers.len()];
            next += 1;
            let (outcome, has_listened) = self.listen(at, primary, limit, deadlines).await;
            let failure = match outcome {
                Ok(other) => return other,
                Err(failure) => failure,
            };
            *self.failure.lock() = Some(failure);
            pause = match has_listened {
                true => SHORTEST_PAUSE,
                false => (pause * 2).min(LONGEST_PAUSE),
            };
            deadlines.sleep(shortened(pause)).await;
            // Finds a switch that happened while no sentinel could be listened to.
            if let Some(other) = self.elected_beside(primary, limit, deadlines).await {
                return other;
            }
        }
    }

    /// Listens to a sentinel until there is another primary. Says whether it could be listened to.
    async fn listen(
        &self,
        at: &(Endpoint, ServerLocation),
        primary: &Address,
        limit: Duration,
        deadlines: &'static Deadlines,
    ) -> (BackendResult<Address>, bool) {
        let mut conversation = match self.subscribe(at, limit, deadlines).await {
            Ok(conversation) => conversation,
            Err(error) => return (Err(error), false),
        };
        *self.failure.lock() = None;
        // Finds a switch that was told before the subscription.
        if let Some(other) = self.elected_beside(primary, limit, deadlines).await {
            return (Ok(other), true);
        }
        loop {
            let told = {
                let reply = pin!(conversation.reply());
                deadlines.within(SILENCE, reply).await
            };
            let told = match told {
                Some(told) => told.ok(),
                None => {
                    // A sentinel that is cut off from the others tells nothing, and still answers.
                    if let Some(other) = self.elected_beside(primary, limit, deadlines).await {
                        return (Ok(other), true);
                    }
                    let ping = [Command::new("PING")];
                    let asking = pin!(conversation.ask(&ping));
                    let asked = deadlines.within(limit, asking).await;
                    asked.and_then(|mut replies| replies.pop())
                }
            };
            let Some(told) = told else {
                let error = failure(&at.1, std::io::ErrorKind::ConnectionAborted.into());
                return (Err(error), true);
            };
            if let Some(other) = switch(&told, &self.service).filter(|other| other != primary)
                && let Some(other) = self.confirmed(primary, other, limit, deadlines).await
            {
                return (Ok(other), true);
            }
        }
    }

    /// Subscribes to the messages of a sentinel about switches.
    async fn subscribe(
        &self,
        at: &(Endpoint, ServerLocation),
        limit: Duration,
        deadlines: &'static Deadlines,
    ) -> BackendResult<Conversation> {
        let mut conversation = self.greet(at, limit, deadlines, false).await?;
        let subscribe = [Command::new("SUBSCRIBE").args([SWITCHED, PROMOTED])];
        let subscribed = {
            let subscribing = pin!(conversation.ask(&subscribe));
            deadlines.within(limit, subscribing).await
        };
        let location = &at.1;
        match subscribed.as_deref() {
            Some([Reply::Array(_)]) => Ok(conversation),
            Some([Reply::Error(refused)]) => {
                let refused = refusal(refused);
                let message = format!("{location} lets nobody listen: {}", refused.message());
                Err(BackendError::new(refused.kind(), message))
            }
            _ => Err(failure(
                location,
                std::io::ErrorKind::ConnectionAborted.into(),
            )),
        }
    }

    /// Returns the primary that more than half of the sentinels name, if it is another one.
    async fn elected_beside(
        &self,
        primary: &Address,
        limit: Duration,
        deadlines: &'static Deadlines,
    ) -> Option<Address> {
        let poll = self.poll(limit, deadlines, false).await;
        poll.elected.filter(|elected| elected != primary)
    }

    /// Waits until more than half of the sentinels name another primary too, as one sentinel has
    /// done. Where fewer answer, the word of that sentinel is enough.
    async fn confirmed(
        &self,
        primary: &Address,
        other: Address,
        limit: Duration,
        deadlines: &'static Deadlines,
    ) -> Option<Address> {
        let begun = Instant::now();
        loop {
            let poll = self.poll(limit, deadlines, false).await;
            match poll.elected {
                Some(elected) if elected != *primary => return Some(elected),
                None if poll.first.is_none_or(|first| first == other) && poll.are_silent => {
                    return Some(other);
                }
                _ if begun.elapsed() > SPREAD => return None,
                _ => deadlines.sleep(BRIEFLY).await,
            }
        }
    }
}

/// Makes the error of sentinels that say nothing.
fn silent(limit: Duration) -> BackendError {
    let message = format!("none has answered within {limit:?}");
    BackendError::new(ErrorKind::Timeout, message)
}

/// Makes the error of sentinels that name a primary which was left.
fn behind() -> BackendError {
    let message = "those that answer have not heard of the last switch yet";
    BackendError::new(ErrorKind::Unavailable, message)
}

/// Reads the replicas that a sentinel tells. Replicas that are down, or don't follow their primary
/// at the moment, are left out.
fn told(replicas: &[Reply]) -> Told {
    let each = replicas.iter().filter_map(|replica| {
        let Reply::Array(facts) = replica else {
            return None;
        };
        let facts = Facts(facts);
        let down = ["s_down", "o_down", "disconnected"];
        let is_up = !facts
            .text("flags")?
            .split(',')
            .any(|flag| down.contains(&flag));
        let follows = facts.text("master-link-status") == Some("ok");
        (is_up && follows).then(|| Address::read(facts.text("ip")?, facts.text("port")?))?
    });
    Told {
        addresses: each.collect(),
        are_any: !replicas.is_empty(),
    }
}

/// Reads the host and the port of an address.
fn address(parts: &[Reply]) -> Option<Address> {
    let [Reply::Bytes(host), Reply::Bytes(port)] = parts else {
        return None;
    };
    let text = |bytes| str::from_utf8(bytes).ok();
    Address::read(text(host.as_bytes())?, text(port.as_bytes())?)
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
    (*name == service).then(|| Address::read(host, port))?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_login_of_the_sentinels_is_shown_nowhere() {
        let service = Service {
            name: "cache".to_string(),
            user: Some("S3cret".to_string()),
            password: Some("S3cret".to_string()),
        };
        let shown = format!("{service:?}");
        assert!(
            shown.contains("cache") && !shown.contains("S3cret"),
            "{shown}"
        );
    }

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
