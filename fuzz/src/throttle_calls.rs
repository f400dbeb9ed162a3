//! Throttles: memory and a backend that has no step of its own, which reads and writes the text,
//! decide alike.

use std::time::Duration;

use reinhardt_backends::store::Store;
use reinhardt_backends::throttle::{Attempt, Quota};
use reinhardt_backends::{Backend, MemoryBackend};
use tokio::time::advance;

#[allow(missing_docs, unreachable_pub)]
#[path = "../../examples/own_backend.rs"]
mod own_backend;

/// Two quotas of five bytes each, and calls of four.
pub fn check(data: &[u8]) {
    let Some((quotas, calls)) = data.split_at_checked(10) else {
        return;
    };
    let quotas: Vec<Quota> = quotas.chunks(5).filter_map(quota).collect();
    if quotas.is_empty() {
        return;
    }
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .expect("a runtime without I/O takes nothing of the system");
    runtime.block_on(ask(&quotas, calls));
}

/// The algorithm, the limit, the burst, and the period in two bytes; `None` for a quota that can't
/// be.
fn quota(bytes: &[u8]) -> Option<Quota> {
    let &[algorithm, limit, burst, low, high] = bytes else {
        return None;
    };
    let (limit, burst) = (u32::from(limit), u32::from(burst));
    let period = Duration::from_millis(u16::from_le_bytes([low, high]).into());
    let quota = match algorithm % 4 {
        0 => Quota::gcra(limit, period),
        1 => Quota::gcra(limit, period).with_burst(burst),
        2 => Quota::fixed_window(limit, period),
        _ => Quota::sliding_window(limit, period),
    };
    quota.check().is_ok().then_some(quota)
}

/// A call is a pause in steps that grow, a cost, and whether all quotas are asked.
///
/// Pauses are whole milliseconds, as a store without a step of its own tells them.
async fn ask(quotas: &[Quota], calls: &[u8]) {
    let memory = MemoryBackend::new();
    let own = own_backend::MapBackend::default();
    for call in calls.chunks_exact(4).take(MOST_CALLS) {
        let &[low, high, scale, how] = call else {
            unreachable!("chunks of four");
        };
        let pause = u64::from(u16::from_le_bytes([low, high])) >> (scale % 16);
        advance(Duration::from_millis(pause)).await;
        let quotas = match how & 0x80 {
            0 => quotas,
            _ => &quotas[..1],
        };
        let least = quotas.iter().map(Quota::capacity).min().unwrap_or(0);
        let mut attempt = Attempt::new(quotas).with_cost(u32::from(how & 0x3f).min(least));
        if how & 0x40 != 0 {
            attempt = attempt.peeking();
        }
        let one = memory
            .throttle("key", attempt)
            .await
            .expect("the attempt was checked");
        let other = own
            .throttle("key", attempt)
            .await
            .expect("the attempt was checked");
        assert_eq!(one, other);
        assert_eq!(one.allowed, one.retry_after.is_none());
        assert!(one.remaining <= one.limit);
        if let Some(wait) = one.retry_after {
            let left = memory.ttl("key").await.expect("memory answers");
            assert!(left.is_some(), "a refusal of {wait:?} by nothing");
        }
    }
}

/// Each call takes some microseconds.
const MOST_CALLS: usize = 200;
