//! The caller that computes a value: one across all processes, for as long as its lease on the key
//! lasts.

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use futures_timer::Delay;
use futures_util::future::{Either, select};

use super::flight::Lead;
use super::handle::BackendHandle;
use crate::backend::store::{NewEntry, Touch};
use crate::backend::{Backend, Stored};
use crate::error::BackendResult;
use crate::keyspace::value::find;
use crate::keyspace::versions::VersionedKeys;
use crate::keyspace::writes::remove_all_older;
use crate::keyspace::{Key, Keyspace, Valued};
use crate::lease::claim::Claim;
use crate::pending;

/// The outcome of a cache miss.
pub(super) enum Arrival<B: BackendHandle, V> {
    /// Somebody else has stored a value meanwhile.
    There(V),
    /// This caller is to compute the value.
    Leader(Leader<B>),
    /// Other callers lead, as this caller gave no sign of life.
    PassedBy,
}

/// The outcome of finding an old value.
pub(super) enum Stale<B: BackendHandle> {
    /// This caller is to compute the value anew.
    Leader(Leader<B>),
    /// The value is being computed by somebody else.
    Led,
    /// Somebody has written or removed the value meanwhile.
    Fresh,
}

/// A caller that may compute the value of a key and store it; gives up the lease when dropped.
pub(super) struct Leader<B: BackendHandle> {
    claim: Claim<B>,
    /// The life of the lease as declared, whatever the claim lasts.
    lease: Duration,
    /// The bytes that the value takes the place of; `None` if nothing is there.
    over: Option<Stored>,
}

/// The first pause between two looks lasts so long at most, each further one twice as long as the
/// one before.
const SHORTEST_PAUSE: Duration = Duration::from_millis(10);
/// No pause is longer.
const LONGEST_PAUSE: Duration = Duration::from_millis(200);
/// Not every system counts further than some centuries.
const LONGEST_TIMER: Duration = Duration::from_secs(24 * 3600);
/// A lease is renewed so often, at each third of its time, and then let go: a computation that
/// takes longer has probably hung.
const RENEWALS: usize = 30;
/// The shortest life of a lease in the memory of this process. No leader can die there and leave
/// the lease behind. A leader whose runtime nobody drives any more is passed by. A test with a
/// paused clock can't end the lease by waiting for the computation.
const IN_PROCESS: Duration = Duration::from_secs(24 * 3600);

/// Waits until somebody has stored a value, or the lease is this caller's.
///
/// The holder of the lease is waited for no longer than the lease lasts: the lease goes with its
/// holder, at once or at its end. A value that others have stored is passed on to the followers in
/// the same flight, and so is a failure that may pass.
pub(super) async fn arrive<K, B>(
    backend: &B,
    key: &Key,
    lead: &Lead,
) -> BackendResult<Arrival<B, K::Value>>
where
    K: Valued,
    B: BackendHandle,
{
    let lease_key = key.of_lease(&K::INFO);
    let mut most = SHORTEST_PAUSE;
    loop {
        if lead.was_passed_by() {
            return Ok(Arrival::PassedBy);
        }
        let step = lead.begin_step();
        let leader = Leader::take::<K>(backend, &lease_key, lead).await;
        if let Some(leader) = lead.note(step, leader)? {
            // The caller that had the lease before may have stored a value on leaving.
            let step = lead.begin_step();
            let found = lead.note(step, find::<K, B>(backend, key).await)?;
            let value = lead.accept::<K, B>(backend, step, found.as_ref())?;
            // The answers may have come late. A caller that passed this one by leads without this
            // one's token.
            if value.is_none() && !lead.was_passed_by() {
                return Ok(Arrival::Leader(leader.over(found)));
            }
            leader.resign().await;
            return Ok(value.map_or(Arrival::PassedBy, Arrival::There));
        }
        loop {
            Delay::new(most.mul_f64((1.0 + fastrand::f64()) / 2.0)).await;
            most = (most * 2).min(LONGEST_PAUSE);
            let step = lead.begin_step();
            let both = look_at_both::<K, B>(backend, key, &lease_key).await;
            let (found, is_held) = lead.note(step, both)?;
            if let Some(value) = lead.accept::<K, B>(backend, step, found.as_ref())? {
                return Ok(Arrival::There(value));
            }
            if !is_held || pending::is_noted(&lease_key) || lead.was_passed_by() {
                break;
            }
        }
    }
}

/// Finds the value, in all versions, and says whether somebody holds the lease, in one round trip.
async fn look_at_both<K, B>(
    backend: &B,
    key: &Key,
    lease_key: &Key,
) -> BackendResult<(Option<(usize, Stored)>, bool)>
where
    K: Keyspace,
    B: Backend,
{
    let versions = VersionedKeys::of::<K>(key);
    let versions: Vec<(usize, &Key)> = versions.oldest_first().collect();
    let keys = versions.iter().map(|(_, key)| key.as_str());
    let keys: Vec<&str> = keys.chain([lease_key.as_str()]).collect();
    let mut all = backend.read_values(&keys, Touch::Keep).await?;
    let is_held = all.pop().flatten().is_some();
    let found = versions.iter().zip(all);
    let newest = found
        .filter_map(|((back, _), stored)| Some((*back, stored?)))
        .last();
    Ok((newest, is_held))
}

impl<B: BackendHandle> Leader<B> {
    /// Takes the lease, unless somebody else has it, or leads because this caller was passed by.
    async fn take<K: Keyspace>(
        backend: &B,
        lease_key: &Key,
        lead: &Lead,
    ) -> BackendResult<Option<Self>> {
        let lease = K::INFO.lease.expect("checked when it was compiled");
        let memory = (backend.as_sync()).filter(|memory| memory.ends_with_the_process());
        let ttl = memory.map_or(lease, |_| lease.max(IN_PROCESS));
        let claim = Claim::new(backend, &Arc::from(lease_key.as_str()), ttl)?;
        if !lead.may_put(claim.token()) {
            return Ok(None);
        }
        let put = claim.put().await;
        if !matches!(put, Ok(Some(_))) {
            lead.has_put_nothing();
        }
        let Some(claim) = put? else {
            return Ok(None);
        };
        if let Some(memory) = memory {
            // An entry that nobody has read is the first that a full memory evicts.
            memory.read_value(lease_key, Touch::Keep)?;
        }
        Ok(Some(Self {
            claim,
            lease,
            over: None,
        }))
    }

    /// Has the value take the place of the bytes that were found under its key and don't decode.
    fn over(mut self, found: Option<(usize, Stored)>) -> Self {
        self.over = found.and_then(|(back, stored)| (back == 0).then_some(stored));
        self
    }

    /// Becomes the leader that computes an old value anew.
    ///
    /// The bytes are read again under the lease. A look from before would be one at what another
    /// leader has replaced since.
    pub(super) async fn of_stale<K: Valued>(
        backend: &B,
        key: &Key,
        lead: &Lead,
    ) -> BackendResult<Stale<B>> {
        let lease_key = key.of_lease(&K::INFO);
        let Some(mut leader) = Self::take::<K>(backend, &lease_key, lead).await? else {
            return Ok(Stale::Led);
        };
        match backend.read(key).await? {
            Some((stored, expiry)) if K::INFO.is_stale(expiry) => leader.over = Some(stored),
            _ => {
                leader.resign().await;
                return Ok(Stale::Fresh);
            }
        }
        // The answers may have come late.
        if lead.was_passed_by() {
            leader.resign().await;
            return Ok(Stale::Led);
        }
        Ok(Stale::Leader(leader))
    }

    /// Waits for `work` and renews the lease meanwhile, at a third of its time, until ten times its
    /// time are over.
    ///
    /// Then the lease is let go, and nobody in this process waits for the work any longer: work
    /// that takes longer has probably hung, and would hold its key for as long as it hangs. The
    /// value that it makes at last is its caller's.
    ///
    /// The time is real, as it is for the store: a test's paused clock, which jumps where nothing
    /// else is to be done, would renew the lease without pause. If the lease is lost, or the store
    /// doesn't answer, the work is done all the same: the value is its caller's, at least.
    pub(super) async fn run<T>(&mut self, lead: &Lead, work: impl Future<Output = T>) -> T {
        let mut work = pin!(work);
        let mut is_held = true;
        for _ in 0..RENEWALS {
            let third = Delay::new((self.lease / 3).min(LONGEST_TIMER));
            match select(work.as_mut(), third).await {
                Either::Left((output, _)) => return output,
                Either::Right(((), _)) => {}
            }
            if !is_held {
                continue;
            }
            match select(work.as_mut(), pin!(self.claim.renew())).await {
                Either::Left((output, _)) => return output,
                Either::Right((Ok(false), _)) => is_held = false,
                Either::Right((Ok(true) | Err(_), _)) => {}
            }
        }
        if is_held
            && let Either::Left((output, _)) =
                select(work.as_mut(), pin!(self.claim.release())).await
        {
            return output;
        }
        lead.stand_down();
        work.await
    }

    /// Stores a value if the lease is still held and the key is as it was, and says whether it did.
    /// Gives the lease up.
    pub(super) async fn land<K: Keyspace>(
        mut self,
        backend: &B,
        key: &Key,
        value: &[u8],
    ) -> BackendResult<bool> {
        let life = K::INFO.new_life();
        let to = NewEntry { key, value, life };
        let over = self.over.take();
        let over = over.as_ref().map(Stored::as_bytes);
        let mut landed = self.claim.exchange(to, over).await?;
        if !landed && over.is_some() {
            // The old value has ended by itself: a caller that removes a value takes the lease away
            // first.
            landed = self.claim.exchange(to, None).await?;
        }
        if landed {
            remove_all_older(backend, &[&VersionedKeys::of::<K>(key)]).await?;
        }
        Ok(landed)
    }

    /// Gives the lease up, so that waiting callers needn't wait for its end. If that fails the
    /// lease ends by itself.
    pub(super) async fn resign(mut self) {
        let _ = self.claim.release().await;
    }
}
