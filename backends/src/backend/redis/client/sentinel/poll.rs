//! The question to all sentinels for the address of the primary, and the count of their answers.

use std::pin::pin;
use std::time::{Duration, Instant};

use futures_util::StreamExt;
use futures_util::future::{Either, select};
use futures_util::stream::FuturesUnordered;

use super::{Sentinels, silent};
use crate::backend::redis::client::endpoint::Endpoint;
use crate::backend::redis::client::location::{Address, ServerLocation};
use crate::backend::redis::client::refusal::refusal;
use crate::backend::redis::client::resp::{Command, Reply};
use crate::backend::redis::client::socket_error::failure;
use crate::error::{BackendError, BackendResult, ErrorKind};
use crate::time::deadline::Deadlines;

/// The answers of all sentinels.
pub(super) struct Poll {
    /// The primary that more than half of the sentinels name.
    pub(super) elected: Option<Address>,
    /// The primary that most of the sentinels name that have answered.
    pub(super) first: Option<Address>,
    /// The most telling failure.
    failed: Option<BackendError>,
    /// True if some sentinels have said nothing of any use, and may later.
    pub(super) are_silent: bool,
}

impl Sentinels {
    /// Asks all sentinels for the address of the primary, and goes by most answers.
    ///
    /// # Errors
    ///
    /// The most telling failure, if no sentinel names one.
    pub(super) async fn primary(
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
    pub(super) async fn poll(
        &self,
        limit: Duration,
        deadlines: &Deadlines,
        is_judging: bool,
    ) -> Poll {
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
