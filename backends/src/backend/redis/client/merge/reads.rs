//! The reply to reads that became one command, element by element.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::habits::ReadHabits;
use super::refusing::{is_about_all, refuse, refuse_or_repeat};
use super::taken::TakenReply;
use super::unanswered::Unanswered;
use crate::backend::redis::client::connection_end::ConnectionEnd;
use crate::backend::redis::client::in_flight::InFlight;
use crate::backend::redis::client::resp::{ErrorReply, Reply};

/// Reads that became one command, and the part of its reply that is next.
pub(in crate::backend::redis::client) struct Reads {
    requests: Vec<Arc<InFlight>>,
    awaited: Awaited,
    /// True if a check goes with the command.
    is_checked: bool,
    /// The first refusal in a transaction.
    refused: Option<ErrorReply>,
    nils: Vec<Arc<InFlight>>,
}

/// Reads that were nil, whose keys one command counts.
pub(in crate::backend::redis::client) struct Nils(pub(super) Vec<Arc<InFlight>>);

#[derive(Debug, Clone, Copy)]
enum Awaited {
    /// So many replies that say that a command of the transaction is queued.
    Queued(usize),
    /// The two replies of the transaction.
    Replies,
    Values,
    /// The value of the request with this number.
    Value(usize),
    /// The number of keys that exist.
    Count,
}

impl Reads {
    /// Awaits the reply to the reads, and to their check if `is_checked` is set.
    pub(super) fn new(requests: Vec<Arc<InFlight>>, is_checked: bool) -> Self {
        Self {
            requests,
            awaited: match is_checked {
                true => Awaited::Queued(3),
                false => Awaited::Values,
            },
            is_checked,
            refused: None,
            nils: Vec::new(),
        }
    }

    pub(super) fn requests(&self) -> &[Arc<InFlight>] {
        &self.requests
    }

    /// Returns the length of the array that is taken element by element, if one is next.
    pub(super) fn array(&self) -> Option<usize> {
        match self.awaited {
            Awaited::Replies => Some(2),
            Awaited::Values => Some(self.requests.len()),
            Awaited::Queued(_) | Awaited::Value(_) | Awaited::Count => None,
        }
    }

    /// Notes that the elements of the array are next.
    pub(super) fn begin_array(&mut self) {
        self.awaited = match self.awaited {
            Awaited::Replies => Awaited::Values,
            _ => Awaited::Value(0),
        };
    }

    /// Takes what has come: a reply, or an element of one.
    pub(super) fn take(
        &mut self,
        reply: Reply,
        habits: &mut ReadHabits,
        unanswered: &mut Unanswered,
    ) -> Result<TakenReply, ConnectionEnd> {
        match (self.awaited, reply) {
            (Awaited::Queued(missing), reply) => Ok(self.take_queued(missing, reply)),
            (Awaited::Replies, reply) => {
                habits.may_transact.store(false, Ordering::Relaxed);
                self.take_end(reply, unanswered)
            }
            (Awaited::Values, Reply::Error(error)) => Ok(self.take_refusal(error, unanswered)),
            // The requests stay here, and are lost with the connection.
            (Awaited::Values, _) => Err(ConnectionEnd::Malformed),
            (Awaited::Value(index), reply) => {
                let answered = self.take_value(index, reply, habits);
                Ok(self.after_value(index, answered, habits, unanswered))
            }
            (Awaited::Count, reply) => {
                if let Some(error) = self.refused.take() {
                    let requests = std::mem::take(&mut self.requests);
                    return Ok(TakenReply::all(refuse_or_repeat(
                        requests, &error, unanswered,
                    )));
                }
                let nils = std::mem::take(&mut self.nils);
                let others = self.requests.len() - nils.len();
                let answered = take_count(nils, others, reply, habits, unanswered);
                Ok(TakenReply::all(answered))
            }
        }
    }

    /// Takes the reply to a command of the transaction.
    fn take_queued(&mut self, missing: usize, reply: Reply) -> TakenReply {
        self.awaited = match missing {
            1 => Awaited::Replies,
            _ => Awaited::Queued(missing - 1),
        };
        if let Reply::Error(error) = reply {
            self.refused.get_or_insert(error);
        }
        TakenReply::some(0)
    }

    /// Takes the reply to a transaction that the server doesn't execute as a whole.
    fn take_end(
        &mut self,
        reply: Reply,
        unanswered: &mut Unanswered,
    ) -> Result<TakenReply, ConnectionEnd> {
        let is_over = match &reply {
            Reply::Nil => true,
            Reply::Error(error) => self.refused.is_some() || error.code() == "EXECABORT",
            _ => false,
        };
        if !is_over {
            // The server may still queue what comes, and execute nothing of it.
            return Err(ConnectionEnd::Malformed);
        }
        let requests = std::mem::take(&mut self.requests);
        Ok(match self.refused.take() {
            Some(error) if is_about_all(&error) => TakenReply::all(refuse(requests, &error)),
            _ => {
                unanswered.again.extend(requests);
                TakenReply::all(0)
            }
        })
    }

    /// Takes the refusal of all reads.
    fn take_refusal(&mut self, error: ErrorReply, unanswered: &mut Unanswered) -> TakenReply {
        if self.is_checked {
            self.refused = Some(error);
            self.awaited = Awaited::Count;
            return TakenReply::some(0);
        }
        let requests = std::mem::take(&mut self.requests);
        TakenReply::all(refuse_or_repeat(requests, &error, unanswered))
    }

    /// Answers the read with this number, unless the value is nil, and returns the number of
    /// callers that have their answer.
    fn take_value(&mut self, index: usize, reply: Reply, habits: &mut ReadHabits) -> usize {
        let request = &self.requests[index];
        match reply {
            Reply::Nil => {
                habits.note_size(0);
                self.nils.push(request.clone());
                0
            }
            reply => {
                if let Reply::Bytes(bytes) = &reply {
                    habits.note_size(bytes.as_bytes().len());
                }
                request.finish(reply);
                1
            }
        }
    }

    /// Moves on to what comes after the value with this number.
    fn after_value(
        &mut self,
        index: usize,
        answered: usize,
        habits: &mut ReadHabits,
        unanswered: &mut Unanswered,
    ) -> TakenReply {
        if index + 1 < self.requests.len() {
            self.awaited = Awaited::Value(index + 1);
            return TakenReply::some(answered);
        }
        habits.note_misses(self.nils.len(), self.requests.len());
        if self.is_checked {
            self.awaited = Awaited::Count;
            return TakenReply::some(answered);
        }
        unanswered.nils.append(&mut self.nils);
        TakenReply::all(answered)
    }
}

/// Takes the number of existing keys, among those that were nil and so many others that exist.
pub(super) fn take_count(
    nils: Vec<Arc<InFlight>>,
    others: usize,
    reply: Reply,
    habits: &mut ReadHabits,
    unanswered: &mut Unanswered,
) -> usize {
    match reply {
        Reply::Integer(there) if usize::try_from(there) == Ok(others) => {
            nils.iter().for_each(|request| request.finish(Reply::Nil));
            nils.len()
        }
        Reply::Error(error) => {
            habits.may_check &= !matches!(error.code(), "NOPERM" | "ERR" | "EXECABORT");
            refuse_or_repeat(nils, &error, unanswered)
        }
        _ => {
            unanswered.alone.extend(nils);
            0
        }
    }
}
