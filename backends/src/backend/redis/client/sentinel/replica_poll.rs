//! The question to all sentinels for the replicas of their service.

use std::pin::pin;
use std::time::Instant;

use futures_util::StreamExt;
use futures_util::future::{Either, select};
use futures_util::stream::FuturesUnordered;

use super::{Sentinels, silent};
use crate::backend::redis::client::dial::ConnectTerms;
use crate::backend::redis::client::endpoint::Endpoint;
use crate::backend::redis::client::info::Facts;
use crate::backend::redis::client::location::{Address, ServerLocation};
use crate::backend::redis::client::refusal::refusal;
use crate::backend::redis::client::resp::{Command, Reply};
use crate::backend::redis::client::socket_error::failure;
use crate::error::{BackendError, BackendResult};

/// Replicas, as they are told.
#[derive(Default)]
pub(in crate::backend::redis::client) struct Told {
    /// The addresses of the replicas that follow the primary now.
    pub(in crate::backend::redis::client) addresses: Vec<Address>,
    /// True if there are replicas, even if they are down.
    pub(in crate::backend::redis::client) are_any: bool,
}

impl Sentinels {
    /// Asks all sentinels for the replicas, and takes those that any of them tells: a sentinel that
    /// was cut off, or has just started, knows of none.
    ///
    /// # Errors
    ///
    /// The failure of one sentinel, if none answers, or if those that answer know of no replicas.
    pub(in crate::backend::redis::client) async fn replicas(
        &self,
        terms: ConnectTerms<'_>,
    ) -> BackendResult<Told> {
        let asked = self.servers.iter();
        let asked = asked.map(|at| self.ask_for_replicas(at, terms));
        let mut asked: FuturesUnordered<_> = asked.collect();
        let begun = Instant::now();
        let mut by = begun + terms.limit;
        let mut all: Option<Told> = None;
        let mut failed = None;
        loop {
            let left = by.saturating_duration_since(Instant::now());
            let pause = pin!(terms.deadlines.sleep(left));
            match select(asked.next(), pause).await {
                Either::Left((Some(Ok(told)), _)) => {
                    // The others may be far away, or gone.
                    by = by.min(begun + terms.limit / 2);
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
                    failed.get_or_insert_with(|| silent(terms.limit));
                    break;
                }
            }
        }
        match (all, failed) {
            (Some(told), _) if told.are_any => Ok(told),
            (Some(told), None) => Ok(told),
            (_, failed) => {
                let error = failed.unwrap_or_else(|| silent(terms.limit));
                let (service, reason) = (&self.service, error.message());
                let message = format!("no sentinel tells the replicas of `{service}`: {reason}");
                Err(BackendError::new(error.kind(), message).with_source(error))
            }
        }
    }

    async fn ask_for_replicas(
        &self,
        at: &(Endpoint, ServerLocation),
        terms: ConnectTerms<'_>,
    ) -> BackendResult<Told> {
        let mut conversation = self.greet(at, terms).await?;
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
