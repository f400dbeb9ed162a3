//! The answers that all clients together saw.

use std::collections::HashMap;
use std::sync::Mutex;
use std::time::Duration;

use hdrhistogram::Histogram;

/// The kind of a request; for the login form, also the kind of its answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    FrontPage,
    Counter,
    Click,
    Report,
    LogIn,
    LogOut,
    WrongPassword,
    Throttled,
}

pub(crate) const KINDS: [Kind; 8] = [
    Kind::FrontPage,
    Kind::Counter,
    Kind::Click,
    Kind::Report,
    Kind::LogIn,
    Kind::LogOut,
    Kind::WrongPassword,
    Kind::Throttled,
];

pub(crate) const PERCENTILES: [(&str, f64); 4] =
    [("p50", 0.5), ("p90", 0.9), ("p99", 0.99), ("max", 1.0)];

/// Latencies by kind, clicks by user, and wrong answers.
#[derive(Debug)]
pub(crate) struct Tally(Mutex<Counts>);

#[derive(Debug)]
struct Counts {
    /// Microseconds, in the order of [`KINDS`].
    latencies: [Histogram<u64>; KINDS.len()],
    clicks: HashMap<&'static str, u64>,
    wrong: u64,
    examples: Vec<String>,
}

impl Kind {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::FrontPage => "front page",
            Self::Counter => "counter",
            Self::Click => "click",
            Self::Report => "report",
            Self::LogIn => "login",
            Self::LogOut => "logout",
            Self::WrongPassword => "wrong password",
            Self::Throttled => "429",
        }
    }
}

impl Default for Tally {
    fn default() -> Self {
        let histogram = || Histogram::new_with_max(LONGEST, 3).expect("a range and three digits");
        Self(Mutex::new(Counts {
            latencies: std::array::from_fn(|_| histogram()),
            clicks: HashMap::new(),
            wrong: 0,
            examples: Vec::new(),
        }))
    }
}

impl Tally {
    pub(crate) fn right(&self, kind: Kind, latency: Duration) {
        let micros = u64::try_from(latency.as_micros()).unwrap_or(u64::MAX);
        self.counts().latencies[kind as usize].saturating_record(micros);
    }

    pub(crate) fn wrong(&self, example: String) {
        let mut counts = self.counts();
        counts.wrong += 1;
        if counts.examples.len() < EXAMPLES {
            counts.examples.push(example);
        }
    }

    pub(crate) fn clicked(&self, user: &'static str) {
        *self.counts().clicks.entry(user).or_default() += 1;
    }

    pub(crate) fn clicks(&self, user: &str) -> u64 {
        self.counts().clicks.get(user).copied().unwrap_or(0)
    }

    /// Returns the number of requests that were answered rightly, the intended 429s included.
    pub(crate) fn requests(&self) -> u64 {
        self.counts().latencies.iter().map(Histogram::len).sum()
    }

    pub(crate) fn requests_of(&self, kind: Kind) -> u64 {
        self.counts().latencies[kind as usize].len()
    }

    /// Returns a latency in nanoseconds, `NAN` if there was no such request.
    pub(crate) fn latency(&self, kind: Kind, quantile: f64) -> f64 {
        let latencies = &self.counts().latencies[kind as usize];
        if latencies.is_empty() {
            return f64::NAN;
        }
        latencies.value_at_quantile(quantile) as f64 * 1e3
    }

    /// Returns the number of wrong answers, and some of them.
    pub(crate) fn mistakes(&self) -> (u64, Vec<String>) {
        let counts = self.counts();
        (counts.wrong, counts.examples.clone())
    }

    fn counts(&self) -> std::sync::MutexGuard<'_, Counts> {
        self.0.lock().expect("nobody panics while counting")
    }
}

/// Microseconds: longer than a client waits.
const LONGEST: u64 = 60_000_000;
const EXAMPLES: usize = 5;
