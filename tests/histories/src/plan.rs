//! A schedule as its seed makes it: who calls, and what breaks.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use fastrand::Rng;

use super::model::Rules;
use super::threads::Settings;

/// The stores that histories are made on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Stage {
    /// A store in this process.
    Memory,
    /// A store in this process under threads that never pause.
    Threads,
    /// One server that keeps what it has acknowledged, behind a cable.
    Server,
    /// A cluster of three primaries with replicas.
    Cluster,
    /// A primary with replicas, watched by sentinels.
    Sentinel,
}

impl Stage {
    /// All of them.
    pub const ALL: [Self; 5] = [
        Self::Memory,
        Self::Threads,
        Self::Server,
        Self::Cluster,
        Self::Sentinel,
    ];
}

/// `server`
impl fmt::Display for Stage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Memory => "memory",
            Self::Threads => "threads",
            Self::Server => "server",
            Self::Cluster => "cluster",
            Self::Sentinel => "sentinel",
        })
    }
}

impl FromStr for Stage {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        let mut all = Self::ALL.into_iter();
        let found = all.find(|stage| stage.to_string() == name);
        found.ok_or_else(|| {
            format!("`{name}` is none of memory, threads, server, cluster and sentinel")
        })
    }
}

/// Something that befalls servers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Fault {
    /// All connections are closed.
    Cut,
    /// Answers stay in the cable for a while.
    HoldAnswers,
    /// Everything is swallowed for a while, and no connection is closed.
    BlackHole,
    /// New connections are closed at once for a while, and the present ones too.
    Refuse,
    /// All present connections go dead without being closed.
    Forget,
    /// The process stands still for a while.
    Pause,
    /// The process is killed and started again.
    Kill,
    /// A slot of the cluster is moved to another node.
    MoveSlot,
    /// A replica takes the place of its primary by order, and lacks no write.
    FailOver,
    /// A primary is killed, and a replica takes its place, which may lack writes.
    Replace,
}

impl Fault {
    /// Says whether acknowledged writes may be gone after it.
    pub(super) fn is_lossy(self) -> bool {
        matches!(self, Self::Replace)
    }
}

/// A fault, when it begins and how long it lasts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Planned {
    pub(super) at: Duration,
    pub(super) fault: Fault,
    pub(super) time: Duration,
    /// Chooses among servers and slots.
    pub(super) which: u64,
}

/// A schedule.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Plan {
    /// The seed that it was made of.
    pub seed: u64,
    /// The store.
    pub stage: Stage,
    /// The number of clients.
    pub clients: u32,
    /// The time for which clients begin calls.
    pub time: Duration,
    pub(super) faults: Vec<Planned>,
}

impl Plan {
    /// Makes the schedule of a seed.
    pub fn new(stage: Stage, seed: u64) -> Self {
        let mut rng = Rng::with_seed(seed ^ 0x9e37_79b9_7f4a_7c15);
        let (faults, time): (&[Fault], u64) = match stage {
            Stage::Memory => (&[], 400),
            Stage::Threads => return Self::of_threads(seed),
            Stage::Server => (
                &[
                    Fault::Cut,
                    Fault::HoldAnswers,
                    Fault::BlackHole,
                    Fault::Refuse,
                    Fault::Forget,
                    Fault::Pause,
                    Fault::Kill,
                ],
                1_500,
            ),
            // A loss would hide what comes after it.
            Stage::Cluster if rng.u8(..5) == 0 => (&[Fault::Replace], 4_000),
            Stage::Cluster => (
                &[
                    Fault::MoveSlot,
                    Fault::MoveSlot,
                    Fault::MoveSlot,
                    Fault::FailOver,
                    Fault::Pause,
                    Fault::Kill,
                    Fault::Cut,
                    Fault::HoldAnswers,
                    Fault::BlackHole,
                    Fault::Refuse,
                ],
                2_500,
            ),
            Stage::Sentinel => (&[Fault::Replace, Fault::Pause], 4_000),
        };
        let time = Duration::from_millis(time);
        let count = match stage {
            Stage::Memory | Stage::Threads => 0,
            Stage::Server => rng.usize(1..=4),
            Stage::Cluster if faults.len() > 1 => rng.usize(1..=5),
            Stage::Cluster | Stage::Sentinel => 1,
        };
        let planned = (0..count).map(|_| Planned {
            at: time.mul_f64(rng.f64() * 0.8),
            fault: faults[rng.usize(..faults.len())],
            time: Duration::from_millis(rng.u64(20..700)),
            which: rng.u64(..),
        });
        let mut faults: Vec<Planned> = planned.collect();
        faults.sort_by_key(|planned| planned.at);
        Self {
            seed,
            stage,
            clients: rng.u32(3..=10),
            time,
            faults,
        }
    }

    /// Makes a schedule on a cluster in which one slot after the other moves.
    pub fn of_moving_slots(seed: u64) -> Self {
        let mut plan = Self::new(Stage::Cluster, seed);
        let moves = (1..=8).map(|number| Planned {
            at: plan.time * number / 10,
            fault: Fault::MoveSlot,
            time: Duration::from_millis(20),
            which: seed.wrapping_mul(31).wrapping_add(u64::from(number)),
        });
        plan.faults = moves.collect();
        plan
    }

    /// Makes the schedule of a seed for threads, whose settings are made elsewhere.
    fn of_threads(seed: u64) -> Self {
        let settings = Settings::of(seed);
        Self {
            seed,
            stage: Stage::Threads,
            clients: settings.threads,
            time: settings.time,
            faults: Vec::new(),
        }
    }

    /// Returns what the store promises of the ends of entries.
    pub fn rules(&self) -> Rules {
        match self.stage {
            Stage::Threads => Settings::of(self.seed).rules(),
            _ => Rules::SERVERS,
        }
    }

    /// Says whether acknowledged writes may be gone.
    pub fn is_lossy(&self) -> bool {
        self.faults.iter().any(|planned| planned.fault.is_lossy())
    }

    /// Returns the same schedule without its fault number `left_out`, if it has so many.
    pub fn without_fault(&self, left_out: usize) -> Option<Self> {
        let mut shorter = self.clone();
        (left_out < shorter.faults.len()).then(|| {
            shorter.faults.remove(left_out);
            shorter
        })
    }
}

/// `seed 17 on server: 5 clients for 1.5s; Cut at 210ms, Pause at 800ms for 90ms`
impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            seed,
            stage,
            clients,
            time,
            faults,
        } = self;
        write!(f, "seed {seed} on {stage}: {clients} clients for {time:?}")?;
        if *stage == Stage::Threads {
            write!(f, "; {}", Settings::of(*seed))?;
        }
        for (position, planned) in faults.iter().enumerate() {
            let (at, time) = (planned.at.as_millis(), planned.time.as_millis());
            let between = if position == 0 { ';' } else { ',' };
            write!(f, "{between} {:?} at {at}ms for {time}ms", planned.fault)?;
        }
        Ok(())
    }
}
