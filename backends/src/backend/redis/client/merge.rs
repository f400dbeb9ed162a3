//! Requests of many callers that become one command, and the reply to it that becomes many.
//!
//! Reads of single keys that go out together become one `MGET`, and scripts with one key one
//! invocation, which costs the server half or less. Each caller gets the answer that a command of
//! its own would have been given. `MGET` says nil of a foreign type and fails as a whole for one
//! forbidden key, so a read that was nil, or failed, is asked again as a `GET`: reading twice is
//! harmless. The script answers each key by itself; where it wasn't begun (a forbidden key, a
//! server that doesn't know it), each is sent by itself.

use std::sync::Arc;

use super::inbox::End;
use super::request::InFlight;
use super::resp::{self, Argument, Reply};
use super::script::{KeyedInvocation, Script};

/// The most keys of one command, so that none holds the server for long: a tenth of a millisecond.
const MOST_GETS: usize = 512;
const MOST_KEYED: usize = 128;
/// The fewest requests that become one command: fewer reads cost the server no more one by one,
/// fewer scripts do.
const FEWEST_GETS: usize = 4;
const FEWEST_KEYED: usize = 2;

/// Reads of single keys for one `MGET`.
#[derive(Default)]
pub(super) struct Gets {
    requests: Vec<Arc<InFlight>>,
    keys: Vec<u8>,
}

impl Gets {
    pub(super) fn is_full(&self, limit: usize) -> bool {
        self.requests.len() >= limit.min(MOST_GETS)
    }

    pub(super) fn length(&self) -> usize {
        self.keys.len()
    }

    /// Adds the key of a request that [`push`](Self::push) adds afterwards.
    pub(super) fn add(&mut self, key: &Argument) {
        key.write_to(&mut self.keys);
    }

    pub(super) fn push(&mut self, request: Arc<InFlight>) {
        self.requests.push(request);
    }

    /// Writes one command for all requests; hands them back if they are too few for that.
    pub(super) fn write(&mut self, output: &mut Vec<u8>) -> Result<Merged, Vec<Arc<InFlight>>> {
        let requests = std::mem::take(&mut self.requests);
        let outcome = if requests.len() >= FEWEST_GETS {
            resp::begin(output, requests.len() + 1);
            output.extend_from_slice(b"$4\r\nMGET\r\n");
            output.extend_from_slice(&self.keys);
            Ok(Merged::Gets(requests))
        } else {
            Err(requests)
        };
        self.keys.clear();
        outcome
    }
}

/// Invocations of one script with one key each, for one invocation.
#[derive(Default)]
pub(super) struct Keyed {
    script: Option<&'static Script>,
    requests: Vec<Arc<InFlight>>,
    keys: Vec<u8>,
    /// The numbers that follow the keys.
    numbers: Vec<u8>,
}

impl Keyed {
    pub(super) fn is_full(&self, limit: usize) -> bool {
        self.requests.len() >= limit.min(MOST_KEYED)
    }

    pub(super) fn length(&self) -> usize {
        self.keys.len() + self.numbers.len()
    }

    /// Adds the key and the numbers of a request that [`push`](Self::push) adds afterwards, and
    /// says whether it did: invocations of another script, or in full, go by themselves.
    pub(super) fn add(&mut self, invocation: &KeyedInvocation) -> bool {
        if invocation.is_in_full() {
            return false;
        }
        let script = *self.script.get_or_insert(invocation.script());
        if !std::ptr::eq(script, invocation.script()) {
            return false;
        }
        invocation.write_key(&mut self.keys);
        invocation.write_numbers(&mut self.numbers);
        true
    }

    pub(super) fn push(&mut self, request: Arc<InFlight>) {
        self.requests.push(request);
    }

    /// Writes one command for all requests; hands them back if they are too few for that.
    pub(super) fn write(&mut self, output: &mut Vec<u8>) -> Result<Merged, Vec<Arc<InFlight>>> {
        let requests = std::mem::take(&mut self.requests);
        let script = self.script.take();
        let (keys, numbers) = (&mut self.keys, &mut self.numbers);
        let outcome = match script {
            Some(script) if requests.len() >= FEWEST_KEYED => {
                KeyedInvocation::begin_merged(script, output, requests.len());
                output.extend_from_slice(keys);
                output.extend_from_slice(numbers);
                Ok(Merged::Keyed(requests))
            }
            _ => Err(requests),
        };
        keys.clear();
        numbers.clear();
        outcome
    }
}

/// The requests that one command was written for, in the order of its keys.
pub(super) enum Merged {
    Gets(Vec<Arc<InFlight>>),
    Keyed(Vec<Arc<InFlight>>),
}

impl Merged {
    pub(super) fn requests(&self) -> &[Arc<InFlight>] {
        match self {
            Self::Gets(requests) | Self::Keyed(requests) => requests,
        }
    }

    /// Hands the reply out to the callers and returns how many of them have it. A request that the
    /// merged command didn't answer goes to `retries`, to be sent by itself.
    pub(super) fn hand_out(
        self,
        reply: Reply,
        retries: &mut Vec<Arc<InFlight>>,
    ) -> Result<usize, End> {
        match self {
            Self::Gets(requests) => Ok(hand_out_gets(requests, reply, retries)),
            Self::Keyed(requests) => hand_out_keyed(requests, reply, retries),
        }
    }
}

fn hand_out_gets(
    requests: Vec<Arc<InFlight>>,
    reply: Reply,
    retries: &mut Vec<Arc<InFlight>>,
) -> usize {
    match reply {
        Reply::Array(replies) if replies.len() == requests.len() => {
            let answered = requests.len();
            for (request, reply) in requests.into_iter().zip(replies) {
                match reply {
                    Reply::Nil => retries.push(request),
                    reply => request.finish(reply),
                }
            }
            answered
        }
        // One key was forbidden: the others may not be.
        Reply::Error(error) if !matches!(error.code(), "NOPERM" | "CROSSSLOT" | "ERR") => {
            for request in requests {
                request.finish(Reply::Error(error.clone()));
            }
            1
        }
        _ => {
            retries.extend(requests);
            1
        }
    }
}

fn hand_out_keyed(
    requests: Vec<Arc<InFlight>>,
    reply: Reply,
    retries: &mut Vec<Arc<InFlight>>,
) -> Result<usize, End> {
    match reply {
        Reply::Array(replies) if replies.len() == requests.len() * 2 => {
            let answered = requests.len();
            let mut replies = replies.into_iter();
            for request in requests {
                request.finish(Reply::Array(replies.by_ref().take(2).collect()));
            }
            Ok(answered)
        }
        // The server says these before it runs a script.
        Reply::Error(error) if matches!(error.code(), "NOSCRIPT" | "NOPERM") => {
            requests.iter().for_each(|request| request.take_back());
            retries.extend(requests);
            Ok(1)
        }
        Reply::Error(error) => {
            for request in requests {
                request.finish(Reply::Error(error.clone()));
            }
            Ok(1)
        }
        _ => {
            requests.iter().for_each(|request| request.lose());
            Err(End::Malformed)
        }
    }
}
