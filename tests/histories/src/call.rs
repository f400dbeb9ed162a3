//! One call, as it is recorded.

use std::fmt;

use reinhardt_backends::Expiry;

/// What a client asks of one key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Action {
    /// Reads the value.
    Get,
    /// Writes a value without an end.
    Set(i64),
    /// Writes a value that ends after so many milliseconds.
    SetFor(i64, u64),
    /// Writes a value if there is none.
    SetIfAbsent(i64),
    /// Writes a value if there is one.
    SetIfPresent(i64),
    /// Writes the second value if the first one is there.
    CompareAndSet(i64, i64),
    /// Removes the value if it is this one.
    CompareAndDelete(i64),
    /// Removes the value.
    Delete,
    /// Reads the value and removes it.
    Take,
    /// Counts.
    Add(i64),
    /// Counts, and gives a counter without an end one after so many milliseconds.
    AddFor(i64, u64),
    /// Asks whether there is a value.
    Exists,
    /// Asks how long the value lives.
    Ttl,
    /// Has the value end after so many milliseconds, or never.
    Expire(Option<u64>),
    /// Reads the value, which ends so many milliseconds later.
    Restart(u64),
    /// Reads the value, which ends so many milliseconds later, unless it ends later still.
    Extend(u64),
    /// Reads the value and writes another one in its place, for what is left of its life.
    Update(i64),
    /// Removes the value if there is one, and doesn't say so.
    Clear,
    /// Removes the value if there is one, or does nothing.
    PerhapsClear,
    /// Writes a value if there is none, or does nothing.
    PerhapsSet(i64),
    /// The store, which was full, gave up this value.
    Evicted(i64),
}

/// The answer to a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Answer {
    /// Whether a write or a removal was done.
    Done(bool),
    /// The value that was read.
    Value(Option<i64>),
    /// The count after the call.
    Count(i64),
    /// The nanoseconds that the value has left, [`FOR_EVER`] if it has no end.
    Left(Option<u64>),
    /// Something that no client has written under this key: the answer to another question.
    Foreign,
}

impl Answer {
    /// Returns the answer that is what is left of a life.
    pub(super) fn left(expiry: Option<Expiry>) -> Self {
        Self::Left(expiry.map(|expiry| match expiry {
            Expiry::Never => FOR_EVER,
            Expiry::In(left) => u64::try_from(left.as_nanos()).expect("some milliseconds"),
        }))
    }
}

/// What is left of the life of a value without an end.
pub const FOR_EVER: u64 = u64::MAX;

/// The end of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum End {
    /// An answer.
    Answered(Answer),
    /// An error that says that nothing was changed.
    Failed,
    /// An error that says that the outcome is unknown: the call may take effect at any time, or
    /// never.
    Unknown,
}

/// A call of one client on one key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Call {
    /// The client; it makes one call at a time.
    pub client: u32,
    /// The key.
    pub key: u32,
    /// The question.
    pub action: Action,
    /// The time at which the client began, in nanoseconds since the schedule began.
    pub began: u64,
    /// The time at which the client had the answer, or the error.
    pub ended: u64,
    /// The answer, or the error.
    pub end: End,
}

impl Call {
    /// Returns the time after which the call has no further effect.
    pub(super) fn settled(&self) -> u64 {
        match self.end {
            End::Unknown => u64::MAX,
            End::Answered(_) | End::Failed => self.ended,
        }
    }

    pub(super) fn answer(&self) -> Option<Answer> {
        match self.end {
            End::Answered(answer) => Some(answer),
            End::Failed | End::Unknown => None,
        }
    }
}

/// `[12.345 ms .. 13.001 ms] client 3: SetIfAbsent(7) on key 2 -> Done(true)`
impl fmt::Display for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let millis = |nanos: u64| nanos as f64 / 1e6;
        let (began, ended) = (millis(self.began), millis(self.ended));
        let Self {
            client,
            key,
            action,
            end,
            ..
        } = self;
        write!(
            f,
            "[{began:.3} ms .. {ended:.3} ms] client {client}: {action:?} on key {key} -> {end:?}"
        )
    }
}
