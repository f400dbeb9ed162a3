//! A quota is read from the text that the derive's `limit` takes, and written as that text.

use std::error::Error;
use std::str::FromStr;

use proptest::prelude::*;
use reinhardt_backends::keyspace::Throttled;
use reinhardt_backends::throttle::{Quota, Throttle};
use reinhardt_backends::{BackendResult, ErrorKind, Keyspace};
use serde::{Deserialize, Serialize};

use crate::quotas;

/// The derive's own test reads it too.
const TABLE: &str = include_str!("../../backends-derive/src/attr/limits.txt");

/// Makes a throttle of each limit and holds what the compiler read against what the program reads.
macro_rules! both_read {
    ($($prefix:literal $name:ident: $limit:literal $(, $word:ident = $value:literal)?;)*) => {
        $(#[derive(Keyspace)]
        #[keyspace(prefix = $prefix, limit = $limit $(, $word = $value)?)]
        struct $name;)*

        #[test]
        fn what_a_keyspace_is_held_to_is_read_back_from_its_listing() {
            $(assert_eq!($name::QUOTAS, [$name::INFO.value.parse::<Quota>().unwrap()]);)*
        }
    };
}

both_read! {
    "text.minute" Minute: "5/min";
    "text.spaces" Spaces: " 5 / 1h 30m ";
    "text.burst" Burst: "5/min", burst = 10;
    "text.fixed" Fixed: "200003/day", window = "fixed";
    "text.sliding" Sliding: "100/10s", window = "sliding";
}

#[test]
fn limits_are_read_as_the_derive_reads_them() {
    let rows = TABLE.lines().filter(|line| !line.starts_with('#'));
    for row in rows {
        let (text, meaning) = row.split_once(" => ").unwrap();
        let (numbers, fault) = meaning.split_once(" but ").unwrap_or((meaning, ""));
        match text.trim_matches('"').parse::<Quota>() {
            Ok(quota) => {
                let read = format!("{} {}", quota.limit(), quota.period().as_micros());
                assert_eq!((read.as_str(), ""), (numbers, fault), "{row}");
            }
            Err(error) => {
                assert_eq!(error.kind(), ErrorKind::InvalidConfig, "{row}");
                let why = if fault.is_empty() { numbers } else { fault };
                assert!(error.to_string().contains(why), "{row}: {error}");
            }
        }
    }
}

#[test]
fn a_quota_is_written_as_one_would_write_it() {
    for text in [
        "5/min",
        "5/s",
        "100/10s",
        "500/h",
        "1000/day",
        "3/month",
        "5/2m",
        "1/1h 30m",
        "7/250ms",
        "5/min, burst 10",
        "5/min, burst 1",
        "1000/day, fixed window",
        "100/h, sliding window",
    ] {
        assert_eq!(text.parse::<Quota>().unwrap().to_string(), text);
    }
}

#[test]
fn words_that_say_nothing_are_refused() {
    for text in [
        "5/min,",
        "5/min, burst",
        "5/min, burst ten",
        "5/min, burst -1",
        "5/min, burst 0",
        "5/min, window",
        "5/min, burst 10, fixed window",
        "5/min, fixed window, burst 10",
        "5/min,fixed  window",
    ] {
        let error = text.parse::<Quota>().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidConfig, "{text}");
    }
    assert!("5/min,fixed window".parse::<Quota>().is_ok());
}

proptest! {
    #[test]
    fn a_quota_is_read_back(quota in quotas()) {
        prop_assert_eq!(quota.to_string().parse::<Quota>().unwrap(), quota);
    }

    #[test]
    fn no_text_panics(text in "[0-9a-zM/, .+-]{0,20}") {
        let read = text.parse::<Quota>();
        if let Ok(quota) = read {
            prop_assert_eq!(quota.to_string().parse::<Quota>().unwrap(), quota);
        }
    }
}

#[test]
fn a_command_line_takes_a_quota() {
    // The bounds that clap asks of a type that it reads by `FromStr`.
    fn check<T: FromStr<Err: Error + Send + Sync + 'static>>() {}
    check::<Quota>();
}

#[test]
fn a_quota_stands_in_a_configuration() {
    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct Settings {
        login: Quota,
        api: Vec<Quota>,
    }
    let text = r#"{"login":"5/min, burst 10","api":["10/s","500/h"]}"#;
    let settings: Settings = serde_json::from_str(text).unwrap();
    assert_eq!(settings.api.len(), 2);
    assert_eq!(serde_json::to_string(&settings).unwrap(), text);
    let wrong = serde_json::from_str::<Quota>("\"5\"").unwrap_err();
    assert!(wrong.to_string().contains("write `5/min`"), "{wrong}");
    let wrong = serde_json::from_str::<Quota>("5").unwrap_err();
    assert!(
        wrong.to_string().contains("a quota such as `5/min`"),
        "{wrong}"
    );
}

#[test]
fn one_quota_stands_where_several_may() -> BackendResult<()> {
    let quota: Quota = "100/min".parse()?;
    assert_eq!(Throttle::new("api", quota)?.quotas(), [quota]);
    assert_eq!(Throttle::new("api", [quota])?.quotas(), [quota]);
    assert_eq!(Throttle::new("api", vec![quota; 2])?.quotas(), [quota; 2]);
    assert_eq!(Throttle::new("api", Some(quota))?.quotas(), [quota]);
    let none = Throttle::new("api", []).unwrap_err();
    assert_eq!(none.kind(), ErrorKind::InvalidConfig);
    Ok(())
}
