//! Reads of single keys that are gathered for one `MGET`.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::habits::{FEWEST_GETS, MOST_GETS, ReadHabits};
use super::reads::{Nils, Reads};
use crate::backend::redis::client::in_flight::InFlight;
use crate::backend::redis::client::request::Request;
use crate::backend::redis::client::resp::{self, Argument};

/// Reads of single keys for one command.
#[derive(Default)]
pub(in crate::backend::redis::client) struct Gets {
    requests: Vec<Arc<InFlight>>,
    keys: Vec<u8>,
}

impl Gets {
    pub(in crate::backend::redis::client) fn count(&self) -> usize {
        self.requests.len()
    }

    pub(in crate::backend::redis::client) fn length(&self) -> usize {
        self.keys.len()
    }

    /// Adds the key of a request that [`push`](Self::push) adds afterwards.
    pub(in crate::backend::redis::client) fn add(&mut self, key: &Argument) {
        key.write_to(&mut self.keys);
    }

    pub(in crate::backend::redis::client) fn push(&mut self, request: Arc<InFlight>) {
        self.requests.push(request);
    }

    /// Writes one command for all requests; hands them back if they are too few for that.
    pub(in crate::backend::redis::client) fn write(
        &mut self,
        output: &mut Vec<u8>,
        habits: &ReadHabits,
    ) -> Result<Reads, Vec<Arc<InFlight>>> {
        if self.requests.len() < FEWEST_GETS {
            self.keys.clear();
            return Err(std::mem::take(&mut self.requests));
        }
        let is_checked = habits.misses && habits.may_transact.load(Ordering::Relaxed);
        if is_checked {
            output.extend_from_slice(b"*1\r\n$5\r\nMULTI\r\n");
        }
        self.write_command(output, "MGET");
        if is_checked {
            self.write_command(output, "EXISTS");
            output.extend_from_slice(b"*1\r\n$4\r\nEXEC\r\n");
        }
        self.keys.clear();
        let requests = std::mem::take(&mut self.requests);
        Ok(Reads::new(requests, is_checked))
    }

    /// Writes one command that counts how many of the keys of nils are there, and hands those back
    /// that are to be read by themselves.
    pub(in crate::backend::redis::client) fn write_check(
        &mut self,
        output: &mut Vec<u8>,
        nils: &mut Vec<Arc<InFlight>>,
        habits: &ReadHabits,
    ) -> Result<Nils, Vec<Arc<InFlight>>> {
        // One read tells as much about one key.
        if nils.len() < 2 || !habits.may_check {
            return Err(std::mem::take(nils));
        }
        for request in nils.drain(..nils.len().min(MOST_GETS)) {
            let added = request.send(|request| {
                if let Request::Get(key) = request {
                    self.add(key);
                }
            });
            if added.is_some() {
                self.push(request);
            }
        }
        if self.requests.is_empty() {
            return Err(Vec::new());
        }
        self.write_command(output, "EXISTS");
        self.keys.clear();
        Ok(Nils(std::mem::take(&mut self.requests)))
    }

    fn write_command(&self, output: &mut Vec<u8>, name: &str) {
        resp::begin(output, self.requests.len() + 1);
        Argument::new(name).write_to(output);
        output.extend_from_slice(&self.keys);
    }
}
