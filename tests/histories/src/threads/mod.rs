//! Threads that call one memory backend in tight loops, without pauses, and code of its users that
//! calls it from within.
//!
//! Keys are of two kinds. The *brief* ones are met by all threads for a millisecond or two, as fast
//! as they can. The *lasting* ones are called more seldom, for as long as it takes that entries
//! end, be it while a thread stands still in the middle of a call. Beside them there are values
//! that are computed, and noise: calls that nobody judges, for locks that are wanted, entries that
//! end and room that is needed.
//!
//! Some schedules have a store that is full all the time. Where a listener is told of what leaves,
//! each eviction is a part of the history, so nothing may be missing otherwise; where nobody is
//! told an entry may be gone at any time, but not come back.

mod caller;
mod computed;
mod keys;
mod listener;
mod log;
mod settings;
mod verdict;
mod wait;
mod ways;

use std::sync::mpsc::{self, RecvTimeoutError};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use reinhardt_backends::Backend;
use tokio::runtime::{Builder, Handle};

use self::caller::{Caller, Pending};
use self::keys::Keys;
use self::listener::{Departure, Meddling};
use self::log::Log;
pub use self::settings::Settings;
use self::wait::wait;
use super::clock::nanos;
use super::judge::Violation;
use super::schedule::Outcome;
use super::special::Seen;

/// A fault of the library that isn't there: the checks have to find it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Planted {
    /// A compare-and-set compares in one step and sets in another.
    TwoSteps,
    /// A reader that finds nothing under a key clears away what it takes for the old entry.
    LazyRemoval,
    /// What was evicted is put back by a reader that misses it.
    ComesBack,
    /// One update of twenty returns the changed value and doesn't store it.
    LostUpdate,
    /// A scan leaves out one key of twenty.
    SkippedKey,
    /// Whoever misses a value computes it, whoever else does.
    TwoComputations,
    /// A value that is computed is stored even if it was removed meanwhile.
    StoredLate,
    /// A closure is run under a lock.
    HeldLock,
}

/// Everything that the threads of a schedule share.
struct Scene {
    backend: Arc<dyn Backend>,
    settings: Settings,
    planted: Option<Planted>,
    began: Instant,
    /// The runtime on which the sweeper runs, and on which leaders are asked for signs of life.
    runtime: Option<Handle>,
    keys: Keys,
    /// The calls of each thread that haven't ended.
    pending: Vec<Mutex<Vec<Pending>>>,
    /// The entries that left on a thread which makes no calls: that of the sweeper.
    swept: Mutex<Vec<Departure>>,
    /// The lock of the planted fault of this name.
    held: Mutex<()>,
}

impl Scene {
    fn nanos(&self) -> u64 {
        nanos(self.began.elapsed())
    }
}

/// Runs the schedule of a seed, with a fault of the library `planted`, if there is one.
pub fn run(seed: u64, planted: Option<Planted>) -> Outcome {
    let settings = Settings::of(seed);
    let runtime = settings.has_runtime.then(|| {
        let mut runtime = Builder::new_multi_thread();
        let runtime = runtime.worker_threads(1).enable_all().build();
        runtime.expect("a runtime can be built")
    });
    let handle = runtime.as_ref().map(|runtime| runtime.handle().clone());
    let (scene, ended) = begin(settings, planted, handle);
    let patience = match planted {
        Some(Planted::HeldLock) => PATIENCE / 10,
        _ => PATIENCE,
    };
    let outcome = match gather(&ended, settings.threads, settings.time + patience) {
        Ok(log) => verdict::outcome(&scene, log),
        Err(missing) => {
            assert!(missing, "a thread of seed {seed} has panicked");
            // Threads that hang can't be ended: they stay.
            std::mem::forget(runtime);
            return Outcome {
                calls: Vec::new(),
                seen: Seen::default(),
                longest: patience,
                verdict: Err(Violation::Stuck(pending(&scene))),
            };
        }
    };
    if let Some(runtime) = runtime {
        runtime.shutdown_background();
    }
    outcome
}

/// Begins the calls.
fn begin(
    settings: Settings,
    planted: Option<Planted>,
    runtime: Option<Handle>,
) -> (Arc<Scene>, mpsc::Receiver<Log>) {
    let scene = Arc::new_cyclic(|scene| {
        let backend = settings.backend(scene.clone());
        if settings.sweeps {
            // The sweeper looks at the store a second after it was begun.
            let _context = runtime.as_ref().map(Handle::enter);
            let moment = Some(Duration::from_millis(1));
            wait(backend.set("first", 1, moment)).expect("the store has room");
            thread::sleep(Duration::from_secs(1) - settings.time / 2);
        }
        Scene {
            backend,
            settings,
            planted,
            began: Instant::now(),
            runtime,
            keys: Keys::new(settings),
            pending: (0..settings.threads).map(|_| Mutex::default()).collect(),
            swept: Mutex::default(),
            held: Mutex::default(),
        }
    });
    let (send, ended) = mpsc::channel();
    for number in 0..settings.threads {
        let (scene, send) = (scene.clone(), send.clone());
        let thread = thread::Builder::new().name(format!("caller {number}"));
        let spawned = thread.spawn(move || {
            let _ = send.send(Caller::run(scene, number));
        });
        spawned.expect("a thread can be started");
    }
    (scene, ended)
}

/// Waits for all threads; fails with `true` if some of them are still at work, and with `false` if
/// one has panicked.
fn gather(ended: &mpsc::Receiver<Log>, threads: u32, patience: Duration) -> Result<Log, bool> {
    let deadline = Instant::now() + patience;
    let mut all = Log::default();
    for _ in 0..threads {
        let left = deadline.saturating_duration_since(Instant::now());
        match ended.recv_timeout(left) {
            Ok(log) => all.add(log),
            Err(RecvTimeoutError::Timeout) => return Err(true),
            Err(RecvTimeoutError::Disconnected) => return Err(false),
        }
    }
    Ok(all)
}

/// Names the calls that haven't ended, from the outermost to the innermost of each thread.
fn pending(scene: &Scene) -> Vec<String> {
    let of_thread = |(number, calls): (usize, &Mutex<Vec<Pending>>)| {
        let calls = calls.lock().unwrap_or_else(PoisonError::into_inner);
        let calls: Vec<String> = calls.iter().map(Pending::to_string).collect();
        (!calls.is_empty()).then(|| format!("thread {number}: {}", calls.join(", within it ")))
    };
    scene
        .pending
        .iter()
        .enumerate()
        .filter_map(of_thread)
        .collect()
}

/// A call that takes longer than this is taken for one that never ends.
const PATIENCE: Duration = Duration::from_secs(60);
