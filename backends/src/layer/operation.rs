//! A call of a store, as a layer sees it.

use std::fmt;

use crate::backend::store::{NewEntry, Touch};

/// The kinds of calls of a store, by their effect.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Op {
    /// The value under one key is read, with or without its life; the read may renew the life.
    Read,
    /// The values under several keys are read.
    ReadMany,
    /// The rest of an entry's life is read.
    ReadLife,
    /// A value is written, perhaps under a condition.
    Write,
    /// Several values are written.
    WriteMany,
    /// An entry is removed, perhaps under a condition.
    Remove,
    /// Several entries are removed.
    RemoveMany,
    /// All entries under a prefix are removed.
    Clear,
    /// An entry is removed, and its value is the answer.
    Take,
    /// A counter is added to.
    Increment,
    /// An entry gets another life.
    Expire,
    /// An entry is moved to another key.
    Move,
    /// A throttle is asked.
    Throttle,
    /// The keys under a prefix are listed.
    Scan,
    /// The store is asked whether it is there.
    Ping,
}

impl Op {
    /// Every kind of call.
    pub const ALL: &'static [Self] = &[
        Self::Read,
        Self::ReadMany,
        Self::ReadLife,
        Self::Write,
        Self::WriteMany,
        Self::Remove,
        Self::RemoveMany,
        Self::Clear,
        Self::Take,
        Self::Increment,
        Self::Expire,
        Self::Move,
        Self::Throttle,
        Self::Scan,
        Self::Ping,
    ];

    /// Returns the name of the kind in lower case, such as `read_many`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::ReadMany => "read_many",
            Self::ReadLife => "read_life",
            Self::Write => "write",
            Self::WriteMany => "write_many",
            Self::Remove => "remove",
            Self::RemoveMany => "remove_many",
            Self::Clear => "clear",
            Self::Take => "take",
            Self::Increment => "increment",
            Self::Expire => "expire",
            Self::Move => "move",
            Self::Throttle => "throttle",
            Self::Scan => "scan",
            Self::Ping => "ping",
        }
    }
}

impl fmt::Display for Op {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A call of a store: its kind and its keys.
#[derive(Clone, Copy)]
pub struct Operation<'a> {
    op: Op,
    keys: OperationKeys<'a>,
    touches: bool,
}

#[derive(Clone, Copy)]
enum OperationKeys<'a> {
    None,
    One(&'a str),
    Two(&'a str, &'a str),
    Many(&'a [&'a str]),
    Entries(&'a [NewEntry<'a>]),
}

impl<'a> Operation<'a> {
    fn new(op: Op, keys: OperationKeys<'a>) -> Self {
        let touches = false;
        Self { op, keys, touches }
    }

    pub(super) fn without_key(op: Op) -> Self {
        Self::new(op, OperationKeys::None)
    }

    pub(super) fn on(op: Op, key: &'a str) -> Self {
        Self::new(op, OperationKeys::One(key))
    }

    pub(super) fn from_to(op: Op, from: &'a str, to: &'a str) -> Self {
        Self::new(op, OperationKeys::Two(from, to))
    }

    pub(super) fn on_many(op: Op, keys: &'a [&'a str]) -> Self {
        Self::new(op, OperationKeys::Many(keys))
    }

    pub(super) fn on_entries(op: Op, entries: &'a [NewEntry<'a>]) -> Self {
        Self::new(op, OperationKeys::Entries(entries))
    }

    /// Makes the call one with this effect on the lives of what it reads.
    pub(super) fn touching(self, touch: Touch) -> Self {
        let touches = touch != Touch::Keep;
        Self { touches, ..self }
    }

    /// Returns the kind of the call.
    pub fn op(&self) -> Op {
        self.op
    }

    /// Says whether the call changes nothing, so that its outcome is never unknown.
    ///
    /// A read that renews a life changes something, and so may the question to a throttle.
    pub fn is_read(&self) -> bool {
        match self.op {
            Op::Read | Op::ReadMany => !self.touches,
            Op::ReadLife | Op::Scan | Op::Ping => true,
            _ => false,
        }
    }

    /// Returns the key, the first of several keys, or the prefix.
    ///
    /// A key may have a secret in it, such as the id of a session: it belongs in no label and no
    /// log.
    pub fn key(&self) -> Option<&'a str> {
        self.keys().next()
    }

    /// Returns all keys of the call, or its prefix.
    pub fn keys(&self) -> impl Iterator<Item = &'a str> + use<'a> {
        let (one, two, many, entries) = match self.keys {
            OperationKeys::None => (None, None, &[][..], &[][..]),
            OperationKeys::One(key) => (Some(key), None, &[][..], &[][..]),
            OperationKeys::Two(from, to) => (Some(from), Some(to), &[][..], &[][..]),
            OperationKeys::Many(keys) => (None, None, keys, &[][..]),
            OperationKeys::Entries(entries) => (None, None, &[][..], entries),
        };
        let several = many.iter().copied();
        let several = several.chain(entries.iter().map(|entry| entry.key));
        one.into_iter().chain(two).chain(several)
    }
}

/// Leaves the keys out, which may have secrets in them.
impl fmt::Debug for Operation<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Operation")
            .field("op", &self.op)
            .field("keys", &self.keys().count())
            .finish()
    }
}
