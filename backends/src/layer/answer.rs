//! The answer of a call, as far as a layer may look into it.

use crate::backend::store::DecodedOrBytes;
use crate::backend::{Counted, Expiry, Stored};
use crate::quota::Decision;

/// The answer of a call of a store. No other type than those of the contract implements it.
pub trait Answer: sealed::Sealed + Send {
    /// Tells what the answer says, without the value.
    fn outcome(&self) -> Outcome;
}

/// The meaning of an answer that is no error.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Outcome {
    /// There was a live entry to read.
    Hit,
    /// There was no live entry to read.
    Miss,
    /// Some of several entries were there to be read.
    Found {
        /// The number of live entries.
        hits: usize,
        /// The number of keys without one.
        misses: usize,
    },
    /// The call had its effect.
    Done,
    /// The call had no effect: its condition didn't hold, or there was no entry.
    NotDone,
    /// So many entries were removed.
    Removed(u64),
    /// The throttle allows the attempt.
    Allowed,
    /// The throttle refuses the attempt.
    Refused,
}

impl Outcome {
    /// Returns the name of the outcome in lower case, such as `not_done`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Hit => "hit",
            Self::Miss => "miss",
            Self::Found { .. } => "found",
            Self::Done => "done",
            Self::NotDone => "not_done",
            Self::Removed(_) => "removed",
            Self::Allowed => "allowed",
            Self::Refused => "refused",
        }
    }
}

fn of_read(is_hit: bool) -> Outcome {
    match is_hit {
        true => Outcome::Hit,
        false => Outcome::Miss,
    }
}

mod sealed {
    pub trait Sealed {}
}

macro_rules! answers {
    ($($type:ty: $answer:ident => $outcome:expr;)*) => {
        $(impl sealed::Sealed for $type {}

        impl Answer for $type {
            fn outcome(&self) -> Outcome {
                let $answer = self;
                $outcome
            }
        })*
    };
}

answers! {
    Option<(Stored, Expiry)>: answer => of_read(answer.is_some());
    Option<Stored>: answer => of_read(answer.is_some());
    Option<Expiry>: answer => of_read(answer.is_some());
    Option<DecodedOrBytes>: answer => of_read(answer.is_some());
    Vec<Option<Stored>>: answer => {
        let hits = answer.iter().flatten().count();
        Outcome::Found { hits, misses: answer.len() - hits }
    };
    bool: answer => match answer {
        true => Outcome::Done,
        false => Outcome::NotDone,
    };
    Counted: _answer => Outcome::Done;
    (): _answer => Outcome::Done;
    u64: answer => Outcome::Removed(*answer);
    Decision: answer => match answer.allowed {
        true => Outcome::Allowed,
        false => Outcome::Refused,
    };
}
