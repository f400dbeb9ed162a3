//! What a server's answers mean, and what of them an error may show.

use std::time::Duration;

use super::resp::{Refusal, Reply};
use crate::backend::Counted;
use crate::backend::life::Expiry;
use crate::backend::stored::Stored;
use crate::backend::throttle::{Decision, Quota, too_many_quotas};
use crate::codec::parse_integer;
use crate::error::{BackendError, BackendResult, ErrorKind};

/// Turns an error reply into ours. Only its code word is kept: the rest may repeat arguments, values included.
pub(super) fn refusal(error: &Refusal) -> BackendError {
    let details = error.details();
    let code = code(error);
    let kind = match code {
        "LOADING" | "READONLY" | "MASTERDOWN" | "CLUSTERDOWN" | "BUSY" | "MISCONF" | "TRYAGAIN"
        | "NOREPLICAS" => ErrorKind::Unavailable,
        "NOAUTH" | "WRONGPASS" | "NOPERM" => ErrorKind::Denied,
        "WRONGTYPE" | super::script::NOT_AN_INTEGER => ErrorKind::WrongType,
        super::script::OVERFLOW => ErrorKind::Overflow,
        super::script::TOO_MANY_QUOTAS => return too_many_quotas(),
        "OOM" => ErrorKind::Full,
        "NOPROTO" => ErrorKind::Unsupported,
        "ERR" if is_unknown_command(details) => ErrorKind::Unsupported,
        "ERR" if is_full_of_clients(details) => ErrorKind::Unavailable,
        _ if is_denied_in_script(details) => ErrorKind::Denied,
        _ => ErrorKind::Other,
    };
    BackendError::new(kind, format!("the server answered {}", code_word(code)))
}

/// Returns the code word, which Redis 6.2 puts behind others in a script.
fn code(error: &Refusal) -> &str {
    code_in_script(error.code(), error.details()).unwrap_or(error.code())
}

/// Says whether a server answered, to a command or to one of several, that it is the wrong one to ask: after a failover the
/// address may lead to another.
pub(super) fn is_from_wrong_server(reply: &Reply) -> bool {
    match reply {
        Reply::Error(error) => matches!(code(error), "READONLY" | "MASTERDOWN"),
        Reply::Array(replies) => replies
            .iter()
            .any(|reply| matches!(reply, Reply::Error(_)) && is_from_wrong_server(reply)),
        _ => false,
    }
}

/// Finds the code in `@user_script: 3: -OOM command not allowed`, as Redis 6.2 spells an error that a script hands on.
fn code_in_script<'a>(code: &str, details: &'a str) -> Option<&'a str> {
    if !code.starts_with("@user_script") {
        return None;
    }
    let mut words = details.split(' ');
    words.find_map(|word| word.strip_prefix('-'))
}

fn is_unknown_command(details: &str) -> bool {
    let details = details.to_ascii_lowercase();
    details.starts_with("unknown command")
        || details.starts_with("unknown redis command called from")
        || details.starts_with("unknown subcommand")
}

/// Redis 6.2 and 7.0 have no code word of their own for a command that a script may not run.
fn is_denied_in_script(details: &str) -> bool {
    details.contains("The user executing the script can't")
}

fn is_full_of_clients(details: &str) -> bool {
    details.starts_with("max number of clients")
}

/// A code is one upper-case word; anything else in its place is not shown.
fn code_word(code: &str) -> &str {
    let is_word = code
        .bytes()
        .all(|byte| byte.is_ascii_uppercase() || byte == b'_');
    if is_word && !code.is_empty() {
        code
    } else {
        "an error"
    }
}

/// Reads an answer that is bytes or nothing.
pub(super) fn stored(reply: Reply) -> BackendResult<Option<Stored>> {
    match reply {
        Reply::Nil => Ok(None),
        Reply::Bytes(bytes) => Ok(Some(bytes)),
        other => unexpected(other),
    }
}

/// Reads the answer of one command of many: a key of a foreign type is absent, as in an `MGET`.
pub(super) fn stored_or_foreign(reply: Reply) -> BackendResult<Option<Stored>> {
    match stored(reply) {
        Err(error) if error.kind() == ErrorKind::WrongType => Ok(None),
        answer => answer,
    }
}

/// Reads the answers of `MGET`; a key of a foreign type is nothing there.
pub(super) fn all_stored(reply: Reply) -> BackendResult<Vec<Option<Stored>>> {
    match reply {
        Reply::Array(replies) => replies.into_iter().map(stored).collect(),
        other => unexpected(other),
    }
}

pub(super) fn integer(reply: Reply) -> BackendResult<i64> {
    match reply {
        Reply::Integer(integer) => Ok(integer),
        other => unexpected(other),
    }
}

/// Reads the answer of a `SET`: whether it was done.
pub(super) fn done(reply: Reply) -> BackendResult<bool> {
    match reply {
        Reply::Status => Ok(true),
        Reply::Nil => Ok(false),
        other => unexpected(other),
    }
}

/// Reads a remaining life in milliseconds as `PTTL` tells it: a key in its last millisecond has 0 left.
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
pub(super) fn stored_and_expiry(reply: Reply) -> BackendResult<Option<(Stored, Expiry)>> {
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
pub(super) fn counted(reply: Reply) -> BackendResult<Counted> {
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

/// Reads what became of an attempt at `quotas`.
pub(super) fn decision(reply: Reply, quotas: &[Quota]) -> BackendResult<Decision> {
    let Reply::Array(numbers) = reply else {
        return unexpected(reply);
    };
    let number = |number| u64::try_from(integer(number)?).or_else(|_| unexpected(Reply::Nil));
    let numbers: Vec<u64> = numbers
        .into_iter()
        .map(number)
        .collect::<BackendResult<_>>()?;
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

/// Reads a page of `SCAN`: where the next begins (0: nowhere) and the keys of this one.
pub(super) fn page(reply: Reply) -> BackendResult<(u64, Vec<Stored>)> {
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
    Ok((
        next,
        keys.into_iter().map(key).collect::<BackendResult<_>>()?,
    ))
}

pub(super) fn unexpected<T>(reply: Reply) -> BackendResult<T> {
    match reply {
        Reply::Error(error) => Err(refusal(&error)),
        _ => Err(BackendError::new(
            ErrorKind::Other,
            "the server's answer has an unexpected shape",
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kind(code: &str, details: &str) -> ErrorKind {
        refusal(&Refusal::from(format!("{code} {details}").as_str())).kind()
    }

    #[test]
    fn code_words_have_their_meaning() {
        for code in [
            "LOADING",
            "READONLY",
            "MASTERDOWN",
            "CLUSTERDOWN",
            "BUSY",
            "MISCONF",
            "TRYAGAIN",
        ] {
            assert_eq!(kind(code, ""), ErrorKind::Unavailable, "{code}");
        }
        for code in ["NOAUTH", "WRONGPASS", "NOPERM"] {
            assert_eq!(kind(code, ""), ErrorKind::Denied, "{code}");
        }
        assert_eq!(kind("WRONGTYPE", ""), ErrorKind::WrongType);
        assert_eq!(kind("TOOMANYQUOTAS", ""), ErrorKind::InvalidConfig);
        assert_eq!(kind("OOM", ""), ErrorKind::Full);
        let in_script = kind("@user_script:", "3: -OOM command not allowed");
        assert_eq!(in_script, ErrorKind::Full);
        assert_eq!(
            kind("ERR", "unknown command 'GETDEL', with args"),
            ErrorKind::Unsupported
        );
        assert_eq!(
            kind("ERR", "max number of clients reached"),
            ErrorKind::Unavailable
        );
        assert_eq!(kind("ERR", "syntax error"), ErrorKind::Other);
    }

    #[test]
    fn an_error_keeps_the_code_word_alone() {
        let error = refusal(&Refusal::from(
            "ERR unknown command 'FOO', with args beginning with: 'topsecret'",
        ));
        assert_eq!(error.to_string(), "unsupported: the server answered ERR");
        let error = refusal(&Refusal::from("topsecret"));
        assert_eq!(
            error.to_string(),
            "backend error: the server answered an error"
        );
    }

    #[test]
    fn the_last_millisecond_is_not_zero() {
        assert_eq!(expiry(0), Some(Expiry::In(Duration::from_millis(1))));
        assert_eq!(expiry(-1), Some(Expiry::Never));
        assert_eq!(expiry(-2), None);
    }
}
