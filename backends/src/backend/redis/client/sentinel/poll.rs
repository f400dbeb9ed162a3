//! The question to all sentinels for the address of the primary, and the count of their answers.

use std::pin::pin;
use std::time::Instant;

use futures_util::StreamExt;
use futures_util::future::{Either, select};
use futures_util::stream::FuturesUnordered;

use super::{Sentinels, silent};
use crate::backend::redis::client::dial::ConnectTerms;
use crate::backend::redis::client::endpoint::Endpoint;
use crate::backend::redis::client::location::{Address, ServerLocation};
use crate::backend::redis::client::refusal::refusal;
use crate::backend::redis::client::resp::{Command, Reply};
use crate::backend::redis::client::socket_error::failure;
use crate::error::{BackendError, BackendResult, ErrorKind};

/// The answers of the sentinels.
#[derive(Default)]
pub(super) struct Poll {
    /// The primary that more than half of the sentinels name.
    pub(super) elected: Option<Address>,
    /// The other primaries that sentinels name, and their number.
    votes: Vec<(Address, usize)>,
    /// The most telling failure.
    failed: Option<BackendError>,
    /// True if some sentinels have said nothing of any use, and may later.
    pub(super) are_silent: bool,
}

impl Poll {
    /// Counts the answer of one of so many sentinels.
    fn vote(&mut self, address: Address, sentinels: usize) {
        let known = self.votes.iter().position(|(known, _)| *known == address);
        let known = known.unwrap_or_else(|| {
            self.votes.push((address, 0));
            self.votes.len() - 1
        });
        self.votes[known].1 += 1;
        if self.votes[known].1 * 2 > sentinels {
            self.elected = Some(self.votes.swap_remove(known).0);
        }
    }

    /// Notes that a sentinel is of no use.
    fn fail(&mut self, error: BackendError) {
        let is_silent = matches!(error.kind(), ErrorKind::Unavailable | ErrorKind::Timeout);
        self.are_silent |= is_silent;
        // A sentinel that answers and is of no use tells more than one that isn't there.
        if self.failed.is_none() || !is_silent {
            self.failed = Some(error);
        }
    }

    /// Returns the primary that most of the sentinels name that have answered.
    pub(super) fn most_named(&self) -> Option<&Address> {
        // Of several with as many votes the first that was named.
        let votes = self.votes.iter().rev();
        let most = votes.max_by_key(|(_, votes)| *votes);
        most.map(|(address, _)| address)
    }
}

impl Sentinels {
    /// Asks all sentinels for the address of the primary, and goes by most answers.
    ///
    /// # Errors
    ///
    /// The most telling failure, if no sentinel names one.
    pub(super) async fn primary(&self, terms: ConnectTerms<'_>) -> BackendResult<Address> {
        let poll = self.poll(terms).await;
        let named = poll.elected.as_ref().or_else(|| poll.most_named()).cloned();
        match (named, poll.failed) {
            (Some(address), _) => Ok(address),
            (None, Some(error)) if error.kind() == ErrorKind::InvalidConfig && terms.is_judging => {
                Err(error)
            }
            (None, Some(error)) => Err(self.unknown(error, poll.are_silent)),
            (None, None) => Err(self.unknown(silent(terms.limit), true)),
        }
    }

    /// Asks all sentinels for the address of the primary.
    pub(super) async fn poll(&self, terms: ConnectTerms<'_>) -> Poll {
        let asked = self.servers.iter().map(|at| self.ask(at, terms));
        let mut asked: FuturesUnordered<_> = asked.collect();
        let mut poll = Poll::default();
        let begun = Instant::now();
        let mut by = begun + terms.limit;
        while poll.elected.is_none() {
            let left = by.saturating_duration_since(Instant::now());
            let pause = pin!(terms.deadlines.sleep(left));
            match select(asked.next(), pause).await {
                Either::Left((Some(Ok(address)), _)) if self.was_left(&address) => {
                    poll.failed.get_or_insert_with(behind);
                    poll.are_silent = true;
                }
                Either::Left((Some(Ok(address)), _)) => {
                    // The others may be far away, or gone.
                    by = by.min(begun + terms.limit / 2);
                    poll.vote(address, self.servers.len());
                }
                Either::Left((Some(Err(error)), _)) => poll.fail(error),
                Either::Left((None, _)) => break,
                Either::Right(_) => {
                    poll.are_silent = true;
                    break;
                }
            }
        }
        poll
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

    /// Asks a sentinel for the address of the primary.
    async fn ask(
        &self,
        at: &(Endpoint, ServerLocation),
        terms: ConnectTerms<'_>,
    ) -> BackendResult<Address> {
        let mut conversation = self.greet(at, terms).await?;
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
}

/// Makes the error of sentinels that name a primary which was left.
fn behind() -> BackendError {
    let message = "those that answer have not heard of the last switch yet";
    BackendError::new(ErrorKind::Unavailable, message)
}

/// Reads the host and the port of an address.
fn address(parts: &[Reply]) -> Option<Address> {
    let [Reply::Bytes(host), Reply::Bytes(port)] = parts else {
        return None;
    };
    let text = |bytes| str::from_utf8(bytes).ok();
    Address::read(text(host.as_bytes())?, text(port.as_bytes())?)
}
