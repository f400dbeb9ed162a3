//! The arithmetic of rate limits: quotas, attempts, and how attempts are decided.
//!
//! Everything here is a pure function of the attempt, the stored bytes and the time. One file is
//! one algorithm (`gcra`, `fixed_window`, `sliding_window`), with the same functions in the same
//! order; `algorithm` lists them. `limit` is a [`Quota`], `record` is the stored form, `decide` the
//! decision.
//!
//! `throttle.lua` of the Redis backend repeats the decision, in the same whole numbers: its steps
//! bear the names of these functions, with a branch for each algorithm. A property test holds both
//! together.
//!
//! A new algorithm is one file here, an arm of [`Algorithm`] and of its `algorithms!`, a
//! constructor in `limit`, its words in `text` and in the derive, and a branch in each step of the
//! script.

mod algorithm;
mod attempt;
mod decide;
mod fixed_window;
#[cfg(any(test, fuzzing))]
mod fuzzing;
mod gcra;
mod limit;
mod record;
mod sliding_window;
mod terms;
mod text;

pub use algorithm::Algorithm;
pub use attempt::{Attempt, Decision};
pub(crate) use attempt::{MOST_QUOTAS, check_quotas};
pub(crate) use decide::{Decided, decide, record_end};
#[cfg(any(test, fuzzing))]
pub use fuzzing::stored_text;
pub use limit::{MAX_PERIOD, Quota};
#[cfg(feature = "redis-backend")]
pub(crate) use record::{too_many_quotas, write_head};
