//! Clause 25: code of the user that a call runs.

use std::cell::RefCell;
use std::sync::{Arc, mpsc};
use std::thread;
use std::time::Duration;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use tokio::runtime::Builder;

use super::threads::on_threads;
use super::{HOUR, Harness};
use crate::backend::{Backend, Life};

/// Clause 25: user code never runs under a lock.
pub async fn user_code_never_runs_under_a_lock<H: Harness>(harness: &H) {
    let backend = Arc::new(harness.backend().await);
    on_threads(&backend, 1, |backend, _| async move {
        BACKEND.set(Some(backend.clone()));
        backend.set("key", CallsBack, None).await.unwrap();
        backend.set("key", &CallsBack, Some(HOUR)).await.unwrap();
        backend.set_if_absent("key", CallsBack, None).await.unwrap();
        backend
            .set_if_present("key", CallsBack, None)
            .await
            .unwrap();
        backend.set_many(&[("key", CallsBack)], None).await.unwrap();
        let stored = backend.get_stored("key").await.unwrap().unwrap();
        backend
            .compare_and_set("key", &stored, CallsBack, Life::Keep)
            .await
            .unwrap();
        assert!(backend.get::<CallsBack>("key").await.unwrap().is_some());
        assert!(
            backend
                .get_with_ttl::<CallsBack>("key")
                .await
                .unwrap()
                .is_some()
        );
        assert_eq!(
            backend.get_many::<CallsBack>(&["key"]).await.unwrap().len(),
            1
        );
        assert!(backend.take::<CallsBack>("key").await.unwrap().is_some());
        BACKEND.set(None);
    })
    .await;
}

/// A value whose code uses the backend that it is being stored in or read from.
struct CallsBack;

impl Serialize for CallsBack {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        call_back();
        1.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for CallsBack {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        call_back();
        i64::deserialize(deserializer).map(|_| Self)
    }
}

impl Drop for CallsBack {
    fn drop(&mut self) {
        call_back();
    }
}

/// Uses the key of the call from another thread and waits for that thread: with a lock held this
/// would never end.
fn call_back() {
    let Some(backend) = BACKEND.with_borrow(Clone::clone) else {
        return;
    };
    let (done, waits) = mpsc::channel();
    thread::spawn(move || {
        let runtime = Builder::new_current_thread().enable_all().build();
        runtime.expect("a runtime can be built").block_on(async {
            backend.set_if_absent("key", 1, None).await.unwrap();
            backend.exists("key").await.unwrap();
            backend.increment("other", None).await.unwrap();
        });
        let _ = done.send(());
    });
    let patience = Duration::from_secs(60);
    waits
        .recv_timeout(patience)
        .expect("a lock is held while user code runs");
}

thread_local! {
    /// The backend that the user's code on this thread calls back into.
    static BACKEND: RefCell<Option<Arc<dyn Backend>>> = const { RefCell::new(None) };
}
