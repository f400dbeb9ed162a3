//! The lives of a keyspace as the table and the schema lock print them.

use std::time::Duration;

use super::info::KeyspaceInfo;
use crate::backend::Life;

/// `30m`, with its words where reads renew it and where it is shortened at random.
///
/// A time that the declaration writes is printed as it stands there; that of a constant in whole
/// units.
pub(crate) fn life(info: &KeyspaceInfo) -> String {
    let mut life = match info.life {
        Life::In(ttl) => as_written(info.written.ttl, ttl),
        Life::Never => "never".to_string(),
        Life::Keep => "set at run time".to_string(),
    };
    if info.sliding {
        life.push_str(", sliding");
    }
    if let Some(lease) = info.lease {
        let lease = as_written(info.written.lease, lease);
        life.push_str(&format!(", lease {lease}"));
    }
    if let Some(stale) = info.stale {
        let stale = as_written(info.written.stale, stale);
        life.push_str(&format!(", stale {stale}"));
    }
    if info.jitter > 0 {
        life.push_str(&format!(", jitter {}%", info.jitter));
    }
    life
}

fn as_written(written: &'static str, time: Duration) -> String {
    match written {
        "" => in_units(time),
        written => written.to_string(),
    }
}

/// `1h 30m`: exact, and with days as the longest unit, as a month has no one length.
fn in_units(time: Duration) -> String {
    let mut left = time.as_nanos();
    let mut parts = Vec::new();
    for (unit, nanos) in UNITS {
        if left >= nanos {
            parts.push(format!("{}{unit}", left / nanos));
            left %= nanos;
        }
    }
    match parts.is_empty() {
        true => "0s".to_string(),
        false => parts.join(" "),
    }
}

const UNITS: [(&str, u128); 7] = [
    ("d", 86_400_000_000_000),
    ("h", 3_600_000_000_000),
    ("m", 60_000_000_000),
    ("s", 1_000_000_000),
    ("ms", 1_000_000),
    ("us", 1_000),
    ("ns", 1),
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keyspace::Kind;

    const DAY: Duration = Duration::from_secs(86_400);
    const PAGE: KeyspaceInfo =
        KeyspaceInfo::new("Page", "page", Kind::Value, &["path"], Life::In(DAY));

    #[test]
    fn a_time_is_printed_as_it_is_written() {
        let page = PAGE.lease(Duration::from_secs(90)).stale(90 * DAY);
        let page = page.written("24h", "90s", "90d");
        assert_eq!(life(&page), "24h, lease 90s, stale 90d");
    }

    #[test]
    fn a_time_that_is_not_written_is_printed_in_whole_units() {
        assert_eq!(life(&PAGE.stale(DAY)), "1d, lease 10s, stale 1d");
        for (time, text) in [
            (90 * DAY, "90d"),
            (400 * DAY, "400d"),
            (Duration::from_secs(5400), "1h 30m"),
            (Duration::from_nanos(1_002_003_004), "1s 2ms 3us 4ns"),
            (Duration::ZERO, "0s"),
        ] {
            assert_eq!(in_units(time), text);
        }
        assert_eq!(
            in_units(crate::backend::store::MAX_TTL),
            "3652500d",
            "10,000 years of 365.25 days"
        );
    }

    #[test]
    fn a_life_that_the_program_sets_is_not_printed_as_one_without_an_end() {
        let throttle = KeyspaceInfo::at_run_time("Throttle", "api", Kind::Throttles, &["key"]);
        assert_eq!(life(&throttle), "set at run time");
    }
}
