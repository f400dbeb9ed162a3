//! The Redis backend on a cluster: the contract, slots that move, primaries that fail, and calls
//! that ask several nodes at once.

mod conformance;
mod down;
mod failover;
mod moving_slots;
mod raw_commands;
mod replicas;
mod settings;
mod several_nodes;
mod tls;

use std::time::Duration;

use reinhardt_backends_tests::patient as builder;

/// Long enough for every machine.
const PATIENCE: Duration = Duration::from_secs(30);
