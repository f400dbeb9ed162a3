//! The watcher beside a connection, which listens to one sentinel for a switch to another primary.
//!
//! The watcher asks all sentinels when that one tells of a switch, or from time to time.

use std::pin::pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::{SPREAD, Sentinels};
use crate::backend::redis::client::conversation::Conversation;
use crate::backend::redis::client::dial::ConnectTerms;
use crate::backend::redis::client::endpoint::Endpoint;
use crate::backend::redis::client::location::{Address, ServerLocation};
use crate::backend::redis::client::refusal::refusal;
use crate::backend::redis::client::resp::{Command, Reply};
use crate::backend::redis::client::socket_error::failure;
use crate::backend::redis::client::task::Task;
use crate::error::{BackendError, BackendResult};
use crate::time::attempts::shortened;

/// The pauses before another sentinel is listened to, the longest after many failures.
const SHORTEST_PAUSE: Duration = Duration::from_millis(500);
const LONGEST_PAUSE: Duration = Duration::from_secs(10);
/// After such a silence a sentinel that is listened to is asked whether it is there, and all are
/// asked for the primary.
const SILENCE: Duration = Duration::from_secs(10);
/// The pause before the sentinels are asked once more whether they have heard of a switch.
const BRIEFLY: Duration = Duration::from_millis(50);
/// The channel on which a sentinel tells that a service has another primary.
const SWITCHED: &str = "+switch-master";
/// The channel on which the sentinel that leads a failover tells that a replica has become the
/// primary: some seconds before it tells of the switch, and as soon as the others do.
const PROMOTED: &str = "+promoted-slave";

impl Sentinels {
    /// Begins to listen for a switch away from a primary, on the present runtime, until the
    /// returned task is dropped. `switched` is told the primary that was left and the present
    /// primary, once.
    pub(in crate::backend::redis::client) fn watch(
        self: &Arc<Self>,
        primary: Address,
        terms: ConnectTerms<'static>,
        switched: impl Fn(&Address, &Address) + Send + 'static,
    ) -> Task {
        let sentinels = self.clone();
        let watcher = async move {
            let other = sentinels.other_primary(&primary, terms).await;
            switched(&primary, &other);
        };
        Task(tokio::spawn(watcher).abort_handle())
    }

    /// Waits until the service has another primary.
    async fn other_primary(&self, primary: &Address, terms: ConnectTerms<'static>) -> Address {
        let mut next = fastrand::usize(..self.servers.len());
        let mut pause = SHORTEST_PAUSE;
        loop {
            let at = &self.servers[next % self.servers.len()];
            next += 1;
            let (outcome, has_listened) = self.listen(at, primary, terms).await;
            let failure = match outcome {
                Ok(other) => return other,
                Err(failure) => failure,
            };
            *self.failure.lock() = Some(failure);
            pause = match has_listened {
                true => SHORTEST_PAUSE,
                false => (pause * 2).min(LONGEST_PAUSE),
            };
            terms.deadlines.sleep(shortened(pause)).await;
            // Finds a switch that happened while no sentinel could be listened to.
            if let Some(other) = self.elected_beside(primary, terms).await {
                return other;
            }
        }
    }

    /// Listens to a sentinel until there is another primary. Says whether it could be listened to.
    async fn listen(
        &self,
        at: &(Endpoint, ServerLocation),
        primary: &Address,
        terms: ConnectTerms<'static>,
    ) -> (BackendResult<Address>, bool) {
        let mut conversation = match self.subscribe(at, terms).await {
            Ok(conversation) => conversation,
            Err(error) => return (Err(error), false),
        };
        *self.failure.lock() = None;
        // Finds a switch that was told before the subscription.
        if let Some(other) = self.elected_beside(primary, terms).await {
            return (Ok(other), true);
        }
        loop {
            let told = {
                let reply = pin!(conversation.reply());
                terms.deadlines.within(SILENCE, reply).await
            };
            let told = match told {
                Some(told) => told.ok(),
                None => {
                    // A sentinel that is cut off from the others tells nothing, and still answers.
                    if let Some(other) = self.elected_beside(primary, terms).await {
                        return (Ok(other), true);
                    }
                    let ping = [Command::new("PING")];
                    let asking = pin!(conversation.ask(&ping));
                    let asked = terms.deadlines.within(terms.limit, asking).await;
                    asked.and_then(|mut replies| replies.pop())
                }
            };
            let Some(told) = told else {
                let error = failure(&at.1, std::io::ErrorKind::ConnectionAborted.into());
                return (Err(error), true);
            };
            if let Some(other) = switch(&told, &self.service).filter(|other| other != primary)
                && let Some(other) = self.confirmed(primary, other, terms).await
            {
                return (Ok(other), true);
            }
        }
    }

    /// Subscribes to the messages of a sentinel about switches.
    async fn subscribe(
        &self,
        at: &(Endpoint, ServerLocation),
        terms: ConnectTerms<'static>,
    ) -> BackendResult<Conversation> {
        let mut conversation = self.greet(at, terms).await?;
        let subscribe = [Command::new("SUBSCRIBE").args([SWITCHED, PROMOTED])];
        let subscribed = {
            let subscribing = pin!(conversation.ask(&subscribe));
            terms.deadlines.within(terms.limit, subscribing).await
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
        terms: ConnectTerms<'static>,
    ) -> Option<Address> {
        let poll = self.poll(terms).await;
        poll.elected.filter(|elected| elected != primary)
    }

    /// Waits until more than half of the sentinels name another primary too, as one sentinel has
    /// done. Where fewer answer, the word of that sentinel is enough.
    async fn confirmed(
        &self,
        primary: &Address,
        other: Address,
        terms: ConnectTerms<'static>,
    ) -> Option<Address> {
        let begun = Instant::now();
        loop {
            let poll = self.poll(terms).await;
            match poll.elected {
                Some(elected) if elected != *primary => return Some(elected),
                None if poll.most_named().is_none_or(|named| *named == other)
                    && poll.are_silent =>
                {
                    return Some(other);
                }
                _ if begun.elapsed() > SPREAD => return None,
                _ => terms.deadlines.sleep(BRIEFLY).await,
            }
        }
    }
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
