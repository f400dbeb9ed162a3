//! Quotas as text, as the word `limit` of a keyspace takes them, for limits that are configured.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use serde::de::{Deserialize, Deserializer, Error, Visitor};
use serde::ser::{Serialize, Serializer};

use super::algorithm::Algorithm;
use super::limit::Quota;
use crate::error::{BackendError, BackendResult, ErrorKind};

const FIXED: &str = "fixed window";
const SLIDING: &str = "sliding window";
const BURST: &str = "burst ";
const MINUTE: Duration = Duration::from_secs(60);

/// Reads `5/min`, `100/10s`, `5/min, burst 10`, `1000/day, fixed window`.
///
/// The text up to a comma is that of a `limit` of the derive, by GCRA. After the comma stand the
/// words of [`keyspaces()`](crate::keyspaces()): a burst, or a window. Serde reads the same text.
///
/// # Errors
///
/// `InvalidConfig` for any other text, and for a quota that fails [`check`](Quota::check).
///
/// # Examples
///
/// ```
/// use reinhardt_backends::throttle::{Quota, Throttle};
/// use std::time::Duration;
///
/// # fn main() -> reinhardt_backends::BackendResult<()> {
/// let quota: Quota = "100/min".parse()?;
/// assert_eq!(quota, Quota::gcra(100, Duration::from_secs(60)));
/// let throttle = Throttle::new("api", quota)?;
///
/// let error = "100 a minute".parse::<Quota>().unwrap_err();
/// assert!(error.to_string().contains("a limit is a number, `/` and a time"));
/// # let _ = throttle;
/// # Ok(()) }
/// ```
impl FromStr for Quota {
    type Err = BackendError;

    fn from_str(text: &str) -> BackendResult<Self> {
        let (limit, words) = match text.split_once(',') {
            Some((limit, words)) => (limit, Some(words.trim())),
            None => (text, None),
        };
        let (count, period) = read_limit(limit).map_err(invalid)?;
        let quota = match words {
            None => Self::gcra(count, period),
            Some(FIXED) => Self::fixed_window(count, period),
            Some(SLIDING) => Self::sliding_window(count, period),
            Some(words) => Self::gcra(count, period).with_burst(read_burst(words)?),
        };
        quota.check()?;
        Ok(quota)
    }
}

/// Reads a limit as the derive does, with the same refusals.
fn read_limit(text: &str) -> Result<(u32, Duration), Cow<'static, str>> {
    let Some((count, period)) = text.split_once('/') else {
        return Err("a limit is a number, `/` and a time".into());
    };
    let count: u32 = match count.trim().parse() {
        Ok(0) => return Err("a limit of zero lets nothing pass".into()),
        Ok(count) => count,
        Err(_) => {
            let why = "the first part of a limit is a whole number up to 4,294,967,295";
            return Err(why.into());
        }
    };
    let period = period.trim();
    let period = match period.starts_with(char::is_alphabetic) {
        true => format!("1{period}"),
        false => period.to_string(),
    };
    if period.contains('M') {
        return Err("not a time (`M` means months, `m` is minutes)".into());
    }
    let period = humantime::parse_duration(&period);
    match period.map_err(|error| format!("not a time ({error})"))? {
        Duration::ZERO => Err("a limit in no time".into()),
        period => Ok((count, period)),
    }
}

fn read_burst(words: &str) -> BackendResult<u32> {
    let burst = words.strip_prefix(BURST).map(str::trim).map(str::parse);
    match burst {
        Some(Ok(burst)) => Ok(burst),
        _ => Err(invalid(
            "after a limit stands nothing, or `burst` and a number, `fixed window` or `sliding window`"
                .into(),
        )),
    }
}

fn invalid(why: Cow<'static, str>) -> BackendError {
    let message = format!("{why}: write `5/min`, or `5/min, burst 10`");
    BackendError::new(ErrorKind::InvalidConfig, message)
}

/// Writes the text that a quota which passes [`check`](Quota::check) is read back from, such as
/// `5/min, burst 10`.
impl fmt::Display for Quota {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let period = period(self.period());
        match self.algorithm() {
            Algorithm::Gcra if self.capacity() == self.limit() => {
                write!(f, "{}/{period}", self.limit())
            }
            Algorithm::Gcra => {
                write!(f, "{}/{period}, {BURST}{}", self.limit(), self.capacity())
            }
            Algorithm::FixedWindow => write!(f, "{}/{period}, {FIXED}", self.limit()),
            Algorithm::SlidingWindow => write!(f, "{}/{period}, {SLIDING}", self.limit()),
        }
    }
}

/// Writes `min`, `10s`, `day`, `1h 30m`: one of a unit is the unit.
fn period(period: Duration) -> String {
    if period == MINUTE {
        return "min".to_string();
    }
    let text = humantime::format_duration(period).to_string();
    let is_unit = |rest: &str| rest.bytes().all(|byte| byte.is_ascii_alphabetic());
    match text.strip_prefix('1') {
        Some(unit) if is_unit(unit) => unit.to_string(),
        _ => text,
    }
}

impl Serialize for Quota {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Quota {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_str(QuotaText)
    }
}

struct QuotaText;

impl Visitor<'_> for QuotaText {
    type Value = Quota;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a quota such as `5/min`")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Quota, E> {
        text.parse().map_err(E::custom)
    }
}
