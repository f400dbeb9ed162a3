//! The life of an entry: as it is written, as it is read, and the durations that are possible.

use std::time::Duration;

use crate::error::{BackendError, BackendResult, ErrorKind};

/// The effect of a write on the life of an entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[doc(alias("ttl", "expiry"))]
pub enum Life {
    /// Keeps what is left of the present life; an entry that is new has no end.
    Keep,
    /// The entry has no end.
    Never,
    /// The entry ends after this time, counted from the write.
    In(Duration),
}

/// The life that an existing entry has left.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Expiry {
    /// The entry has no end.
    Never,
    /// The entry ends after this time, which is never zero.
    In(Duration),
}

/// The longest possible TTL: 10,000 years of 365.25 days.
pub const MAX_TTL: Duration = Duration::from_secs(10_000 * 31_557_600);

/// Checks a TTL and rounds it up to whole milliseconds, the resolution of every backend.
///
/// Every backend passes each TTL through this function before it does anything else.
///
/// # Errors
///
/// `InvalidTtl` for zero and for more than [`MAX_TTL`].
///
/// # Examples
///
/// ```
/// use reinhardt_backends::ErrorKind;
/// use reinhardt_backends::store::check_ttl;
/// use std::time::Duration;
///
/// assert_eq!(check_ttl(Duration::from_nanos(1)).unwrap(), Duration::from_millis(1));
/// assert_eq!(check_ttl(Duration::ZERO).unwrap_err().kind(), ErrorKind::InvalidTtl);
/// ```
#[inline]
pub fn check_ttl(ttl: Duration) -> BackendResult<Duration> {
    if ttl.is_zero() {
        return Err(impossible("zero is neither \"now\" nor \"for ever\""));
    }
    if ttl > MAX_TTL {
        return Err(impossible("more than 10,000 years"));
    }
    let nanos = ttl.subsec_nanos().next_multiple_of(1_000_000);
    Ok(Duration::new(ttl.as_secs(), nanos))
}

#[cold]
fn impossible(why: &'static str) -> BackendError {
    BackendError::new(ErrorKind::InvalidTtl, why)
}

impl Life {
    /// Checks the TTL inside, if there is one, as [`check_ttl`] does.
    ///
    /// # Errors
    ///
    /// `InvalidTtl`.
    #[inline]
    pub fn checked(self) -> BackendResult<Self> {
        match self {
            Self::In(ttl) => check_ttl(ttl).map(Self::In),
            other => Ok(other),
        }
    }
}

impl From<Option<Duration>> for Life {
    /// "This long, or for ever", as `set`, the conditional sets and `set_many` mean it.
    fn from(ttl: Option<Duration>) -> Self {
        ttl.map_or(Self::Never, Self::In)
    }
}

impl From<Expiry> for Life {
    /// Returns the life that leaves an entry which was read with as long to live as it had.
    fn from(expiry: Expiry) -> Self {
        match expiry {
            Expiry::Never => Self::Never,
            Expiry::In(left) => Self::In(left),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fraction_of_a_millisecond_rounds_up() {
        let rounded = |nanos| check_ttl(Duration::from_nanos(nanos)).unwrap();
        assert_eq!(rounded(1_000_000), Duration::from_millis(1));
        assert_eq!(rounded(1_000_001), Duration::from_millis(2));
    }

    #[test]
    fn the_longest_ttl_is_possible_and_one_more_nanosecond_is_not() {
        assert_eq!(check_ttl(MAX_TTL).unwrap(), MAX_TTL);
        for ttl in [MAX_TTL + Duration::from_nanos(1), Duration::MAX] {
            assert_eq!(check_ttl(ttl).unwrap_err().kind(), ErrorKind::InvalidTtl);
        }
    }
}
