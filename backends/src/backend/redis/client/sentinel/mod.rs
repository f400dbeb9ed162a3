//! Sentinel: the processes that watch the servers of a service, and say which one is its primary.
//!
//! All sentinels are asked side by side, and the answer of more than half of them counts: a
//! sentinel that was cut off may name the primary of before. Fewer are believed only where the
//! others don't answer. The role of the server that they name is checked when it greets.
//!
//! Each connection to a primary has a watcher beside it. A switch ends the connections to the
//! primary before, even if that primary still answers
//! (<https://redis.io/docs/latest/develop/reference/sentinel-clients/>).

mod poll;
mod replica_poll;
mod watch;

use std::fmt;
use std::pin::pin;
use std::time::{Duration, Instant};

use futures_util::future::{Either, select};
use parking_lot::Mutex;
use redis::{ProtocolVersion, RedisConnectionInfo};

pub(super) use self::replica_poll::Told;
use super::conversation::Conversation;
use super::dial::{ConnectTerms, DialTarget, dial};
use super::endpoint::Endpoint;
use super::handshake::{Greeted, Identity, ServerKind};
use super::location::{Address, ServerLocation};
use super::login::Login;
use crate::error::{BackendError, BackendResult, ErrorKind};

/// While a server doesn't greet, the sentinels are asked at this interval whether they name another
/// server by now.
const INTERVAL: Duration = Duration::from_millis(250);
/// The time within which all sentinels have heard of a switch: until then the primary that was left
/// is nobody's.
const SPREAD: Duration = Duration::from_secs(5);

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
        terms: ConnectTerms<'_>,
    ) -> BackendResult<(Greeted, Address, ServerLocation)> {
        let by = Instant::now() + terms.limit;
        let mut address = self.primary(terms).await?;
        let terms = terms.without_judgement();
        loop {
            let server = self.pattern.at(&address)?;
            let location = server.location();
            let left = by.saturating_duration_since(Instant::now());
            let target = DialTarget {
                server: &server,
                identity,
                location: &location,
            };
            let dialing = dial(target, terms.within(left));
            let outcome = {
                let other = self.other_than(&address, by, terms);
                match select(pin!(dialing), pin!(other)).await {
                    Either::Left((outcome, _)) => Ok(outcome),
                    Either::Right((other, _)) => Err(other),
                }
            };
            match outcome {
                Ok(Ok(_)) if self.was_left(&address) => {
                    let left = by.saturating_duration_since(Instant::now());
                    address = self.primary(terms.within(left)).await?;
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
    async fn other_than(&self, address: &Address, by: Instant, terms: ConnectTerms<'_>) -> Address {
        loop {
            terms.deadlines.sleep(INTERVAL).await;
            let left = by.saturating_duration_since(Instant::now());
            let named = self.poll(terms.within(left.max(INTERVAL))).await;
            if let Some(other) = named.elected.filter(|other| other != address) {
                return other;
            }
        }
    }

    /// Says whether a switch has left this primary so lately that some sentinels may not have heard
    /// of the switch.
    fn was_left(&self, address: &Address) -> bool {
        let left = self.left.lock();
        let mut left = left.iter().filter(|(_, at)| at.elapsed() < SPREAD);
        left.any(|(left, _)| left == address)
    }

    /// Connects to a sentinel.
    async fn greet(
        &self,
        (server, location): &(Endpoint, ServerLocation),
        terms: ConnectTerms<'_>,
    ) -> BackendResult<Conversation> {
        let identity = Identity {
            settings: &self.settings,
            login: self.login.as_ref(),
            client_name: self.client_name.as_deref(),
            kind: ServerKind::Sentinel,
        };
        let target = DialTarget {
            server,
            identity,
            location,
        };
        let greeted = dial(target, terms).await?;
        Ok(Conversation::over(greeted.socket, greeted.input))
    }
}

/// Makes the error of sentinels that say nothing.
fn silent(limit: Duration) -> BackendError {
    let message = format!("none has answered within {limit:?}");
    BackendError::new(ErrorKind::Timeout, message)
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
}
