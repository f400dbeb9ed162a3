//! Requests of many callers that become one command, and the reply to it that becomes many.
//!
//! Reads of single keys that go out together become one `MGET`, and scripts with one key one
//! invocation, which costs the server half or less. Each caller gets the answer that a command of
//! its own would have been given. The reply to an `MGET` is handed out element by element as it
//! comes, and a command names as many keys as the values of late allow.
//!
//! `MGET` says nil of a foreign type, where a `GET` fails. So one `EXISTS` asks for all keys that
//! were nil: if it counts none the keys don't exist, otherwise each is read by a `GET`. Where many
//! keys were nil of late the two commands go out together, as a transaction, so that nothing comes
//! between them. A command fails as a whole for one forbidden key; then, too, each read is sent by
//! itself, and reading twice is harmless. The script answers each key by itself. If it wasn't begun
//! it is sent again: each invocation by itself after a forbidden key, all at once to a server that
//! doesn't know the script.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::in_flight::InFlight;
use super::inbox::ConnectionEnd;
use super::request::Request;
use super::resp::{self, Argument, ErrorReply, Reply};
use super::script::{KeyedInvocation, Script};

/// The most keys of one command, so that none holds the server for long: a tenth of a millisecond.
const MOST_GETS: usize = 512;
const MOST_KEYED: usize = 128;
/// The fewest requests that become one command: fewer reads cost the server no more one by one,
/// fewer scripts do.
const FEWEST_GETS: usize = 4;
const FEWEST_KEYED: usize = 2;
/// The bytes of values that one command asks for, as far as can be known: a server has the whole
/// reply in memory, and does nothing else while it makes it.
const REPLY_BYTES: usize = 512 * 1024;
/// A check goes out with every command if one read in so many finds nothing.
const ONE_MISS_IN: usize = 8;

/// The facts about reads that the replies of a connection have taught.
pub(super) struct ReadHabits {
    /// The size of a value, the later ones counting more.
    size: usize,
    /// True if many reads of the last command found nothing.
    misses: bool,
    /// True if `MGET` and `EXISTS` may go out as a transaction. The answer holds for all
    /// connections.
    may_transact: Arc<AtomicBool>,
    /// True if the user may send `EXISTS`.
    may_check: bool,
}

impl ReadHabits {
    pub(super) fn new(may_transact: Arc<AtomicBool>) -> Self {
        Self {
            size: 0,
            misses: false,
            may_transact,
            may_check: true,
        }
    }

    /// Notes the size of a value; a missing value has the size 0.
    pub(super) fn note_size(&mut self, size: usize) {
        self.size = self.size - self.size / 8 + size / 8;
    }

    /// Returns the most reads of one command: one where values are large.
    pub(super) fn most(&self) -> usize {
        match REPLY_BYTES / self.size.max(1) {
            0..FEWEST_GETS => 1,
            most => most.min(MOST_GETS),
        }
    }

    fn note_misses(&mut self, misses: usize, of: usize) {
        self.misses = misses * ONE_MISS_IN >= of;
    }
}

/// The hash slot to which most requests for a node of a cluster go, if one slot has more than half:
/// requests that are merged there must be of one slot, and spread keys gain nothing.
///
/// It is the candidate of the majority vote of Boyer and Moore ("MJRTY", 1981): a request for the
/// slot is a vote for it, any other request a vote against it, and a slot without votes is
/// replaced.
#[derive(Default)]
pub(super) struct HotSlot {
    slot: Option<u16>,
    votes: u32,
}

impl HotSlot {
    /// The most votes: after as many other requests another slot has its turn.
    const MOST: u32 = 256;

    pub(super) fn slot(&self) -> Option<u16> {
        self.slot
    }

    pub(super) fn note(&mut self, slot: u16) {
        match self.slot == Some(slot) {
            true => self.votes = Self::MOST.min(self.votes + 1),
            false if self.votes == 0 => (self.slot, self.votes) = (Some(slot), 1),
            false => self.votes -= 1,
        }
    }
}

/// Requests that a merged command didn't answer.
#[derive(Default)]
pub(super) struct Unanswered {
    /// To be sent by themselves.
    pub(super) alone: Vec<Arc<InFlight>>,
    /// To be sent by themselves, with the whole script.
    pub(super) in_full: Vec<Arc<InFlight>>,
    /// To be merged again.
    pub(super) again: Vec<Arc<InFlight>>,
    /// Reads that were nil.
    pub(super) nils: Vec<Arc<InFlight>>,
}

impl Unanswered {
    pub(super) fn is_empty(&self) -> bool {
        let all = [&self.alone, &self.in_full, &self.again, &self.nils];
        all.iter().all(|requests| requests.is_empty())
    }

    /// Gives the requests up.
    pub(super) fn lose(&mut self) {
        let all = [
            &mut self.alone,
            &mut self.in_full,
            &mut self.again,
            &mut self.nils,
        ];
        for requests in all {
            requests.drain(..).for_each(|request| request.lose());
        }
    }
}

/// Reads of single keys for one command.
#[derive(Default)]
pub(super) struct Gets {
    requests: Vec<Arc<InFlight>>,
    keys: Vec<u8>,
}

impl Gets {
    pub(super) fn count(&self) -> usize {
        self.requests.len()
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
    pub(super) fn write(
        &mut self,
        output: &mut Vec<u8>,
        habits: &ReadHabits,
    ) -> Result<Merged, Vec<Arc<InFlight>>> {
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
        Ok(Merged::Gets(Reads {
            requests: std::mem::take(&mut self.requests),
            awaited: match is_checked {
                true => Awaited::Queued(3),
                false => Awaited::Values,
            },
            is_checked,
            refused: None,
            nils: Vec::new(),
        }))
    }

    /// Writes one command that counts how many of the keys of nils are there, and hands those back
    /// that are to be read by themselves.
    pub(super) fn write_check(
        &mut self,
        output: &mut Vec<u8>,
        nils: &mut Vec<Arc<InFlight>>,
        habits: &ReadHabits,
    ) -> Result<Merged, Vec<Arc<InFlight>>> {
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
        Ok(Merged::Nils(std::mem::take(&mut self.requests)))
    }

    fn write_command(&self, output: &mut Vec<u8>, name: &str) {
        resp::begin(output, self.requests.len() + 1);
        Argument::new(name).write_to(output);
        output.extend_from_slice(&self.keys);
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
    /// says whether it added them: invocations of another script go by themselves.
    pub(super) fn add(&mut self, invocation: &KeyedInvocation) -> bool {
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
    pub(super) fn write(
        &mut self,
        output: &mut Vec<u8>,
        needs_text: impl FnOnce(&'static Script) -> bool,
    ) -> Result<Merged, Vec<Arc<InFlight>>> {
        let requests = std::mem::take(&mut self.requests);
        let script = self.script.take();
        let (keys, numbers) = (&mut self.keys, &mut self.numbers);
        let outcome = match script {
            Some(script) if requests.len() >= FEWEST_KEYED => {
                let in_full = needs_text(script);
                KeyedInvocation::begin_merged(script, in_full, output, requests.len());
                output.extend_from_slice(keys);
                output.extend_from_slice(numbers);
                Ok(Merged::Keyed(script, requests))
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
    Gets(Reads),
    /// Reads that were nil: the reply counts how many of their keys are there.
    Nils(Vec<Arc<InFlight>>),
    Keyed(&'static Script, Vec<Arc<InFlight>>),
}

impl Merged {
    pub(super) fn requests(&self) -> &[Arc<InFlight>] {
        match self {
            Self::Gets(reads) => &reads.requests,
            Self::Nils(requests) | Self::Keyed(_, requests) => requests,
        }
    }

    pub(super) fn script(&self) -> Option<&'static Script> {
        match self {
            Self::Keyed(script, _) => Some(script),
            Self::Gets(_) | Self::Nils(_) => None,
        }
    }

    /// Returns the length of the array that is taken element by element, if one is next.
    pub(super) fn array(&self) -> Option<usize> {
        match self {
            Self::Gets(reads) => reads.array(),
            Self::Nils(_) | Self::Keyed(..) => None,
        }
    }

    /// Notes that the elements of the array are next.
    pub(super) fn begin_array(&mut self) {
        if let Self::Gets(reads) = self {
            reads.begin_array();
        }
    }

    /// Takes what has come: a reply, or an element of one.
    pub(super) fn take(
        &mut self,
        reply: Reply,
        habits: &mut ReadHabits,
        unanswered: &mut Unanswered,
    ) -> Result<TakenReply, ConnectionEnd> {
        match self {
            Self::Gets(reads) => reads.take(reply, habits, unanswered),
            Self::Nils(requests) => {
                let requests = std::mem::take(requests);
                let answered = take_count(requests, 0, reply, habits, unanswered);
                Ok(TakenReply::all(answered))
            }
            Self::Keyed(_, requests) => {
                let requests = std::mem::take(requests);
                take_keyed(requests, reply).map(TakenReply::all)
            }
        }
    }
}

/// The effect of a reply, or of an element of one.
pub(super) struct TakenReply {
    /// The number of callers that have their answer.
    pub(super) answered: usize,
    /// True if no other part of the command's reply is to come.
    pub(super) is_whole: bool,
}

impl TakenReply {
    fn all(answered: usize) -> Self {
        let is_whole = true;
        Self { answered, is_whole }
    }

    fn some(answered: usize) -> Self {
        let is_whole = false;
        Self { answered, is_whole }
    }
}

/// Reads that became one command, and the part of its reply that is next.
pub(super) struct Reads {
    requests: Vec<Arc<InFlight>>,
    awaited: Awaited,
    /// True if a check goes with the command.
    is_checked: bool,
    /// The first refusal in a transaction.
    refused: Option<ErrorReply>,
    nils: Vec<Arc<InFlight>>,
}

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
    fn array(&self) -> Option<usize> {
        match self.awaited {
            Awaited::Replies => Some(2),
            Awaited::Values => Some(self.requests.len()),
            Awaited::Queued(_) | Awaited::Value(_) | Awaited::Count => None,
        }
    }

    fn begin_array(&mut self) {
        self.awaited = match self.awaited {
            Awaited::Replies => Awaited::Values,
            _ => Awaited::Value(0),
        };
    }

    fn take(
        &mut self,
        reply: Reply,
        habits: &mut ReadHabits,
        unanswered: &mut Unanswered,
    ) -> Result<TakenReply, ConnectionEnd> {
        match (self.awaited, reply) {
            (Awaited::Queued(missing), reply) => {
                self.awaited = match missing {
                    1 => Awaited::Replies,
                    _ => Awaited::Queued(missing - 1),
                };
                if let Reply::Error(error) = reply {
                    self.refused.get_or_insert(error);
                }
                Ok(TakenReply::some(0))
            }
            (Awaited::Replies, reply) => {
                let is_over = match &reply {
                    Reply::Nil => true,
                    Reply::Error(error) => self.refused.is_some() || error.code() == "EXECABORT",
                    _ => false,
                };
                habits.may_transact.store(false, Ordering::Relaxed);
                if !is_over {
                    // The server may still queue what comes, and execute nothing of it.
                    return Err(ConnectionEnd::Malformed);
                }
                let requests = std::mem::take(&mut self.requests);
                match self.refused.take() {
                    Some(error) if is_about_all(&error) => {
                        Ok(TakenReply::all(refuse(requests, &error)))
                    }
                    _ => {
                        unanswered.again.extend(requests);
                        Ok(TakenReply::all(0))
                    }
                }
            }
            (Awaited::Values, Reply::Error(error)) if self.is_checked => {
                self.refused = Some(error);
                self.awaited = Awaited::Count;
                Ok(TakenReply::some(0))
            }
            (Awaited::Values, Reply::Error(error)) => {
                let requests = std::mem::take(&mut self.requests);
                Ok(TakenReply::all(refused(requests, &error, unanswered)))
            }
            // The requests stay here, and are lost with the connection.
            (Awaited::Values, _) => Err(ConnectionEnd::Malformed),
            (Awaited::Value(index), reply) => {
                let request = &self.requests[index];
                let answered = match reply {
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
                };
                if index + 1 < self.requests.len() {
                    self.awaited = Awaited::Value(index + 1);
                    return Ok(TakenReply::some(answered));
                }
                habits.note_misses(self.nils.len(), self.requests.len());
                if self.is_checked {
                    self.awaited = Awaited::Count;
                    return Ok(TakenReply::some(answered));
                }
                unanswered.nils.append(&mut self.nils);
                Ok(TakenReply::all(answered))
            }
            (Awaited::Count, reply) => {
                if let Some(error) = self.refused.take() {
                    let requests = std::mem::take(&mut self.requests);
                    return Ok(TakenReply::all(refused(requests, &error, unanswered)));
                }
                let nils = std::mem::take(&mut self.nils);
                let others = self.requests.len() - nils.len();
                let answered = take_count(nils, others, reply, habits, unanswered);
                Ok(TakenReply::all(answered))
            }
        }
    }
}

/// Takes the number of existing keys, among those that were nil and so many others that exist.
fn take_count(
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
            refused(nils, &error, unanswered)
        }
        _ => {
            unanswered.alone.extend(nils);
            0
        }
    }
}

fn take_keyed(requests: Vec<Arc<InFlight>>, reply: Reply) -> Result<usize, ConnectionEnd> {
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

/// Refuses all reads, or lets each read go by itself: one key may be forbidden and the others not,
/// or on its way to another node.
fn refused(requests: Vec<Arc<InFlight>>, error: &ErrorReply, unanswered: &mut Unanswered) -> usize {
    if is_about_all(error) {
        return refuse(requests, error);
    }
    unanswered.alone.extend(requests);
    0
}

/// Says whether a refusal is about the server, and not about one key or one command.
fn is_about_all(error: &ErrorReply) -> bool {
    let of_one = ["NOPERM", "CROSSSLOT", "TRYAGAIN", "ERR", "EXECABORT"];
    !of_one.contains(&error.code())
}

fn refuse(requests: Vec<Arc<InFlight>>, error: &ErrorReply) -> usize {
    for request in &requests {
        request.finish(Reply::Error(error.clone()));
    }
    requests.len()
}
