//! The survey of all keyspaces: how many entries they have, how long these live, how large they
//! are.

mod cache;
mod sample;
mod walk;

use std::time::Duration;

pub(super) use self::cache::SurveyCache;
pub(super) use self::sample::Sample;
pub(super) use self::walk::survey;

/// The result of one walk over the keys of a store.
#[derive(Debug)]
pub(super) struct Survey {
    /// By the position in the catalog.
    pub(super) keyspaces: Vec<Counted>,
    /// The number of keys that no keyspace has.
    pub(super) undeclared: usize,
    /// The number of keys under the prefix of a keyspace whose version nobody declares: an older
    /// program has left them, or a newer one writes them.
    pub(super) other_versions: usize,
    /// The number of keys of leases.
    pub(super) leases: usize,
    /// The number of keys that were looked at.
    pub(super) walked: usize,
    /// True if there were more keys: each number is the least that there are.
    pub(super) has_stopped: bool,
}

/// A keyspace in a survey.
#[derive(Debug, Default)]
pub(super) struct Counted {
    /// The number of keys under the prefix.
    pub(super) entries: usize,
    pub(super) sample: Sample,
}

/// The largest number of keys that a survey looks at.
const MOST_KEYS: usize = 100_000;
/// The longest time that a survey looks at keys.
const WALK_TIME: Duration = Duration::from_millis(1_500);
/// The largest number of entries of one keyspace whose lives and sizes are read.
pub(super) const SAMPLED: usize = 16;
/// The longest time that a survey reads entries.
const SAMPLE_TIME: Duration = Duration::from_millis(1_000);
/// The largest number of bytes that a survey reads, but for the last values.
const SAMPLE_BYTES: usize = 16 * 1024 * 1024;
/// The time for which a survey is shown.
const FRESH: Duration = Duration::from_secs(5);
/// The time for which the failure of a survey is shown.
const FRESH_FAILURE: Duration = Duration::from_secs(1);
