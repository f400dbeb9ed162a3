//! Tasks that use servers in all the ways of a service, and the account of the writes that were
//! lost.

use std::error::Error;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::SeqCst};
use std::time::{Duration, Instant};

use reinhardt_backends::lease::Lease;
use reinhardt_backends::session::{SessionError, SessionId, SessionStore};
use reinhardt_backends::{BackendError, ErrorKind, Keyspace, RedisBackend};
use serde::{Deserialize, Serialize};
use tokio::task::JoinHandle;

use crate::patient;

/// The time for which the traffic may stand still.
const PATIENCE: Duration = Duration::from_secs(60);
/// The limit of a call.
const LIMIT: Duration = Duration::from_secs(1);
/// The extra time that calls may take where the machine has other work.
const SLACK: Duration = Duration::from_secs(4);
/// The most calls that one step of a task makes, one after the other.
const CALLS: u32 = 8;
/// The number of keys of each kind: so many that every node of a cluster serves some.
const EACH: u32 = 60;
const TASKS: usize = 12;

// Every test target has these keyspaces, so no other keyspace has their prefixes.

#[derive(Keyspace)]
#[keyspace(prefix = "traffic-hits", ttl = never, counter)]
struct Hits {
    page: u32,
}

#[derive(Keyspace)]
#[keyspace(prefix = "traffic-calls", limit = "1000000/day", window = "fixed")]
struct Calls {
    client: u32,
}

#[derive(Debug, PartialEq, Serialize, Deserialize, Keyspace)]
#[keyspace(prefix = "traffic-cart", ttl = never)]
struct Cart {
    #[keyspace(key)]
    id: u32,
    items: u64,
}

#[derive(Keyspace)]
#[keyspace(prefix = "traffic-page", ttl = "5m", value = String, lease = "10s")]
struct Page {
    number: u32,
}

#[derive(Debug, Default, Serialize, Deserialize)]
struct Login {
    visits: u64,
}

/// A number in the store that grows by one with every call.
#[derive(Debug)]
enum Counted {
    Counter(u32),
    Throttle(u32),
    Value(u32),
    Session(SessionId),
}

impl Counted {
    /// Adds one to the number, and returns the sum.
    async fn count(&self, backend: &RedisBackend) -> Result<u64, Failed> {
        match self {
            Self::Counter(page) => {
                let hits = Hits { page: *page };
                let count = hits.increment(backend).await?;
                Ok(count.try_into().unwrap())
            }
            Self::Throttle(client) => {
                let calls = Calls { client: *client };
                let decision = calls.check(backend).await?;
                assert!(decision.allowed, "{decision:?}");
                Ok(decision.limit - decision.remaining)
            }
            Self::Value(id) => {
                let updated = Cart::update(backend, *id, |cart| cart.items += 1).await?;
                Ok(updated.expect("the cart is there").items)
            }
            Self::Session(id) => {
                let sessions = SessionStore::<Login, _>::new(backend.clone());
                let updated = sessions.update(id, |login| login.visits += 1).await?;
                Ok(updated.expect("the session is there").visits)
            }
        }
    }

    async fn sum(&self, backend: &RedisBackend) -> u64 {
        match self {
            Self::Counter(page) => {
                let count = Hits { page: *page }.get(backend).await.unwrap();
                count.try_into().unwrap()
            }
            Self::Throttle(client) => {
                let decision = Calls { client: *client }.peek(backend).await.unwrap();
                decision.limit - decision.remaining
            }
            Self::Value(id) => Cart::get(backend, *id).await.unwrap().unwrap().items,
            Self::Session(id) => {
                let sessions = SessionStore::<Login, _>::new(backend.clone());
                sessions.load(id).await.unwrap().unwrap().visits
            }
        }
    }
}

/// A failure that a service has to expect while nodes fail. The conversion panics on any other
/// error.
struct Failed {
    outcome_unknown: bool,
}

impl From<BackendError> for Failed {
    fn from(error: BackendError) -> Self {
        let is_usual = matches!(error.kind(), ErrorKind::Unavailable | ErrorKind::Timeout);
        assert!(is_usual, "{error}");
        let mut cause: Option<&dyn Error> = Some(&error);
        while let Some(present) = cause {
            let said = present.to_string();
            for code in ["MOVED", "ASK ", "CROSSSLOT", "TRYAGAIN"] {
                assert!(!said.contains(code), "{error}: {said}");
            }
            cause = present.source();
        }
        Self {
            outcome_unknown: error.outcome_unknown(),
        }
    }
}

impl From<SessionError> for Failed {
    fn from(error: SessionError) -> Self {
        match error {
            SessionError::Backend(error) => error.into(),
            error => panic!("{error}"),
        }
    }
}

/// A number that one task counts up, and the outcomes of its calls.
#[derive(Debug)]
struct Account {
    counted: Counted,
    acknowledged: AtomicU64,
    /// The number of failed calls that may have taken effect.
    unknown: AtomicU64,
    /// The number of acknowledged calls that had reached the replicas at the last check.
    replicated: AtomicU64,
}

impl Account {
    fn of(counted: Counted) -> Self {
        Self {
            counted,
            acknowledged: AtomicU64::new(0),
            unknown: AtomicU64::new(0),
            replicated: AtomicU64::new(0),
        }
    }

    async fn count(&self, backend: &RedisBackend, may_lose: bool) {
        let before = self.acknowledged.load(SeqCst);
        match self.counted.count(backend).await {
            Ok(sum) => {
                let most = before + self.unknown.load(SeqCst) + 1;
                let counted = &self.counted;
                assert!(sum <= most, "{counted:?}: {sum}, of at most {most}");
                assert!(
                    may_lose || sum > before,
                    "{counted:?}: {sum} after {before}"
                );
                self.acknowledged.fetch_add(1, SeqCst);
            }
            Err(Failed { outcome_unknown }) => {
                let unknown = u64::from(outcome_unknown);
                self.unknown.fetch_add(unknown, SeqCst);
            }
        }
    }
}

/// The state that the tasks share.
#[derive(Debug)]
struct Shared {
    accounts: Vec<Account>,
    /// True if acknowledged writes may get lost, as with a primary that fails.
    may_lose: bool,
    stop: AtomicBool,
    /// The number of owners of the lease that are at work now.
    inside: AtomicU64,
    /// The number of grants of the lease; `doubles` of them were to two owners at once.
    grants: AtomicU64,
    doubles: AtomicU64,
    /// The number of times that the cache answered.
    cached: AtomicU64,
}

impl Shared {
    fn has_begun(&self) -> bool {
        let mut accounts = self.accounts.iter();
        accounts.all(|account| account.acknowledged.load(SeqCst) > 0)
            && self.grants.load(SeqCst) > 0
            && self.cached.load(SeqCst) > 0
    }

    /// Uses the servers until the traffic is stopped.
    async fn run(&self, task: usize, backend: RedisBackend) {
        let lease = Lease::new(backend.clone(), "job", Duration::from_secs(60)).unwrap();
        while !self.stop.load(SeqCst) {
            for account in self.accounts.iter().skip(task).step_by(TASKS) {
                timed(account.count(&backend, self.may_lose)).await;
                tokio::task::yield_now().await;
            }
            timed(self.cache(&backend)).await;
            timed(self.lease(&lease)).await;
        }
    }

    async fn cache(&self, backend: &RedisBackend) {
        let number = u32::try_from(self.cached.load(SeqCst)).unwrap() % EACH;
        let page = Page { number };
        let text = || async { Ok::<_, BackendError>(format!("page {number}")) };
        if let Ok(read) = page
            .get_or_set_with(backend, text)
            .await
            .map_err(Failed::from)
        {
            assert_eq!(read, format!("page {number}"));
            self.cached.fetch_add(1, SeqCst);
        }
        let _ = page.delete(backend).await.map_err(Failed::from);
    }

    async fn lease(&self, lease: &Lease<RedisBackend>) {
        let Ok(Some(guard)) = lease.acquire().await.map_err(Failed::from) else {
            return;
        };
        let others = self.inside.fetch_add(1, SeqCst);
        tokio::task::yield_now().await;
        self.inside.fetch_sub(1, SeqCst);
        self.grants.fetch_add(1, SeqCst);
        if others > 0 && guard.is_held() {
            assert!(self.may_lose, "two hold the lease");
            self.doubles.fetch_add(1, SeqCst);
        }
        let _ = guard.release().await.map_err(Failed::from);
    }
}

/// Checks that a step of a task ends within the limits of its calls.
async fn timed(calls: impl Future<Output = ()>) {
    let begun = Instant::now();
    calls.await;
    let took = begun.elapsed();
    assert!(took < LIMIT * CALLS + SLACK, "{took:?}");
}

/// The numbers of writes that were acknowledged, and of those that were lost.
#[derive(Debug)]
pub struct Outcome {
    /// The number of acknowledged writes.
    pub acknowledged: u64,
    /// The number of acknowledged writes that are lost, plus the number of times that the lease was
    /// granted to two owners at once.
    pub lost: u64,
}

/// Counters, throttles, values, sessions, a cache and a lease, which tasks use all the time.
///
/// A task fails its test by a wrong answer, by an error that a service doesn't have to expect, and
/// by a call that takes too long.
#[derive(Debug)]
pub struct Traffic {
    url: String,
    backend: RedisBackend,
    shared: Arc<Shared>,
    tasks: Vec<JoinHandle<()>>,
}

impl Traffic {
    /// Begins traffic in which nothing may get lost, and waits until all tasks are under way.
    ///
    /// # Panics
    ///
    /// If there is no answer.
    pub async fn begin(url: &str) -> Self {
        Self::of(url, false).await
    }

    /// As [`begin`](Self::begin), but acknowledged writes may get lost.
    ///
    /// # Panics
    ///
    /// As [`begin`](Self::begin).
    pub async fn begin_with_losses(url: &str) -> Self {
        Self::of(url, true).await
    }

    async fn of(url: &str, may_lose: bool) -> Self {
        let backend = patient(url).call_timeout(LIMIT);
        let backend = backend.build().await.unwrap();
        let sessions = SessionStore::new(backend.clone());
        let mut accounts = Vec::new();
        for index in 0..EACH {
            let session = sessions.create(&index, Login::default()).await.unwrap();
            let cart = Cart {
                id: index,
                items: 0,
            };
            cart.save(&backend).await.unwrap();
            let counted = [
                Counted::Counter(index),
                Counted::Throttle(index),
                Counted::Value(index),
                Counted::Session(session.id().clone()),
            ];
            accounts.extend(counted.map(Account::of));
        }
        let shared = Arc::new(Shared {
            accounts,
            may_lose,
            stop: AtomicBool::new(false),
            inside: AtomicU64::new(0),
            grants: AtomicU64::new(0),
            doubles: AtomicU64::new(0),
            cached: AtomicU64::new(0),
        });
        let tasks = (0..TASKS).map(|task| {
            let (shared, backend) = (shared.clone(), backend.clone());
            tokio::spawn(async move { shared.run(task, backend).await })
        });
        let tasks = tasks.collect();
        let traffic = Self {
            url: url.to_string(),
            backend,
            tasks,
            shared,
        };
        traffic.go_on().await;
        traffic
    }

    /// Returns the backend of all tasks.
    pub fn backend(&self) -> &RedisBackend {
        &self.backend
    }

    /// Waits until, for everything that is counted, one more call is acknowledged.
    ///
    /// # Panics
    ///
    /// If that takes too long, or a task has failed.
    pub async fn go_on(&self) {
        let seen = |account: &Account| account.acknowledged.load(SeqCst);
        let before: Vec<u64> = self.shared.accounts.iter().map(seen).collect();
        let deadline = Instant::now() + PATIENCE;
        let has_moved = || {
            let mut now = self.shared.accounts.iter().zip(&before);
            now.all(|(account, before)| seen(account) > *before)
        };
        while !(has_moved() && self.shared.has_begun()) {
            let has_failed = self.tasks.iter().any(JoinHandle::is_finished);
            assert!(!has_failed, "a task has ended");
            let still = || {
                let accounts = self.shared.accounts.iter().zip(&before);
                let still = accounts.filter(|(account, before)| seen(account) == **before);
                still
                    .map(|(account, _)| &account.counted)
                    .collect::<Vec<_>>()
            };
            let is_late = Instant::now() >= deadline;
            assert!(!is_late, "the traffic stands still: {:?}", still());
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }

    /// Calls `replicate`, which lets all writes that were acknowledged before reach the replicas.
    /// None of these writes may get lost from now on.
    pub fn replicate(&self, replicate: impl FnOnce()) {
        let accounts = &self.shared.accounts;
        let acknowledged: Vec<u64> = accounts
            .iter()
            .map(|account| account.acknowledged.load(SeqCst))
            .collect();
        replicate();
        for (account, acknowledged) in accounts.iter().zip(acknowledged) {
            account.replicated.store(acknowledged, SeqCst);
        }
    }

    /// Ends the traffic, and compares the stored numbers with the acknowledged calls.
    ///
    /// # Panics
    ///
    /// If a stored number is more than was counted, or less than had reached the replicas.
    pub async fn end(self) -> Outcome {
        self.shared.stop.store(true, SeqCst);
        for task in self.tasks {
            task.await.unwrap();
        }
        // Another backend, because the limit of the traffic's calls is brief.
        let backend = patient(&self.url).build().await.unwrap();
        let mut outcome = Outcome {
            acknowledged: 0,
            lost: self.shared.doubles.load(SeqCst),
        };
        for account in &self.shared.accounts {
            let sum = account.counted.sum(&backend).await;
            let [acknowledged, unknown, replicated] =
                [&account.acknowledged, &account.unknown, &account.replicated]
                    .map(|count| count.load(SeqCst));
            let counted = &account.counted;
            let most = acknowledged + unknown;
            assert!(sum <= most, "{counted:?}: {sum}, of at most {most}");
            assert!(sum >= replicated, "{counted:?}: {sum} of {replicated}");
            outcome.acknowledged += acknowledged;
            outcome.lost += acknowledged.saturating_sub(sum);
        }
        outcome
    }
}
