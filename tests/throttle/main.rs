//! Throttles have exact limits and exact waits, the same on memory and on Redis.

mod exact_limits;
mod keyspaces;
#[allow(unreachable_pub)]
#[path = "../../examples/own_backend.rs"]
mod own_backend;
mod quota_text;
mod script_agreement;
mod several_quotas;
mod stored_state;
mod tower_layer;

use std::time::Duration;

use proptest::prelude::*;
use reinhardt_backends::throttle::{Algorithm, Quota};

/// Quotas of every algorithm, with few calls a period, so that they are used up.
fn quotas() -> impl Strategy<Value = Quota> {
    let algorithm = prop_oneof![
        Just(Algorithm::Gcra),
        Just(Algorithm::FixedWindow),
        Just(Algorithm::SlidingWindow),
    ];
    (algorithm, 1..20_u32, 1..5000_u64, 1..20_u32).prop_map(|(algorithm, limit, period, burst)| {
        let period = Duration::from_millis(period);
        match algorithm {
            Algorithm::FixedWindow => Quota::fixed_window(limit, period),
            Algorithm::SlidingWindow => Quota::sliding_window(limit, period),
            _ => Quota::gcra(limit, period).with_burst(burst),
        }
    })
}
