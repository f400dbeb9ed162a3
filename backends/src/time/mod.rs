//! Time: the limits of calls, the pauses between retries, and clocks.

pub(crate) mod attempts;
pub(crate) mod back_off;
#[cfg(feature = "memory")]
pub(crate) mod clock;
#[cfg(feature = "redis-backend")]
pub(crate) mod deadline;
pub(crate) mod sleep;
pub(crate) mod wall_clock;
