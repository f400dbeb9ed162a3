//! Integers as canonical decimal text.

/// Returns the counter that `bytes` holds: canonical decimal text of an integer in the range of
/// `i64`.
///
/// For authors of backends: these are the bytes that `increment_by` counts on; for all other bytes
/// it answers `WrongType`.
///
/// # Examples
///
/// ```
/// use reinhardt_backends::codec::parse_integer;
///
/// assert_eq!(parse_integer(b"-42"), Some(-42));
/// for other in [&b"042"[..], b"-0", b"+5", b"5x", b"-", b"", b"9223372036854775808"] {
///     assert_eq!(parse_integer(other), None);
/// }
/// ```
pub fn parse_integer(bytes: &[u8]) -> Option<i64> {
    i64::try_from(parse(bytes)?).ok()
}

/// Parses canonical decimal text of an integer that fits `i64` or `u64`.
pub(super) fn parse(bytes: &[u8]) -> Option<i128> {
    let (negative, digits) = match bytes {
        [b'-', digits @ ..] => (true, digits),
        digits => (false, digits),
    };
    let canonical = match digits {
        [b'0'] => !negative,
        [b'1'..=b'9', rest @ ..] => rest.len() < 20 && rest.iter().all(u8::is_ascii_digit),
        _ => false,
    };
    if !canonical {
        return None;
    }
    let size = digits
        .iter()
        .fold(0, |size: i128, digit| size * 10 + i128::from(digit - b'0'));
    let value = if negative { -size } else { size };
    (i128::from(i64::MIN)..=i128::from(u64::MAX))
        .contains(&value)
        .then_some(value)
}

/// Says whether only an integer can begin with this byte.
pub(super) fn begins_integer(first: u8) -> bool {
    first == b'-' || first.is_ascii_digit()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_whole_range_is_read() {
        for value in [
            0,
            1,
            -1,
            42,
            i64::MIN.into(),
            i64::MAX.into(),
            u64::MAX.into(),
        ] {
            assert_eq!(parse(i128::to_string(&value).as_bytes()), Some(value));
        }
    }

    #[test]
    fn what_fits_neither_i64_nor_u64_is_refused() {
        for value in [
            i128::from(i64::MIN) - 1,
            i128::from(u64::MAX) + 1,
            i128::MIN,
            i128::MAX,
        ] {
            assert_eq!(parse(value.to_string().as_bytes()), None);
        }
    }

    #[test]
    fn only_canonical_text_is_read() {
        for text in [
            "", "-", "05", "-0", "-05", "+5", "5x", "x5", " 5", "5 ", "5.0", "٥",
        ] {
            assert_eq!(parse(text.as_bytes()), None, "{text:?}");
        }
    }
}
