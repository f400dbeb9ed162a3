//! The arithmetic of rate limits: quotas, attempts, and how attempts are decided.
//!
//! Everything here is a pure function of the attempt, the stored bytes and the time. One file is
//! one algorithm (`gcra`, `fixed_window`, `sliding_window`), with the same functions in the same
//! order; `algorithm` lists them. `limit` is a [`Quota`], `record` is the stored form, `decide` the
//! decision.
//!
//! `throttle.lua` of the Redis backend repeats all of it: its steps have the names of these
//! functions and stand in their order, with a branch for each algorithm. A property test holds
//! both together. A new algorithm is one file here, one arm of [`Algorithm`] and of its
//! `dispatch!`, and a branch in each step of the script.

mod algorithm;
mod attempt;
mod decide;
mod fixed_window;
mod gcra;
mod limit;
mod record;
mod sliding_window;
mod terms;
mod text;

pub use algorithm::Algorithm;
pub use attempt::{Attempt, Decision};
pub(crate) use attempt::{MOST_QUOTAS, check_quotas};
pub(crate) use decide::{Outcome, decide, end};
pub use limit::{MAX_PERIOD, Quota};
#[cfg(feature = "redis-backend")]
pub(crate) use record::{too_many_quotas, write_head};
