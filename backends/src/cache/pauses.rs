//! Pauses after refreshes that failed, or that somebody else was at, so that hits on old values
//! don't each try again.

use std::sync::LazyLock;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::time::{Duration, Instant};

use dashmap::DashMap;

use crate::backend::store::Instance;
use crate::keyspace::{Key, Keyspace};

/// An attempt to refresh. If it is dropped without a success, the next one is made after a pause.
pub(super) struct RefreshAttempt {
    place: PausedKey,
    /// The length of the next pause, before the dice.
    pause: Duration,
    /// No pause is longer.
    most: Duration,
}

/// A store and a key in it. The store may be gone, and another store be in its place: then the
/// other store begins with a pause.
type PausedKey = (Instance, Box<str>);

#[derive(Debug)]
struct Pause {
    until: Instant,
    length: Duration,
    /// The time after which nobody has found an old value there for long.
    forget: Instant,
}

/// By store and key.
static PAUSES: LazyLock<DashMap<PausedKey, Pause>> = LazyLock::new(DashMap::new);
/// The number of pauses at which those that are over are forgotten.
static TIDY_AT: AtomicUsize = AtomicUsize::new(FEW);

/// The first pause lasts so long at most, each further one twice as long as the one before, up to
/// the lease.
const SHORTEST_PAUSE: Duration = Duration::from_millis(100);
/// Not every system counts further than some centuries.
const LONGEST_PAUSE: Duration = Duration::from_secs(3600);
/// Fewer pauses than this aren't worth tidying.
const FEW: usize = 1024;

impl RefreshAttempt {
    /// Begins an attempt, unless there is a pause.
    pub(super) fn begin<K: Keyspace>(store: Instance, key: &Key) -> Option<Self> {
        let lease = K::INFO.lease.expect("checked when it was compiled");
        let most = lease.min(LONGEST_PAUSE);
        let place: PausedKey = (store, Box::from(key.as_str()));
        let pause = match PAUSES.get(&place) {
            Some(pause) if Instant::now() < pause.until => return None,
            Some(pause) => pause.length * 2,
            None => SHORTEST_PAUSE,
        };
        let pause = pause.min(most);
        Some(Self { place, pause, most })
    }

    /// Lets the next attempt be made at once.
    pub(super) fn succeed(mut self) {
        self.pause = Duration::ZERO;
        PAUSES.remove(&self.place);
    }
}

impl Drop for RefreshAttempt {
    fn drop(&mut self) {
        if self.pause.is_zero() {
            return;
        }
        let now = Instant::now();
        let until = now + self.pause.mul_f64((1.0 + fastrand::f64()) / 2.0);
        let pause = Pause {
            until,
            length: self.pause,
            forget: until + self.most,
        };
        PAUSES.insert(self.place.clone(), pause);
        if PAUSES.len() > TIDY_AT.load(Relaxed) {
            PAUSES.retain(|_, pause| now < pause.forget);
            TIDY_AT.store(FEW.max(PAUSES.len() * 2), Relaxed);
        }
    }
}
