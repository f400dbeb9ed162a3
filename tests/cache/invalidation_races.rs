//! A value that an accessor writes or removes stays so, at whichever call of the accessor an
//! earlier computation ends.

use std::sync::Arc;

use futures::future::BoxFuture;
use reinhardt_backends::{Backend, BackendResult};

use crate::{NEWS, News, PAGE, PATIENCE, Page, Source, age, flaky, until};

type Accessor = fn(Arc<dyn Backend>) -> BoxFuture<'static, BackendResult<()>>;

macro_rules! accessors {
    ($(|$backend:ident| $call:expr;)*) => {
        [$((
            stringify!($call),
            (|$backend: Arc<dyn Backend>| {
                Box::pin(async move { $call.await.map(drop) }) as BoxFuture<'static, _>
            }) as Accessor,
        )),*]
    };
}

#[derive(Debug)]
struct Stored {
    /// The page, which was computed while it was missing.
    page: Option<String>,
    /// The news, which were `old` and were computed anew.
    news: Option<String>,
}

/// Returns what is stored after an accessor has ended. Before the accessor's call at position `at`,
/// a computation ended that had begun before the accessor. Returns `None` if the accessor has no
/// such call.
async fn ended_before(at: usize, accessor: Accessor) -> Option<Stored> {
    let flaky = flaky();
    let held = flaky.on_any().nth(at + 1).hold();
    let has_stopped = || held.rule().applied() > 0;
    let memory: Arc<dyn Backend> = Arc::new(flaky.inner().clone());
    let source = Source::closed();
    let page = source.page(&memory);
    NEWS.set(&memory, "old").await.unwrap();
    age(&memory, NEWS).await;
    let handles = Arc::strong_count(&memory);
    let refreshing = Source::closed();
    assert_eq!(refreshing.news(&memory).await, "old");
    until("it refreshes", async || refreshing.begun() == 1).await;
    until("it computes", async || source.begun() == 1).await;
    let changing = tokio::spawn(accessor(Arc::new(flaky)));
    until("it stops or ends", async || {
        has_stopped() || changing.is_finished()
    })
    .await;
    source.open_for(1);
    page.await.unwrap();
    refreshing.open_for(1);
    // The page has had a clone, too.
    until("its task has ended", async || {
        Arc::strong_count(&memory) < handles
    })
    .await;
    held.open();
    changing.await.unwrap().unwrap();
    let page = PAGE.get(&memory).await.unwrap();
    let news = NEWS.get(&memory).await.unwrap();
    has_stopped().then_some(Stored { page, news })
}

/// Checks an accessor that makes two calls at least, at each of them.
async fn check(name: &str, accessor: Accessor, page: Option<&str>) {
    let mut at = 0;
    while let Some(stored) = ended_before(at, accessor).await {
        assert!(
            stored.page.as_deref() == page,
            "{name}, call {at}: {stored:?}"
        );
        at += 1;
    }
    assert!(at >= 2, "{name} makes {at} calls");
}

#[tokio::test]
async fn what_is_removed_stays_so_wherever_a_computation_ends() {
    for (name, accessor) in accessors! {
        |b| PAGE.delete(&b);
        |b| PAGE.take(&b);
        |b| Page::delete_many(&b, [PAGE]);
        |b| Page::clear(&b);
        |b| Page::clear_under(&b, 1);
    } {
        check(name, accessor, None).await;
    }
}

#[tokio::test]
async fn what_is_written_stays_so_wherever_a_computation_ends() {
    for (name, accessor) in accessors! {
        |b| PAGE.set(&b, "new");
        |b| PAGE.set_for(&b, "new", PATIENCE);
        |b| Page::set_many(&b, [(PAGE, "new")]);
    } {
        check(name, accessor, Some("new")).await;
    }
}

#[tokio::test]
async fn what_is_written_on_a_condition_meets_nothing_from_before_it() {
    // A computation that ends before the lease is taken away was stored before the condition was
    // looked at.
    let early = Some("computed 0");
    for (name, accessor, expected) in [
        (
            "set_if_absent",
            accessors! { |b| PAGE.set_if_absent(&b, "new"); },
            [early, Some("new")],
        ),
        (
            "set_if_present",
            accessors! { |b| PAGE.set_if_present(&b, "new"); },
            [Some("new"), None],
        ),
        (
            "update",
            accessors! { |b| PAGE.update(&b, |page| page.push('!')); },
            [Some("computed 0!"), None],
        ),
    ] {
        let [(_, accessor)] = accessor;
        let [first, later] = expected;
        let stored = ended_before(0, accessor).await;
        assert_eq!(stored.unwrap().page.as_deref(), first, "{name}");
        let mut at = 1;
        while let Some(stored) = ended_before(at, accessor).await {
            assert_eq!(stored.page.as_deref(), later, "{name}, call {at}");
            at += 1;
        }
        assert!(at >= 2, "{name} makes {at} calls");
    }
}

/// The same bytes, of which a refresh can't tell by looking that they were written meanwhile.
#[tokio::test]
async fn what_is_written_over_an_old_value_stays_so_wherever_a_refresh_ends() {
    for (name, accessor) in accessors! {
        |b| NEWS.set(&b, "old");
        |b| NEWS.set_for(&b, "old", PATIENCE);
        |b| NEWS.set_if_present(&b, "old");
        |b| News::set_many(&b, [(NEWS, "old")]);
    } {
        let mut at = 0;
        while let Some(stored) = ended_before(at, accessor).await {
            assert_eq!(stored.news.as_deref(), Some("old"), "{name}, call {at}");
            at += 1;
        }
        assert!(at >= 2, "{name} makes {at} calls");
    }
}
