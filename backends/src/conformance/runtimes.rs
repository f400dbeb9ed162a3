//! Clauses 44 and 45: several runtimes, and the end.

use std::pin::pin;
use std::sync::{Arc, Barrier};
use std::time::Duration;

use futures_timer::Delay;
use futures_util::future::{Either, select};

use super::threads::{give_up_after, on_threads};
use super::{HOUR, Harness};
use crate::backend::Backend;

/// Long enough for every machine, in real time.
const PATIENCE: Duration = Duration::from_secs(60);

/// Clause 44: a backend that several runtimes share answers each of them, whatever the others do or
/// how they end.
pub async fn no_runtime_waits_for_another<H: Harness>(harness: &H) {
    let backend = Arc::new(harness.backend().await);
    let [begun, done] = [(); 2].map(|()| Arc::new(Barrier::new(2)));
    on_threads(&backend, 2, move |backend, thread| {
        let (begun, done) = (begun.clone(), done.clone());
        async move {
            if thread == 0 {
                backend.increment("hits", None).await.unwrap();
                // Blocks the only thread of its runtime while the other one works.
                begun.wait();
                done.wait();
                assert_eq!(backend.get::<u8>("hits").await.unwrap(), Some(2));
                return;
            }
            begun.wait();
            assert_eq!(backend.increment("hits", Some(HOUR)).await.unwrap(), 2);
            backend.set("key", "value", None).await.unwrap();
            assert!(backend.exists("key").await.unwrap());
            assert!(backend.delete("key").await.unwrap());
            done.wait();
        }
    })
    .await;
    // Both runtimes have ended.
    assert_eq!(backend.increment("hits", None).await.unwrap(), 3);
}

/// Clause 45: closing takes no longer than a call may, whatever was begun and left.
pub async fn closing_ends<H: Harness>(harness: &H) {
    let backend = harness.backend().await;
    backend.set("key", "value", None).await.unwrap();
    if let Some(server) = harness.server() {
        server.pause();
    }
    let mut left = Vec::new();
    for polls in [0, 1, 3] {
        let mut call = Box::pin(backend.increment("hits", None));
        give_up_after(polls, &mut call).await;
        left.push(call);
    }
    for _ in 0..2 {
        let patience = pin!(Delay::new(PATIENCE));
        let ended = select(backend.close(), patience).await;
        assert!(matches!(ended, Either::Left(_)), "closing hasn't ended");
    }
    drop(left);
    if let Some(server) = harness.server() {
        server.resume();
    }
}
