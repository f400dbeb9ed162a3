//! Invocations of one script that are gathered for one invocation.

use std::sync::Arc;

use super::refusing::refuse;
use crate::backend::redis::client::connection_end::ConnectionEnd;
use crate::backend::redis::client::in_flight::InFlight;
use crate::backend::redis::client::resp::Reply;
use crate::backend::redis::client::script::{KeyedInvocation, Script};

/// Invocations of one script with one key each, for one invocation.
#[derive(Default)]
pub(in crate::backend::redis::client) struct Keyed {
    script: Option<&'static Script>,
    requests: Vec<Arc<InFlight>>,
    keys: Vec<u8>,
    /// The numbers that follow the keys.
    numbers: Vec<u8>,
}

impl Keyed {
    pub(in crate::backend::redis::client) fn is_full(&self, limit: usize) -> bool {
        self.requests.len() >= limit.min(MOST_KEYED)
    }

    pub(in crate::backend::redis::client) fn length(&self) -> usize {
        self.keys.len() + self.numbers.len()
    }

    /// Adds the key and the numbers of a request that [`push`](Self::push) adds afterwards, and
    /// says whether it added them: invocations of another script go by themselves.
    pub(in crate::backend::redis::client) fn add(&mut self, invocation: &KeyedInvocation) -> bool {
        let script = *self.script.get_or_insert(invocation.script());
        if !std::ptr::eq(script, invocation.script()) {
            return false;
        }
        invocation.write_key(&mut self.keys);
        invocation.write_numbers(&mut self.numbers);
        true
    }

    pub(in crate::backend::redis::client) fn push(&mut self, request: Arc<InFlight>) {
        self.requests.push(request);
    }

    /// Writes one command for all requests; hands them back if they are too few for that.
    pub(in crate::backend::redis::client) fn write(
        &mut self,
        output: &mut Vec<u8>,
        needs_text: impl FnOnce(&'static Script) -> bool,
    ) -> Result<MergedScripts, Vec<Arc<InFlight>>> {
        let requests = std::mem::take(&mut self.requests);
        let script = self.script.take();
        let (keys, numbers) = (&mut self.keys, &mut self.numbers);
        let outcome = match script {
            Some(script) if requests.len() >= FEWEST_KEYED => {
                let in_full = needs_text(script);
                KeyedInvocation::begin_merged(script, in_full, output, requests.len());
                output.extend_from_slice(keys);
                output.extend_from_slice(numbers);
                Ok(MergedScripts { script, requests })
            }
            _ => Err(requests),
        };
        keys.clear();
        numbers.clear();
        outcome
    }
}

/// Invocations that became one, in the order of its keys.
pub(in crate::backend::redis::client) struct MergedScripts {
    pub(super) script: &'static Script,
    pub(super) requests: Vec<Arc<InFlight>>,
}

impl MergedScripts {
    /// Answers each caller, and returns their number.
    pub(super) fn take(&mut self, reply: Reply) -> Result<usize, ConnectionEnd> {
        let requests = std::mem::take(&mut self.requests);
        match reply {
            Reply::Array(replies) if replies.len() == requests.len() * 2 => {
                let answered = requests.len();
                let mut replies = replies.into_iter();
                for request in requests {
                    request.finish(Reply::Array(replies.by_ref().take(2).collect()));
                }
                Ok(answered)
            }
            Reply::Error(error) => Ok(refuse(requests, &error)),
            _ => {
                requests.iter().for_each(|request| request.lose());
                Err(ConnectionEnd::Malformed)
            }
        }
    }
}

/// The most keys of one invocation, so that none holds the server for long: a tenth of a
/// millisecond.
const MOST_KEYED: usize = 128;
/// The fewest invocations that become one: even two cost the server less so.
const FEWEST_KEYED: usize = 2;
