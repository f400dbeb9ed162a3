//! The things at which threads meet, and time, where their interleavings are looked at one by one.
//!
//! The package `tests/interleavings` builds this library with `cfg(interleavings)`. Doubles take
//! the place of these there, and of the crate `parking_lot`, and a scheduler of the crate
//! `shuttle` chooses at each of them which thread goes on.

#[cfg(interleavings)]
mod doubles;

#[cfg(interleavings)]
pub(crate) use self::doubles::*;

#[cfg(not(interleavings))]
mod real {
    pub(crate) use std::sync::{LazyLock, Mutex, MutexGuard, atomic};

    pub(crate) use dashmap::DashMap;
    pub(crate) use futures_timer::Delay;
    #[cfg(feature = "redis-backend")]
    pub(crate) use tokio::sync::Notify;
    pub(crate) use tokio::sync::Semaphore;
    #[cfg(feature = "memory")]
    pub(crate) use tokio::{runtime::Handle, task::AbortHandle, time::Instant};
}

#[cfg(not(interleavings))]
pub(crate) use self::real::*;
