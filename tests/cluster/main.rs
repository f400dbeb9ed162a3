//! The Redis backend on a cluster: the contract, slots that move, primaries that fail, and calls
//! that ask several nodes at once.

mod conformance;
mod down;
mod failover;
mod many;
mod moved;
mod replicas;
mod rest;
mod settings;
mod tls;

use std::time::Duration;

use reinhardt_backends_tests::patient as builder;

/// Long enough for every machine.
const PATIENCE: Duration = Duration::from_secs(30);
