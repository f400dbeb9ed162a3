//! Benchmarks that compare: cases in turn in one process, ratios a round, goals, tables and plots.
//!
//! Machines are shared and noisy, so absolute numbers mean little. Every round measures each case
//! once, in an order that rotates, and a ratio is the median of the ratios of the rounds.

mod cases;
mod plot;
mod process;
mod program;
mod report;

pub use cases::{Cases, Measured};
pub use process::{cpu_time, in_own_process, instructions, peak_bytes, resident_bytes};
pub use program::Program;
pub use report::{Bound, Report, Sweep, Table, Unit};

use std::env;

/// The arguments of a benchmark: the number of rounds to measure, and the names of its parts to
/// run.
#[derive(Debug)]
pub struct Run {
    rounds: usize,
    parts: Vec<String>,
}

impl Run {
    /// Reads the command line: `cargo bench --bench memory -- [ROUNDS] [PART..]`; the variable
    /// `ROUNDS` works as well.
    ///
    /// Returns `None` unless `cargo bench` has started this program: `cargo test --all-targets`
    /// builds benchmarks and runs none.
    ///
    /// # Panics
    ///
    /// If `ROUNDS` isn't a number.
    pub fn from_arguments(rounds: usize) -> Option<Self> {
        let arguments: Vec<String> = env::args().skip(1).collect();
        if !arguments.iter().any(|argument| argument == "--bench") {
            return None;
        }
        let mut run = Self {
            rounds: env::var("ROUNDS")
                .map_or(rounds, |text| text.parse().expect("ROUNDS is a number")),
            parts: Vec::new(),
        };
        for argument in arguments {
            match argument.parse() {
                Ok(rounds) => run.rounds = rounds,
                Err(_) if argument.starts_with('-') => {}
                Err(_) => run.parts.push(argument),
            }
        }
        run.rounds = run.rounds.max(1);
        Some(run)
    }

    /// Returns the number of rounds to measure, at least one.
    pub fn rounds(&self) -> usize {
        self.rounds
    }

    /// Says whether the part of this name was asked for. If no part was named, all are asked for.
    pub fn wants(&self, part: &str) -> bool {
        self.parts.is_empty() || self.parts.iter().any(|wanted| wanted == part)
    }
}
