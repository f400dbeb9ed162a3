//! The meaning of a server's replies.

use std::time::Duration;

use super::client::{ErrorReply, Reply, code, refusal, refusal_of_kind};
use super::scripts::{NOT_AN_INTEGER, OVERFLOW, TOO_MANY_QUOTAS};
use crate::backend::answers::Counted;
use crate::backend::life::Expiry;
use crate::backend::stored::Stored;
use crate::codec::parse_integer;
use crate::error::{BackendError, ErrorKind};
use crate::quota::{Decision, Quota, too_many_quotas};

/// The answer to a command, once it is read.
pub(super) type ReadReply<T> = Result<T, Unread>;

/// The reason why an answer can't be read.
#[derive(Debug)]
pub(super) enum Unread {
    /// The server refused, or one of our scripts did.
    Refused(BackendError),
    /// The answer has a shape that no server should give it.
    Odd,
}

impl Unread {
    /// Turns the answer to a command that changes nothing into an error.
    pub(super) fn of_read(self) -> BackendError {
        match self {
            Self::Refused(error) => error,
            Self::Odd => BackendError::new(
                ErrorKind::Other,
                "the server's answer has an unexpected shape",
            ),
        }
    }

    /// Turns the answer to a write into an error. An odd answer doesn't say what was done.
    pub(super) fn of_write(self) -> BackendError {
        let is_odd = matches!(self, Self::Odd);
        self.of_read().after(is_odd)
    }
}

/// Reads an answer that is bytes or nothing.
pub(super) fn stored(reply: Reply) -> ReadReply<Option<Stored>> {
    match reply {
        Reply::Nil => Ok(None),
        Reply::Bytes(bytes) => Ok(Some(bytes)),
        other => unexpected(other),
    }
}

/// Reads the answers of a pipeline of so many commands.
pub(super) fn each(reply: Reply, asked: usize) -> ReadReply<Vec<Reply>> {
    match reply {
        Reply::Array(replies) if replies.len() == asked => Ok(replies),
        other => unexpected(other),
    }
}

/// Reads the answer of one command of many: a key of a foreign type is absent, as in an `MGET`.
pub(super) fn stored_or_foreign(reply: Reply) -> ReadReply<Option<Stored>> {
    match stored(reply) {
        Err(Unread::Refused(error)) if error.kind() == ErrorKind::WrongType => Ok(None),
        answer => answer,
    }
}

/// Reads the answers of `MGET`, where a key of a foreign type is absent.
pub(super) fn all_stored(reply: Reply) -> ReadReply<Vec<Option<Stored>>> {
    match reply {
        Reply::Array(replies) => replies.into_iter().map(stored).collect(),
        other => unexpected(other),
    }
}

pub(super) fn integer(reply: Reply) -> ReadReply<i64> {
    match reply {
        Reply::Integer(integer) => Ok(integer),
        other => unexpected(other),
    }
}

/// Reads the answer to a condition of ours: 1 where it held.
pub(super) fn held(reply: Reply) -> ReadReply<bool> {
    Ok(integer(reply)? == 1)
}

/// Reads the answer of a `SET`: whether it was done.
pub(super) fn done(reply: Reply) -> ReadReply<bool> {
    match reply {
        Reply::Status => Ok(true),
        Reply::Nil => Ok(false),
        other => unexpected(other),
    }
}

/// Reads a remaining life in milliseconds as `PTTL` tells it: a key in its last millisecond has 0
/// left.
pub(super) fn expiry(millis: i64) -> Option<Expiry> {
    match millis {
        -2 => None,
        -1 => Some(Expiry::Never),
        millis => Some(Expiry::In(Duration::from_millis(
            millis.max(1).unsigned_abs(),
        ))),
    }
}

/// Reads a pair of bytes and remaining milliseconds.
pub(super) fn stored_and_expiry(reply: Reply) -> ReadReply<Option<(Stored, Expiry)>> {
    match reply {
        Reply::Nil => Ok(None),
        Reply::Array(pair) => {
            let Ok([Reply::Bytes(bytes), Reply::Integer(millis)]) = <[Reply; 2]>::try_from(pair)
            else {
                return unexpected(Reply::Nil);
            };
            Ok(expiry(millis).map(|expiry| (bytes, expiry)))
        }
        other => unexpected(other),
    }
}

/// Reads a sum, as a number or as text, and the remaining milliseconds of its window.
pub(super) fn counted(reply: Reply) -> ReadReply<Counted> {
    let Reply::Array(pair) = reply else {
        return unexpected(reply);
    };
    let Ok([sum, Reply::Integer(millis)]) = <[Reply; 2]>::try_from(pair) else {
        return unexpected(Reply::Nil);
    };
    let value = match sum {
        Reply::Integer(sum) => Some(sum),
        Reply::Bytes(text) => parse_integer(text.as_bytes()),
        other => return unexpected(other),
    };
    let counted = value.zip(expiry(millis));
    let counted = counted.map(|(value, expiry)| Counted { value, expiry });
    counted.map_or_else(|| unexpected(Reply::Nil), Ok)
}

/// Reads the decision about an attempt at `quotas`.
pub(super) fn decision(reply: Reply, quotas: &[Quota]) -> ReadReply<Decision> {
    let Reply::Array(numbers) = reply else {
        return unexpected(reply);
    };
    let number = |number| u64::try_from(integer(number)?).or_else(|_| unexpected(Reply::Nil));
    let numbers: Vec<u64> = numbers.into_iter().map(number).collect::<ReadReply<_>>()?;
    let [allowed, quota, remaining, wait, reset, more] = numbers[..] else {
        return unexpected(Reply::Nil);
    };
    let quota = quota as usize;
    let Some(limit) = quotas.get(quota).map(Quota::capacity) else {
        return unexpected(Reply::Nil);
    };
    Ok(Decision {
        allowed: allowed == 1,
        quota,
        limit: limit.into(),
        remaining,
        retry_after: (allowed != 1).then(|| Duration::from_micros(wait)),
        next_after: Duration::from_micros(more),
        reset_after: Duration::from_micros(reset),
    })
}

/// Reads a page of `SCAN`: the place where the next page begins (0: nowhere) and the keys of this
/// page.
pub(super) fn page(reply: Reply) -> ReadReply<(u64, Vec<Stored>)> {
    let Reply::Array(parts) = reply else {
        return unexpected(reply);
    };
    let Ok([Reply::Bytes(next), Reply::Array(keys)]) = <[Reply; 2]>::try_from(parts) else {
        return unexpected(Reply::Nil);
    };
    let next = std::str::from_utf8(next.as_bytes())
        .ok()
        .and_then(|next| next.parse().ok());
    let Some(next) = next else {
        return unexpected(Reply::Nil);
    };
    let key = |key| match key {
        Reply::Bytes(key) => Ok(key),
        other => unexpected(other),
    };
    Ok((next, keys.into_iter().map(key).collect::<ReadReply<_>>()?))
}

/// Reads the answer of a `PING`.
pub(super) fn pong(reply: Reply) -> ReadReply<()> {
    match reply {
        Reply::Status => Ok(()),
        other => unexpected(other),
    }
}

fn unexpected<T>(reply: Reply) -> ReadReply<T> {
    match reply {
        Reply::Error(error) => Err(Unread::Refused(failure(&error))),
        _ => Err(Unread::Odd),
    }
}

/// Turns an error reply into ours, those of our own scripts included.
fn failure(error: &ErrorReply) -> BackendError {
    match code(error) {
        NOT_AN_INTEGER => refusal_of_kind(ErrorKind::WrongType, error),
        OVERFLOW => refusal_of_kind(ErrorKind::Overflow, error),
        TOO_MANY_QUOTAS => too_many_quotas(),
        _ => refusal(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn code_words_of_our_scripts_have_their_meaning() {
        let kind = |code: &str| failure(&ErrorReply::from(code)).kind();
        assert_eq!(kind("OVERFLOW the sum"), ErrorKind::Overflow);
        assert_eq!(kind("NOTANINTEGER no counter"), ErrorKind::WrongType);
        assert_eq!(kind("TOOMANYQUOTAS"), ErrorKind::InvalidConfig);
        assert_eq!(kind("NOPERM"), ErrorKind::Denied);
    }

    #[test]
    fn the_last_millisecond_is_not_zero() {
        assert_eq!(expiry(0), Some(Expiry::In(Duration::from_millis(1))));
        assert_eq!(expiry(-1), Some(Expiry::Never));
        assert_eq!(expiry(-2), None);
    }
}
