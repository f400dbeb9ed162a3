//! Models of a flight: callers that miss one key at one time.
//!
//! `Semaphore` of tokio is taken as it is, and each of its calls is one step. The looks at a leader
//! that gives no sign of life go by real time, which doesn't pass here. Their tests are those of
//! `turn`, and those on real runtimes in `tests/cache`.

#![allow(clippy::unwrap_used)]

use std::sync::Arc;

use shuttle::future::{block_on, yield_now};
use shuttle::thread;

use super::single_flight::get_or_set_with;
use crate::backend::memory::MemoryBackend;
use crate::backend::{Backend, Life};
use crate::codec::Cbor;
use crate::error::{BackendError, BackendResult, ErrorKind};
use crate::keyspace::{Key, Keyspace, KeyspaceInfo, Kind, Valued};
use crate::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use crate::sync::begin;

/// A keyspace of one key.
struct Page;

impl Keyspace for Page {
    const INFO: KeyspaceInfo = KeyspaceInfo::new("Page", "page", Kind::Value, &[], Life::Never);
    type OwnedKey = ();

    fn parse_key(text: &str) -> Option<()> {
        (text == "page").then_some(())
    }
}

impl Valued for Page {
    type Value = usize;
    type Codec = Cbor;
}

/// The source that values are computed from.
#[derive(Default)]
struct Source {
    at_work: AtomicUsize,
    computed: AtomicUsize,
}

impl Source {
    async fn compute(self: Arc<Self>) -> BackendResult<usize> {
        let _work = Work::begin(&self.at_work);
        yield_now().await;
        Ok(self.computed.fetch_add(1, SeqCst))
    }

    async fn fail(self: Arc<Self>) -> BackendResult<usize> {
        let _work = Work::begin(&self.at_work);
        yield_now().await;
        Err(BackendError::new(ErrorKind::Other, "no page"))
    }
}

/// One computation, of which there is never more than one at a time.
struct Work<'a>(&'a AtomicUsize);

impl<'a> Work<'a> {
    fn begin(at_work: &'a AtomicUsize) -> Self {
        let others = at_work.fetch_add(1, SeqCst);
        assert_eq!(others, 0, "two compute at one time");
        Self(at_work)
    }
}

impl Drop for Work<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, SeqCst);
    }
}

fn ask(backend: &MemoryBackend, source: &Arc<Source>) -> usize {
    let asked =
        get_or_set_with::<Page, _, _, _, BackendError>(backend, key(), || source.clone().compute());
    block_on(asked).unwrap()
}

fn key() -> Key {
    Key::of_parts(["page"])
}

/// Callers of a store that keeps values: one computes for all.
pub fn many_misses_are_one_computation() {
    begin();
    let (backend, source) = (MemoryBackend::new(), Arc::new(Source::default()));
    let callers = [(), (), ()].map(|()| {
        let (backend, source) = (backend.clone(), source.clone());
        thread::spawn(move || ask(&backend, &source))
    });
    for caller in callers {
        assert_eq!(caller.join().unwrap(), 0);
    }
    assert_eq!(source.computed.load(SeqCst), 1);
}

/// Callers of a store that is full and keeps nothing: they share, or compute one after the other.
pub fn callers_of_a_full_store_compute_one_after_the_other() {
    begin();
    let backend = MemoryBackend::builder().max_entries(1).build();
    block_on(backend.set("other", 1, None)).unwrap();
    let source = Arc::new(Source::default());
    let callers = [(), (), ()].map(|()| {
        let (backend, source) = (backend.clone(), source.clone());
        thread::spawn(move || ask(&backend, &source))
    });
    for caller in callers {
        caller.join().unwrap();
    }
}

/// Values that are removed while others wait: callers share, or compute one after the other.
pub fn a_removal_lets_nobody_compute_beside_another() {
    begin();
    let (backend, source) = (MemoryBackend::new(), Arc::new(Source::default()));
    let callers = [(), (), ()].map(|()| {
        let (backend, source) = (backend.clone(), source.clone());
        thread::spawn(move || {
            ask(&backend, &source);
            block_on(backend.delete("page")).unwrap();
            ask(&backend, &source);
        })
    });
    for caller in callers {
        caller.join().unwrap();
    }
}

/// A leader that fails, and one that is dropped, give the turn to one of those who wait.
pub fn a_leader_that_is_gone_is_followed() {
    begin();
    let (backend, source) = (MemoryBackend::new(), Arc::new(Source::default()));
    let (of_failing, failing_source) = (backend.clone(), source.clone());
    let failing = thread::spawn(move || {
        let compute = || failing_source.fail();
        let asked = get_or_set_with::<Page, _, _, _, BackendError>(&of_failing, key(), compute);
        let _ = block_on(asked);
    });
    let (of_leaving, leaving_source) = (backend.clone(), source.clone());
    let leaving = thread::spawn(move || {
        let compute = || leaving_source.compute();
        let asked = get_or_set_with::<Page, _, _, _, BackendError>(&of_leaving, key(), compute);
        let mut asked = Box::pin(asked);
        let waker = std::task::Waker::noop();
        let _ = asked
            .as_mut()
            .poll(&mut std::task::Context::from_waker(waker));
    });
    ask(&backend, &source);
    failing.join().unwrap();
    leaving.join().unwrap();
}
