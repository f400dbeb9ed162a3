//! The settings of a schedule, as its seed makes them.

use std::fmt;
use std::sync::{Arc, Weak};
use std::time::Duration;

use fastrand::Rng;
use reinhardt_backends::{Backend, Eviction, MemoryBackend};

use super::{Meddling, Scene};
use crate::Rules;

/// The settings of a schedule.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Settings {
    pub(super) seed: u64,
    /// The number of threads that call.
    pub threads: u32,
    /// The time for which they do.
    pub time: Duration,
    pub(super) bounds: Bounds,
    /// True if a listener is told of what leaves.
    pub(super) listens: bool,
    /// True if code of values, closures and listeners calls the store.
    pub(super) calls_back: bool,
    pub(super) has_runtime: bool,
    /// True if the sweeper comes by meanwhile.
    pub(super) sweeps: bool,
    /// True if most calls are on keys whose entries end.
    pub(super) is_about_ends: bool,
}

/// The bounds of a store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Bounds {
    None,
    /// So many entries that nothing is ever full, but so few that they are under one lock.
    OneLock,
    /// So many entries, and then no more.
    Entries(usize),
    /// So many entries, and then others give way.
    EntriesOrEvict(usize),
    /// So many bytes, and then others give way.
    BytesOrEvict(usize),
}

impl Settings {
    /// Makes the settings of a seed.
    pub fn of(seed: u64) -> Self {
        let mut rng = Rng::with_seed(seed ^ 0xd1b5_4a32_d192_ed03);
        let bounds = match rng.u8(..8) {
            0 | 1 => Bounds::EntriesOrEvict(rng.usize(12..60)),
            2 => Bounds::BytesOrEvict(rng.usize(2_000..8_000)),
            3 => Bounds::Entries(rng.usize(60..100)),
            _ => Bounds::None,
        };
        let has_runtime = rng.bool();
        let is_about_ends = rng.bool();
        let bounds = match is_about_ends && rng.bool() {
            true => Bounds::OneLock,
            false => bounds,
        };
        Self {
            seed,
            threads: rng.u32(4..=8),
            time: Duration::from_millis(200),
            bounds,
            listens: rng.bool(),
            calls_back: rng.bool(),
            has_runtime,
            sweeps: has_runtime && rng.u8(..3) == 0,
            is_about_ends,
        }
    }

    /// Makes the store. Its listener keeps nothing alive.
    pub(super) fn backend(&self, scene: Weak<Scene>) -> Arc<dyn Backend> {
        let builder = MemoryBackend::builder();
        let builder = match self.bounds {
            Bounds::None => builder,
            Bounds::OneLock => builder.max_entries(1_000),
            Bounds::Entries(most) => builder.max_entries(most),
            Bounds::EntriesOrEvict(most) => builder.max_entries(most).eviction(Eviction::S3Fifo),
            Bounds::BytesOrEvict(most) => builder.max_bytes(most).eviction(Eviction::S3Fifo),
        };
        let builder = match self.listens {
            true => builder.on_removal(move |removal| super::listener::told(&scene, removal)),
            false => builder,
        };
        match self.calls_back {
            true => Arc::new(builder.build().layer(Meddling)),
            false => Arc::new(builder.build()),
        }
    }

    pub(super) fn evicts(&self) -> bool {
        matches!(
            self.bounds,
            Bounds::EntriesOrEvict(_) | Bounds::BytesOrEvict(_)
        )
    }

    /// Returns what the store promises of ends: they are exact in memory, to the tick of its clock.
    pub fn rules(&self) -> Rules {
        Rules {
            grace: 200,
            may_vanish: self.evicts() && !self.listens,
        }
    }
}

/// `5 threads, EntriesOrEvict(24), a listener, a runtime, calls from within`
impl fmt::Display for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} threads, {:?}", self.threads, self.bounds)?;
        let also = [
            (self.listens, "a listener"),
            (self.calls_back, "calls from within"),
            (self.has_runtime, "a runtime"),
            (self.sweeps, "a sweeper"),
            (self.is_about_ends, "many ends"),
        ];
        let also = also.into_iter().filter(|(has, _)| *has);
        also.map(|(_, what)| what)
            .try_for_each(|what| write!(f, ", {what}"))
    }
}
