//! Throttling as a step of the contract: quotas, attempts, and how they are decided.

mod attempt;
mod quota;
mod record;
pub(super) mod standing;
mod text;

pub use attempt::{Attempt, Decision};
pub(crate) use attempt::{MOST_QUOTAS, check_quotas};
pub use quota::{Algorithm, MAX_PERIOD, Quota};
#[cfg(feature = "redis-backend")]
pub(super) use record::too_many_quotas;
