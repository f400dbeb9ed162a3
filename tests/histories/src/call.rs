//! One call, as it is recorded.

use std::fmt;
use std::time::Duration;

use reinhardt_backends::{Condition, Expiry, Life};

use super::clock::nanos;

/// What a client asks of one key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Action {
    /// Reads the value.
    Get,
    /// Writes a value.
    Put(i64, Lasts, When),
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
    /// Looks for the key in a list of keys. A list has a deadline a page, and none as a whole.
    List,
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
    /// The store, which was full, gave up this value.
    Evicted(i64),
}

/// How long a value that is written lasts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Lasts {
    /// It has no end.
    Ever,
    /// It ends after so many milliseconds.
    For(u64),
    /// It ends when the value before it would have.
    Kept,
}

/// The condition of a write.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum When {
    /// There is none.
    Always,
    /// There is no value.
    Absent,
    /// There is a value.
    Present,
    /// There is this value.
    Equals(i64),
}

impl Lasts {
    pub(super) fn life(self) -> Life {
        match self {
            Self::Ever => Life::Never,
            Self::For(millis) => Life::In(Duration::from_millis(millis)),
            Self::Kept => Life::Keep,
        }
    }
}

impl When {
    /// Returns the value that has to be there.
    pub(super) fn expected(self) -> Option<i64> {
        match self {
            Self::Equals(value) => Some(value),
            Self::Always | Self::Absent | Self::Present => None,
        }
    }

    /// Returns the condition, with the bytes of the value that has to be there.
    pub(super) fn condition(self, expected: Option<&[u8]>) -> Condition<'_> {
        match self {
            Self::Always => Condition::Always,
            Self::Absent => Condition::Absent,
            Self::Present => Condition::Present,
            Self::Equals(_) => Condition::Equals(expected.expect("the bytes of the value")),
        }
    }
}

impl Action {
    /// Returns a write without a condition, of a value without an end.
    pub const fn set(value: i64) -> Self {
        Self::Put(value, Lasts::Ever, When::Always)
    }

    /// Says whether it changes nothing.
    pub(super) fn only_reads(self) -> bool {
        matches!(self, Self::Get | Self::Exists | Self::List | Self::Ttl)
    }

    /// Returns the value that it writes as it is, if it does that.
    pub(super) fn written(self) -> Option<i64> {
        match self {
            Self::Put(value, ..) | Self::Update(value) => Some(value),
            _ => None,
        }
    }
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
            Expiry::In(left) => nanos(left),
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
    /// Nobody was told: the call has taken effect before its end, or never.
    Perhaps,
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
            End::Answered(_) | End::Failed | End::Perhaps => self.ended,
        }
    }

    pub(super) fn answer(&self) -> Option<Answer> {
        match self.end {
            End::Answered(answer) => Some(answer),
            End::Failed | End::Unknown | End::Perhaps => None,
        }
    }
}

/// `[12.345 ms .. 13.001 ms] client 3: Delete on key 2 -> Answered(Done(true))`
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
