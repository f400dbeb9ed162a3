//! A look at a store by another connection: what a failed write has done, and what it does later.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use futures::TryStreamExt;
use futures::future::{BoxFuture, FutureExt, join_all};
use reinhardt_backends::throttle::{Attempt, Quota};
use reinhardt_backends::{Backend, BackendResult, Expiry, Life, Stored};

use super::page::{Claim, Met, check};
use super::recovered;

const MINUTE: Duration = Duration::from_secs(60);

type Call = for<'a> fn(&'a Arc<dyn Backend>) -> BoxFuture<'a, BackendResult<()>>;

/// A call that writes, on a key of its own.
pub(crate) struct Write {
    name: &'static str,
    /// True if it needs room.
    pub(crate) grows: bool,
    /// True if it is one of our scripts on every server.
    pub(crate) is_script: bool,
    /// True if it begins an entry that isn't there.
    pub(crate) begins: bool,
    call: Call,
}

impl Write {
    const fn plain(name: &'static str, call: Call) -> Self {
        Self {
            name,
            grows: false,
            is_script: false,
            begins: false,
            call,
        }
    }
}

macro_rules! writes {
    ($($name:ident [$($word:ident)*] |$backend:ident| $call:expr;)*) => {
        &[$(Write {
            $($word: true,)*
            ..Write::plain(stringify!($name), |$backend| async move { $call.await.map(drop) }.boxed())
        }),*]
    };
}

/// Every kind of write.
pub(crate) const WRITES: &[Write] = writes! {
    set [grows] |backend| backend.set("hiddenkey:set", "topsecret", None);
    set_ending [grows] |backend| backend.set("hiddenkey:set_ending", "topsecret", Some(MINUTE));
    set_if_absent [grows begins] |backend| backend.set_if_absent("hiddenkey:new", "topsecret", None);
    set_if_present [grows] |backend| backend.set_if_present(
        "hiddenkey:set_if_present", "topsecret", None);
    set_many [grows] |backend| backend.set_many(
        &[("hiddenkey:set_many", "topsecret"), ("hiddenkey:many", "topsecret")], None);
    compare_and_set [grows is_script] |backend| backend.compare_and_set(
        "hiddenkey:compare_and_set", &seven(), "topsecret", Life::Keep);
    compare_and_delete [is_script] |backend| backend.compare_and_delete(
        "hiddenkey:compare_and_delete", &seven());
    take [] |backend| backend.take::<i64>("hiddenkey:take");
    delete [] |backend| backend.delete("hiddenkey:delete");
    delete_many [] |backend| backend.delete_many(&["hiddenkey:delete_many"]);
    expire [] |backend| backend.expire("hiddenkey:expire", Life::In(MINUTE));
    increment [grows is_script] |backend| backend.increment("hiddenkey:increment", None);
    begin_window [grows is_script begins] |backend| backend.increment("hiddenkey:window", Some(MINUTE));
    throttle [grows is_script begins] |backend| attempt(backend);
};

fn seven() -> Stored {
    Stored::from(&b"7"[..])
}

async fn attempt(backend: &Arc<dyn Backend>) -> BackendResult<()> {
    let quotas = [Quota::gcra(5, MINUTE)];
    let attempt = backend.throttle("hiddenkey:throttle", Attempt::new(&quotas));
    attempt.await.map(drop)
}

/// The entries of a store, each with its bytes, and whether it ends.
type Entries = BTreeMap<String, (Vec<u8>, bool)>;

/// Sees what is in a store, by a connection of its own.
pub(crate) struct Witness<B> {
    direct: B,
    before: Entries,
}

impl<B: Backend> Witness<B> {
    /// Puts an entry there for each kind of write, and looks.
    pub(crate) async fn of(direct: B) -> Self {
        for write in WRITES {
            if !write.begins {
                let key = format!("hiddenkey:{}", write.name);
                direct.set(&key, 7, None).await.unwrap();
            }
        }
        let before = entries(&direct).await;
        Self { direct, before }
    }

    /// Makes every kind of write, at the same time, and checks how each fails: as one of the claims
    /// says, and each claim is that of some of them.
    pub(crate) async fn refuses(&self, backend: &Arc<dyn Backend>, claims: &[Claim]) {
        self.refuses_those(backend, claims, |_| true).await;
    }

    /// As [`refuses`](Self::refuses), with some kinds of writes.
    pub(crate) async fn refuses_those(
        &self,
        backend: &Arc<dyn Backend>,
        claims: &[Claim],
        which: impl Fn(&Write) -> bool,
    ) {
        let writes: Vec<&Write> = WRITES.iter().filter(|write| which(write)).collect();
        let outcomes = join_all(writes.iter().map(|write| (write.call)(backend))).await;
        let mut is_met = vec![false; claims.len()];
        for (write, outcome) in writes.iter().zip(outcomes) {
            let met = Met::of(&outcome.expect_err(write.name));
            for (is_met, claim) in is_met.iter_mut().zip(claims) {
                *is_met |= claim.is_met_by(&met);
            }
            check(claims, met);
        }
        assert!(!is_met.contains(&false), "not each is met of {claims:#?}");
    }

    /// Checks that nothing has changed.
    pub(crate) async fn sees_no_change(&self) {
        recovered(&self.direct).await;
        assert_eq!(entries(&self.direct).await, self.before);
    }

    /// Checks that nothing has changed, once the backend that failed works again: a request of its
    /// own that came late would have been executed before this one.
    pub(crate) async fn sees_no_change_later(&self, backend: &Arc<dyn Backend>) {
        recovered(backend).await;
        backend.set("mark", 1, None).await.unwrap();
        recovered(&self.direct).await;
        assert!(self.direct.delete("mark").await.unwrap());
        self.sees_no_change().await;
    }
}

async fn entries(backend: &impl Backend) -> Entries {
    let keys: Vec<String> = backend.scan("").try_collect().await.unwrap();
    let mut entries = Entries::new();
    for key in keys {
        let stored = backend.get_stored(&key).await.unwrap().unwrap();
        let ends = backend.ttl(&key).await.unwrap() != Some(Expiry::Never);
        entries.insert(key, (stored.as_bytes().to_vec(), ends));
    }
    entries
}
