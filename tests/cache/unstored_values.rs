//! A value that can't be stored still goes to its callers, and none of them gets the error.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};

use futures::future::join_all;
use reinhardt_backends::layer::Op;
use reinhardt_backends::testing::Flaky;
use reinhardt_backends::{Backend, BackendError, ErrorKind, Eviction, Keyspace, MemoryBackend};
use serde::{Deserialize, Serialize, Serializer};
use tokio::sync::Semaphore;

use crate::{NEWS, PAGE, Source, age, flaky, lasting, until};

/// A number that encodes if it is even.
#[derive(Debug, PartialEq, Deserialize)]
struct Even(usize);

impl Serialize for Even {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0 % 2 {
            0 => self.0.serialize(serializer),
            _ => Err(serde::ser::Error::custom("it is odd")),
        }
    }
}

#[derive(Clone, Copy, Keyspace)]
#[keyspace(prefix = "plain", ttl = "5m", value = Even)]
struct Plain {
    page: u32,
}

#[derive(Clone, Copy, Keyspace)]
#[keyspace(prefix = "leased", ttl = "5m", value = Even, lease = "10s")]
struct Leased {
    page: u32,
}

#[derive(Clone, Copy, Keyspace)]
#[keyspace(prefix = "stale", ttl = "1m", value = Even, stale = "10m")]
struct Stale {
    page: u32,
}

const MANY: usize = 50;

type Got = Result<Even, BackendError>;

/// Odd numbers: the first computation ends when the test lets it, all other computations end
/// together.
struct Numbers {
    begun: AtomicUsize,
    first: Semaphore,
    others: Semaphore,
}

impl Numbers {
    fn closed() -> Arc<Self> {
        Arc::new(Self {
            begun: AtomicUsize::new(0),
            first: Semaphore::new(0),
            others: Semaphore::new(0),
        })
    }

    fn begun(&self) -> usize {
        self.begun.load(SeqCst)
    }

    async fn compute(&self) -> Got {
        let number = self.begun.fetch_add(1, SeqCst);
        let gate = if number == 0 {
            &self.first
        } else {
            &self.others
        };
        gate.acquire().await.unwrap().forget();
        Ok(Even(2 * number + 1))
    }
}

/// Many callers, one of which computes a value that doesn't encode.
async fn many_get_their_own<F>(get: impl Fn(Arc<dyn Backend>, Arc<Numbers>) -> F)
where
    F: Future<Output = Got> + Send + 'static,
{
    let backend = lasting(MemoryBackend::new());
    let numbers = Numbers::closed();
    let start = || tokio::spawn(get(backend.clone(), numbers.clone()));
    let all: Vec<_> = (0..MANY).map(|_| start()).collect();
    until("one computes", async || numbers.begun() == 1).await;
    numbers.first.add_permits(1);
    until("all others do, side by side", async || {
        numbers.begun() == MANY
    })
    .await;
    numbers.others.add_permits(MANY);
    let mut got = Vec::new();
    for number in join_all(all).await {
        got.push(number.unwrap().unwrap().0);
    }
    got.sort_unstable();
    let own: Vec<usize> = (0..MANY).map(|number| 2 * number + 1).collect();
    assert_eq!(got, own);
    let keys = backend.clear_prefix("").await.unwrap();
    assert_eq!(keys, 0, "neither a value nor a lease is left");
}

#[tokio::test]
async fn who_waited_for_what_does_not_encode_computes_at_once() {
    many_get_their_own(|backend, numbers| async move {
        let compute = || numbers.compute();
        Plain { page: 1 }.get_or_set_with(&backend, compute).await
    })
    .await;
    many_get_their_own(|backend, numbers| async move {
        let compute = || numbers.compute();
        Leased { page: 1 }.get_or_set_with(&backend, compute).await
    })
    .await;
    many_get_their_own(|backend, numbers| async move {
        let compute = move || async move { numbers.compute().await };
        Stale { page: 1 }.get_or_set_with(&backend, compute).await
    })
    .await;
}

#[tokio::test]
async fn an_old_value_stays_when_the_new_one_does_not_encode() {
    let backend = lasting(MemoryBackend::new());
    let (old, stale) = (Even(2), Stale { page: 1 });
    stale.set(&backend, &old).await.unwrap();
    let left = reinhardt_backends::Life::In(std::time::Duration::from_secs(9 * 60));
    backend.expire(&stale.key(), left).await.unwrap();
    let handles = Arc::strong_count(&backend);
    let odd = stale.get_or_set_with(&backend, || async { Ok::<_, BackendError>(Even(1)) });
    assert_eq!(odd.await.unwrap(), old);
    until("its task has ended", async || {
        Arc::strong_count(&backend) == handles
    })
    .await;
    assert_eq!(stale.get(&backend).await.unwrap().unwrap(), old);
}

#[tokio::test]
async fn a_full_store_keeps_nothing_and_fails_nobody() {
    // Room for a lease, and not for the computed value.
    let builder = MemoryBackend::builder().max_bytes(400);
    let memory = builder.eviction(Eviction::Off).build();
    let backend = lasting(memory.clone());
    let (begun, open) = (Arc::new(AtomicUsize::new(0)), Arc::new(Semaphore::new(0)));
    let ask = || {
        let (backend, begun, open) = (backend.clone(), begun.clone(), open.clone());
        tokio::spawn(async move {
            let compute = || async {
                let number = begun.fetch_add(1, SeqCst);
                let _open = open.acquire().await;
                Ok::<_, BackendError>(number.to_string().repeat(1000))
            };
            PAGE.get_or_set_with(&backend, compute).await
        })
    };
    let pages: Vec<_> = (0..MANY).map(|_| ask()).collect();
    until("one computes", async || begun.load(SeqCst) == 1).await;
    open.add_permits(MANY);
    // The others asked after the first computation began, and before the second one did.
    let pages = join_all(pages).await.into_iter();
    let pages = pages.map(|page| page.unwrap().unwrap());
    let (first, others): (Vec<_>, Vec<_>) = pages.partition(|page| page.starts_with('0'));
    assert_eq!(first.len(), 1);
    assert!(others.iter().all(|page| page.starts_with('1')));
    assert!(
        memory.is_empty(),
        "nothing is stored, and the lease is given back"
    );
}

/// A backend whose writes of values fail, and whose writes of leases don't.
fn failing(kind: ErrorKind) -> Flaky<MemoryBackend> {
    let store = flaky();
    for keyspace in ["page", "news"] {
        store
            .on(Op::Write)
            .prefix(format!("{keyspace}@lease:"))
            .pass();
    }
    for op in [Op::Write, Op::Move] {
        store.on(op).fail(kind);
    }
    store
}

#[tokio::test]
async fn a_store_that_refuses_writes_fails_nobody() {
    for kind in [
        ErrorKind::Timeout,
        ErrorKind::Unavailable,
        ErrorKind::Denied,
        ErrorKind::Full,
    ] {
        let store = failing(kind);
        let backend: Arc<dyn Backend> = Arc::new(store.clone());
        let source = Source::closed();
        let early = source.page(&backend);
        until("it computes", async || source.begun() == 1).await;
        let late = source.page(&backend);
        tokio::task::yield_now().await;
        source.open_for(2);
        assert_eq!(early.await.unwrap(), "computed 0");
        assert_eq!(
            late.await.unwrap(),
            "computed 1",
            "not the failure of another's storing"
        );
        let even = || async { Ok::<_, BackendError>(Even(2)) };
        let plain = Plain { page: 1 }.get_or_set_with(&store, even).await;
        assert_eq!(plain.unwrap(), Even(2));
        until("the lease is given back", async || {
            !store.inner().exists("page@lease:1:2").await.unwrap()
        })
        .await;
    }
}

#[tokio::test]
async fn an_old_value_stays_when_the_new_one_is_not_stored() {
    let store = failing(ErrorKind::Timeout);
    let backend: Arc<dyn Backend> = Arc::new(store.clone());
    NEWS.set(store.inner(), "old").await.unwrap();
    age(store.inner(), NEWS).await;
    let source = Source::open();
    assert_eq!(source.news(&backend).await, "old");
    until("it is refreshed", async || source.begun() == 1).await;
    until("the lease is given back", async || {
        !store.inner().exists("news@lease:1:2").await.unwrap()
    })
    .await;
    assert_eq!(NEWS.get(store.inner()).await.unwrap().unwrap(), "old");
}

#[tokio::test]
async fn what_fails_before_the_computation_is_an_error() {
    for fails in [Op::Read, Op::Write] {
        let store = flaky();
        store.on(fails).fail(ErrorKind::Denied);
        let backend: Arc<dyn Backend> = Arc::new(store);
        let page = PAGE.get_or_set_with(&backend, || async {
            Ok::<_, BackendError>("computed".to_string())
        });
        assert_eq!(page.await.unwrap_err().kind(), ErrorKind::Denied, "{fails}");
    }
}
