//! The events that a layer's observer is told of, and that calls don't show.

use std::sync::Mutex;
use std::sync::atomic::{AtomicU32, Ordering::SeqCst};

use futures::{FutureExt, TryStreamExt};
use reinhardt_backends::layer::{Answer, Intercept, Next, Operation};
use reinhardt_backends::lease::{Lease, Renewal};
use reinhardt_backends::session::{SessionError, SessionStore};
use reinhardt_backends::store::{Event, Observer};
use reinhardt_backends::testing::Flaky;
use reinhardt_backends::throttle::{Quota, Throttle};
use reinhardt_backends::{BackendError, BackendResult, ErrorKind, KeyStream, Life};
use reinhardt_backends_tests::PosingBackend;
use tokio::sync::Notify;

use super::*;

#[derive(Debug, Clone, Copy, Keyspace)]
#[keyspace(prefix = "event.page", ttl = "5m", value = String)]
pub(super) struct Page {
    pub(super) id: u32,
}

#[derive(Debug, Clone, Copy, Keyspace)]
#[keyspace(prefix = "event.lenient", ttl = "5m", value = String, on_decode_error = "miss")]
struct Lenient {
    id: u32,
}

#[derive(Debug, Clone, Copy, Keyspace)]
#[keyspace(prefix = "event.leased", ttl = "5m", value = String, lease = "10s")]
struct Leased {
    id: u32,
}

#[derive(Debug, Clone, Copy, Keyspace)]
#[keyspace(prefix = "event.news", ttl = "5m", value = String, lease = "10s", stale = "1h")]
struct News {
    id: u32,
}

#[derive(Debug, Clone, Copy, Keyspace)]
#[keyspace(prefix = "event.hits", ttl = "5m", counter)]
struct Hits {
    id: u32,
}

#[derive(Debug, Clone, Copy, Keyspace)]
#[keyspace(prefix = "event.optional", ttl = "5m", value = String, on_unavailable = "miss")]
pub(super) struct Optional {
    pub(super) id: u32,
}

/// A keyspace and an event in it.
type Told = (&'static str, Event);

/// Keeps the events that it is told of.
#[derive(Clone, Default)]
struct Keeping(Arc<Mutex<Vec<Told>>>);

impl Keeping {
    /// Returns the events since the last time, with times of zero.
    fn take(&self) -> Vec<Told> {
        let told = std::mem::take(&mut *self.0.lock().unwrap());
        let timeless = |event| match event {
            Event::Computed(_) => Event::Computed(Duration::ZERO),
            Event::ComputeFailed(_) => Event::ComputeFailed(Duration::ZERO),
            Event::ComputeDropped(_) => Event::ComputeDropped(Duration::ZERO),
            Event::Waited(_) => Event::Waited(Duration::ZERO),
            event => event,
        };
        told.into_iter()
            .map(|(keyspace, event)| (keyspace, timeless(event)))
            .collect()
    }
}

/// A layer that has an observer, and does nothing else.
struct ObservedBy<O>(O);

impl<O: Observer> Intercept for ObservedBy<O> {
    const FAST_PATH: bool = true;

    async fn call<T: Answer>(&self, _: Operation<'_>, next: Next<'_, T>) -> BackendResult<T> {
        next.run().await
    }

    fn call_now<T: Answer>(
        &self,
        _: Operation<'_>,
        next: impl FnOnce() -> BackendResult<T>,
    ) -> BackendResult<T> {
        next()
    }

    fn keys<'a>(&'a self, _: Operation<'_>, next: KeyStream<'a>) -> KeyStream<'a> {
        next
    }

    fn observer(&self) -> Option<&dyn Observer> {
        Some(&self.0)
    }
}

impl Observer for Keeping {
    fn on_event(&self, keyspace: &'static str, event: Event) {
        self.0.lock().unwrap().push((keyspace, event));
    }
}

/// A memory whose events are kept.
fn kept() -> (Keeping, impl Backend + Clone + 'static) {
    let keeping = Keeping::default();
    let backend = MemoryBackend::new().layer(ObservedBy(keeping.clone()));
    (keeping, backend)
}

fn many(event: Told, times: usize) -> Vec<Told> {
    vec![event; times]
}

const DECODE_ERROR: Event = Event::DecodeError;
const MINUTE: Duration = Duration::from_secs(60);
const COMPUTED: Event = Event::Computed(Duration::ZERO);
const WAITED: Event = Event::Waited(Duration::ZERO);

async fn computed(text: &str) -> BackendResult<String> {
    Ok(text.to_string())
}

#[tokio::test]
async fn every_read_that_does_not_decode_is_told_once() {
    let (keeping, backend) = kept();
    let id = 7;
    for key in ["event.page:7", "event.lenient:7", "S3cret"] {
        backend.set(key, 7_u8, None).await.unwrap();
    }
    let page = Page { id };
    assert!(page.get(&backend).await.is_err());
    assert!(
        Page::get_many(&backend, [7, 8].map(|id| Page { id }))
            .await
            .is_err()
    );
    assert!(page.update(&backend, |_| ()).await.is_err());
    let scanned: BackendResult<Vec<_>> = Page::scan(&backend).try_collect().await;
    assert!(scanned.is_err());
    let found = page.get_or_set_with(&backend, || computed("anew")).await;
    assert!(found.is_err());
    assert!(page.take(&backend).await.is_err());
    assert_eq!(keeping.take(), many(("event.page", DECODE_ERROR), 6));

    assert_eq!(Lenient { id }.get(&backend).await.unwrap(), None);
    assert_eq!(keeping.take(), [("event.lenient", DECODE_ERROR)]);

    assert!(backend.get::<String>("S3cret").await.is_err());
    assert!(backend.get_many::<String>(&["S3cret"]).await.is_err());
    assert!(backend.get_with_ttl::<String>("S3cret").await.is_err());
    assert!(backend.take::<String>("S3cret").await.is_err());
    assert_eq!(keeping.take(), many(("_other", DECODE_ERROR), 4));
}

#[tokio::test]
async fn a_sum_that_does_not_decode_is_told() {
    let (keeping, backend) = kept();
    backend.set("event.hits:7", "many", None).await.unwrap();
    assert!(Hits { id: 7 }.get(&backend).await.is_err());
    assert!(Hits::get_many(&backend, [Hits { id: 7 }]).await.is_err());
    let scanned: BackendResult<Vec<_>> = Hits::scan(&backend).try_collect().await;
    assert!(scanned.is_err());
    assert_eq!(keeping.take(), many(("event.hits", DECODE_ERROR), 3));
}

#[tokio::test]
async fn a_session_that_does_not_decode_is_told() {
    let (keeping, backend) = kept();
    let texts = SessionStore::<String, _>::new(backend.clone());
    let session = texts.create(&7_u64, "S3cret".to_string()).await.unwrap();
    let numbers = SessionStore::<u64, _>::new(backend);
    assert!(numbers.load(session.id()).await.is_err());
    assert!(numbers.update(session.id(), |_| ()).await.is_err());
    assert_eq!(keeping.take(), many(("session-store", DECODE_ERROR), 2));
}

#[tokio::test]
async fn a_lost_race_is_a_conflict_and_the_last_one_gives_up() {
    let (keeping, backend) = kept();
    let page = Page { id: 7 };
    page.set(&backend, "one").await.unwrap();
    let mut rivals = 1;
    let mut change = |text: &mut String| {
        if rivals > 0 {
            rivals -= 1;
            let rival = page.set(&backend, format!("rival {rivals}"));
            rival.now_or_never().unwrap().unwrap();
        }
        text.push('!');
    };
    page.update(&backend, &mut change).await.unwrap();
    assert_eq!(keeping.take(), [("event.page", Event::Conflict)]);

    rivals = u32::MAX;
    let mut change = |text: &mut String| {
        rivals -= 1;
        let rival = page.set(&backend, format!("rival {rivals}"));
        rival.now_or_never().unwrap().unwrap();
        text.push('!');
    };
    let error = page.update(&backend, &mut change).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Conflict);
    let mut expected = many(("event.page", Event::Conflict), 128);
    expected.push(("event.page", Event::GaveUp));
    assert_eq!(keeping.take(), expected);
}

#[tokio::test]
async fn the_conflict_of_a_session_is_told() {
    let (keeping, backend) = kept();
    let sessions = SessionStore::<String, _>::new(backend);
    let mut first = sessions.create(&7_u64, "one".to_string()).await.unwrap();
    let mut second = sessions.load(first.id()).await.unwrap().unwrap();
    sessions.save(&mut first).await.unwrap();
    let saved = sessions.save(&mut second).await;
    assert!(matches!(saved, Err(SessionError::Conflict)));
    let cycled = sessions.cycle(&mut second, &7_u64).await;
    assert!(matches!(cycled, Err(SessionError::Conflict)));
    let conflict = ("session-store", Event::Conflict);
    assert_eq!(keeping.take(), many(conflict, 2));
    sessions.delete(first.id()).await.unwrap();
    let saved = sessions.save(&mut first).await;
    assert!(matches!(saved, Err(SessionError::Gone)));
    assert_eq!(keeping.take(), [], "nobody was faster");
}

#[tokio::test]
async fn a_computation_is_told_and_so_is_its_failure() {
    let (keeping, backend) = kept();
    let fails = async || Err(BackendError::new(ErrorKind::Other, "no source"));
    let (page, leased) = (Page { id: 7 }, Leased { id: 7 });
    assert!(page.get_or_set_with(&backend, fails).await.is_err());
    assert!(leased.get_or_set_with(&backend, fails).await.is_err());
    let failed = Event::ComputeFailed(Duration::ZERO);
    let both = |event| [("event.page", event), ("event.leased", event)];
    assert_eq!(keeping.take(), both(failed));
    for _ in 0..2 {
        let (page, leased) = (
            page.get_or_set_with(&backend, || computed("page")).await,
            leased.get_or_set_with(&backend, || computed("page")).await,
        );
        assert_eq!(
            (page.unwrap(), leased.unwrap()),
            ("page".into(), "page".into())
        );
    }
    assert_eq!(keeping.take(), both(COMPUTED), "a hit is none");
}

#[tokio::test]
async fn who_waits_for_a_computation_is_told_with_the_time() {
    const PAUSE: Duration = Duration::from_millis(30);
    let (keeping, backend) = kept();
    let begun = Notify::new();
    let go_on = Notify::new();
    let page = Page { id: 7 };
    let slow = page.get_or_set_with(&backend, async || {
        begun.notify_one();
        go_on.notified().await;
        computed("slow").await
    });
    let waits = async {
        begun.notified().await;
        let value = page.get_or_set_with(&backend, || computed("anew"));
        let value = value.await.unwrap();
        assert_eq!(value, "slow");
    };
    let ends = async {
        tokio::time::sleep(PAUSE).await;
        go_on.notify_one();
    };
    let (slow, ..) = tokio::join!(slow, waits, ends);
    assert_eq!(slow.unwrap(), "slow");
    let told: Vec<Told> = std::mem::take(&mut *keeping.0.lock().unwrap());
    let times = told.iter().map(|(keyspace, event)| {
        assert_eq!(*keyspace, "event.page");
        (event.name(), event.time().unwrap())
    });
    let times: Vec<_> = times.collect();
    let names: Vec<_> = times.iter().map(|(name, _)| *name).collect();
    assert_eq!(names, ["computed", "waited"]);
    for (name, time) in times {
        assert!(time >= PAUSE / 2, "{name}: {time:?}");
    }
}

#[tokio::test]
async fn an_old_value_that_is_served_is_told_and_so_is_its_refresh() {
    let (keeping, backend) = kept();
    let news = News { id: 7 };
    news.set(&backend, "old").await.unwrap();
    let half_an_hour = Life::In(Duration::from_secs(30 * 60));
    backend.expire("event.news:7", half_an_hour).await.unwrap();
    let served = news.get_or_set_with(&backend, || computed("fresh")).await;
    assert_eq!(served.unwrap(), "old");
    let patience = std::time::Instant::now() + Duration::from_secs(60);
    while news.get(&backend).await.unwrap().as_deref() != Some("fresh") {
        assert!(std::time::Instant::now() < patience);
        tokio::task::yield_now().await;
    }
    let told = keeping.take();
    assert_eq!(
        told,
        [("event.news", Event::ServedStale), ("event.news", COMPUTED)]
    );
    let served = news.get_or_set_with(&backend, || computed("newer")).await;
    assert_eq!(served.unwrap(), "fresh");
    assert_eq!(keeping.take(), []);
}

#[tokio::test]
async fn a_refusal_is_told_with_the_quota_that_refused() {
    let (keeping, backend) = kept();
    let login = Login {
        client: "S3cret".to_string(),
    };
    for _ in 0..3 {
        let _ = login.check(&backend).await.unwrap();
    }
    let per_minute = Quota::gcra(2, MINUTE);
    assert_eq!(
        keeping.take(),
        [("layered-login", Event::Refused(per_minute))]
    );
    let _ = login.peek(&backend).await.unwrap();
    assert_eq!(keeping.take(), [], "nobody was refused");

    let per_day = Quota::gcra(1, 24 * 60 * MINUTE);
    let throttle = Throttle::new("event-at-run-time", [per_minute, per_day]).unwrap();
    for _ in 0..2 {
        let _ = throttle.check(&backend, "S3cret").await.unwrap();
    }
    assert_eq!(keeping.take(), [("_other", Event::Refused(per_day))]);
}

#[tokio::test(start_paused = true)]
async fn a_lease_is_told_when_it_is_lost_waited_for_or_given_up() {
    let (keeping, backend) = kept();
    let second = Duration::from_secs(1);
    let lease = Lease::new(backend.clone(), "S3cret", 600 * second).unwrap();
    let guard = lease.acquire_within(second).await.unwrap().unwrap();
    assert_eq!(keeping.take(), [], "it was free");
    assert!(lease.acquire_within(second).await.unwrap().is_none());
    assert_eq!(keeping.take(), [("_lease", Event::GaveUp)]);
    let waits = lease.acquire_within(60 * second);
    let released = async {
        tokio::time::sleep(second).await;
        assert!(guard.release().await.unwrap());
    };
    let (acquired, ()) = tokio::join!(waits, released);
    let mut guard = acquired.unwrap().unwrap();
    assert_eq!(keeping.take(), [("_lease", WAITED)]);
    backend.clear_prefix("lease@name:").await.unwrap();
    assert_eq!(guard.renew().await.unwrap(), Renewal::Lost);
    assert!(!guard.release().await.unwrap());
    assert_eq!(keeping.take(), [("_lease", Event::LeaseLost)], "once");
    let guard = lease.acquire().await.unwrap().unwrap();
    backend.clear_prefix("lease@name:").await.unwrap();
    assert!(!guard.release().await.unwrap());
    assert_eq!(keeping.take(), [("_lease", Event::LeaseLost)]);
}

#[tokio::test]
async fn what_goes_on_without_its_store_is_told() {
    let keeping = Keeping::default();
    let flaky = Flaky::new(MemoryBackend::new());
    let backend = flaky.clone().layer(ObservedBy(keeping.clone()));
    flaky.down();
    let optional = Optional { id: 7 };
    assert_eq!(optional.get(&backend).await.unwrap(), None);
    let none = Optional::get_many(&backend, [7, 8, 9].map(|id| Optional { id }));
    assert_eq!(none.await.unwrap(), [None, None, None]);
    optional.set(&backend, "lost").await.unwrap();
    let told = |event| ("event.optional", event);
    let expected = [
        Event::StoreAway,
        Event::ReadsWentOn(1),
        Event::ReadsWentOn(3),
        Event::WritesWentOn(1),
    ];
    assert_eq!(keeping.take(), expected.map(told));
    flaky.up();
    let patience = std::time::Instant::now() + Duration::from_secs(60);
    let back = loop {
        optional.set(&backend, "there").await.unwrap();
        let told = keeping.take();
        if let Some(back) = told.last().filter(|told| told.1.name() == "store_back") {
            break *back;
        }
        assert!(std::time::Instant::now() < patience, "{told:?}");
    };
    assert_eq!(back.0, "event.optional");
    optional.get(&backend).await.unwrap().unwrap();
    assert_eq!(keeping.take(), []);
}

#[tokio::test]
async fn an_observer_is_reached_through_every_pointer_and_layer() {
    let keeping = Keeping::default();
    let backend = MemoryBackend::new().layer(ObservedBy(keeping.clone()));
    let backend: Arc<dyn Backend> = Arc::new(PosingBackend::in_another_process(backend));
    let backend = Arc::new(Box::new(backend)).layer(Recording::<false>::default());
    backend.set("event.page:7", 7_u8, None).await.unwrap();
    assert!(Page { id: 7 }.get(&backend).await.is_err());
    assert_eq!(keeping.take(), [("event.page", DECODE_ERROR)]);
}

#[tokio::test]
async fn the_observers_of_two_layers_are_told() {
    let (inner, outer) = (Keeping::default(), Keeping::default());
    let backend = MemoryBackend::new()
        .layer(ObservedBy(inner.clone()))
        .layer(ObservedBy(outer.clone()));
    backend.set("event.page:7", 7_u8, None).await.unwrap();
    assert!(Page { id: 7 }.get(&backend).await.is_err());
    for keeping in [inner, outer] {
        assert_eq!(keeping.take(), [("event.page", DECODE_ERROR)]);
    }
}

/// An observer is code of a user's: no lock is held while it runs.
#[tokio::test]
async fn an_observer_may_ask_the_store_inside() {
    struct Asking(MemoryBackend, AtomicU32);

    impl Observer for Asking {
        fn on_event(&self, keyspace: &'static str, _: Event) {
            let page = Optional { id: 7 }.get(&self.0).now_or_never();
            assert_eq!(page.unwrap().unwrap(), None, "{keyspace}");
            self.1.fetch_add(1, SeqCst);
        }
    }

    let memory = MemoryBackend::new();
    let backend = memory
        .clone()
        .layer(ObservedBy(Asking(memory, AtomicU32::new(0))));
    let page = Page { id: 7 };
    page.get_or_set_with(&backend, || computed("page"))
        .await
        .unwrap();
    backend.set("event.page:7", 7_u8, None).await.unwrap();
    assert!(page.get(&backend).await.is_err());
    assert_eq!(backend.intercept().0.1.load(SeqCst), 2);
}

#[test]
fn the_page_has_every_event() {
    let named = metrics::table_of("# Events");
    assert_eq!(named, Event::NAMES);
    let times = [
        Event::Computed(MINUTE),
        Event::ComputeFailed(MINUTE),
        Event::ComputeDropped(MINUTE),
        Event::Waited(MINUTE),
        Event::StoreBack(MINUTE),
    ];
    let row = metrics::row_of("reinhardt.event.duration");
    for event in times {
        assert_eq!(event.time(), Some(MINUTE));
        assert!(row.contains(&format!("`{}`", event.name())), "{row}");
    }
    assert_eq!(row.matches('`').count(), 2 * (1 + times.len()), "{row}");
}

#[tokio::test]
async fn a_computation_that_is_dropped_is_told() {
    let (keeping, backend) = kept();
    let page = Page { id: 7 };
    let hangs = page.get_or_compute(&backend, std::future::pending::<String>);
    assert!(hangs.now_or_never().is_none());
    let dropped = Event::ComputeDropped(Duration::ZERO);
    assert_eq!(keeping.take(), [("event.page", dropped)]);
}

/// The key of a lease that a removal takes away isn't lost: that is what it is for.
#[tokio::test]
async fn a_removal_during_a_computation_loses_no_lease() {
    let (keeping, backend) = kept();
    let leased = Leased { id: 7 };
    let compute = || async {
        leased.delete(&backend).await?;
        computed("old").await
    };
    leased.get_or_set_with(&backend, compute).await.unwrap();
    assert_eq!(keeping.take(), [("event.leased", COMPUTED)]);
}
