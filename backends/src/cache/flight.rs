//! The flights of computations: callers that miss one key of one store at one time, of which one
//! leads and computes.

use std::future::Future;
use std::ops::Deref;
use std::pin::pin;
use std::slice;
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use futures_util::future::{Either, select};
use tokio::runtime::Handle;
use tokio::sync::{AcquireError, SemaphorePermit};

use super::turn::{FIRST_LOOK, FlightEnd, NextStep, Turn};
use crate::backend::store::Instance;
use crate::backend::{Backend, Stored};
use crate::error::{BackendError, BackendResult};
use crate::keyspace::value::{decode, encode, find};
use crate::keyspace::{Key, Valued, going_on};
use crate::pending::{self, Token};
use crate::sync::atomic::{AtomicU64, Ordering::SeqCst};
use crate::sync::{DashMap, Delay, LazyLock, Mutex, MutexGuard};

/// The computations that run now, by store and key.
static FLIGHTS: LazyLock<DashMap<FlightKey, Arc<Flight>>> = LazyLock::new(DashMap::new);

/// A store and a key in it.
type FlightKey = (Instance, Box<str>);

#[derive(Debug)]
struct Flight {
    turn: Turn,
    /// The number of steps that leaders have begun and that others may share: calls of the backend,
    /// and computations.
    steps: AtomicU64,
    /// The results of the latest of these steps. Locked for as long as a copy takes. A result that
    /// is taken out is dropped afterwards, as it may own something of its user's: a decoded value
    /// that a store keeps, or the cause of an error.
    results: Mutex<FlightResults>,
}

/// The results for callers that have waited since before a step. Such a caller takes them as if the
/// step was its own: its call lasts for all of the step's time.
#[derive(Debug, Default)]
struct FlightResults {
    /// The number of values that there were.
    landings: u64,
    value: Option<Landed>,
    /// A failure that the next call would probably meet with too.
    failure: Option<(u64, BackendError)>,
    /// The number of steps that had begun when the latest seat was taken.
    last_joined: u64,
    /// True if a leader that had a value is done, with storing it too, and nobody leads since.
    is_closed: bool,
}

impl FlightResults {
    /// Says whether everybody who came into the flight can take the value of a leader that is done.
    ///
    /// If somebody can't, it may have to compute: whoever misses meanwhile has to come into the
    /// same flight, or two would compute at one time.
    fn are_for_all(&self) -> bool {
        let landed = self.value.as_ref();
        self.is_closed && landed.is_some_and(|landed| self.last_joined < landed.step)
    }
}

#[derive(Debug, Clone)]
struct Landed {
    step: u64,
    /// The number of versions that the value is behind the newest.
    back: usize,
    stored: Stored,
}

/// A caller's part in a flight, given back when dropped; the last one takes the flight off the
/// table.
///
/// A flight that is over is off the table before its seats are gone. A follower that has waited in
/// it takes the result that there is, or a seat in the next flight. A leader that is passed by goes
/// on in the old flight, and its value goes there.
#[derive(Debug)]
pub(super) struct Seat {
    place: FlightKey,
    flight: Arc<Flight>,
    /// The number of steps that had begun when the seat was taken. A value of one of these steps
    /// may have been removed again before that.
    joined: u64,
    /// The number of values that there were when the seat was taken.
    landings: u64,
}

/// The outcome of a wait after a cache miss.
pub(super) enum Joined<V> {
    /// Another caller had the value while this one waited.
    There(V),
    /// This caller computes the value, for all that wait.
    Lead(Lead),
    /// The value can't be shared: each caller computes for itself.
    Alone,
}

/// Waits until there is a value, or until it is this caller's turn to compute.
pub(super) async fn join<K, B>(backend: &B, key: &str) -> BackendResult<Joined<K::Value>>
where
    K: Valued,
    B: Backend + ?Sized,
{
    let store = backend.info().instance;
    loop {
        let seat = Seat::take(store, key);
        match seat.wait().await {
            Ok(()) => {
                let lead = Lead(seat);
                return Ok(match lead.result::<K, B>(backend)? {
                    Some(value) => Joined::There(value),
                    None => Joined::Lead(lead.begin()),
                });
            }
            Err(end) => {
                if let Some(value) = seat.result::<K, B>(backend)? {
                    return Ok(Joined::There(value));
                }
                if end == FlightEnd::Unshared {
                    return Ok(Joined::Alone);
                }
            }
        }
    }
}

/// Becomes the leader if there is none, or none that gives a sign of life; waits for nobody.
pub(super) fn try_lead(store: Instance, key: &str) -> Option<Lead> {
    loop {
        let seat = Seat::take(store, key);
        if seat.flight.turn.try_take() {
            return Some(Lead(seat).begin());
        }
        let _ = seat.look(false);
        if !seat.flight.turn.is_over() {
            return None;
        }
    }
}

impl Seat {
    fn take(store: Instance, key: &str) -> Self {
        let place = (store, Box::from(key));
        let flight = FLIGHTS.entry(place.clone()).or_insert_with(|| {
            Arc::new(Flight {
                turn: Turn::new(),
                steps: AtomicU64::new(0),
                results: Mutex::default(),
            })
        });
        // The table is locked until the seat is noted.
        let mut results = flight.results();
        let joined = flight.steps.load(SeqCst);
        results.last_joined = joined;
        let landings = results.landings;
        drop(results);
        Self {
            place,
            joined,
            landings,
            flight: flight.clone(),
        }
    }

    /// Waits to become the leader, or for the end of the flight. The turn goes to the next in line
    /// however its holder ends.
    async fn wait(&self) -> Result<(), FlightEnd> {
        // A caller that needn't wait sets no timer.
        if self.flight.turn.try_take() {
            return Ok(());
        }
        let permit = self.wait_and_look().await;
        permit.expect("nobody closes the semaphore").forget();
        self.flight.turn.take()
    }

    /// Waits for this caller's turn, and looks at the leader now and then meanwhile.
    ///
    /// The time is real: a test's paused clock would jump to the next look.
    async fn wait_and_look(&self) -> Result<SemaphorePermit<'_>, AcquireError> {
        let mut permit = pin!(self.flight.turn.permits.acquire());
        let mut pause = Delay::new(FIRST_LOOK);
        loop {
            match select(permit.as_mut(), &mut pause).await {
                Either::Left((permit, _)) => return permit,
                Either::Right(_) => pause.reset(self.look(true)),
            }
        }
    }

    /// Looks whether the leader gives a sign of life, asks for one, or passes it by; returns when
    /// to look again.
    fn look(&self, waits: bool) -> Duration {
        match self.flight.turn.look(waits) {
            NextStep::Again(pause) => pause,
            NextStep::Ask(runtime, answered, pause) => {
                // A runtime that has shut down drops the task: no sign.
                runtime.spawn(async move { answered.store(true, SeqCst) });
                pause
            }
            NextStep::PassBy(lease) => {
                if let Some(lease) = lease {
                    pending::note(lease);
                }
                self.leave_to_all();
                FIRST_LOOK
            }
        }
    }

    /// Ends the flight, which was marked as over.
    fn leave_to_all(&self) {
        // First of all the flight leaves the table, so that nobody comes into it any more.
        FLIGHTS.remove_if(&self.place, |_, flight| Arc::ptr_eq(flight, &self.flight));
        self.flight.turn.open();
    }

    fn key(&self) -> Key {
        Key::of_parts([&*self.place.1])
    }

    /// Returns the result of the latest step that began after this seat was taken: a value, or else
    /// a failure.
    pub(super) fn result<K, B>(&self, backend: &B) -> BackendResult<Option<K::Value>>
    where
        K: Valued,
        B: Backend + ?Sized,
    {
        let (landed, failure) = {
            let results = self.flight.results();
            (results.value.clone(), results.failure.clone())
        };
        if let Some(landed) = landed.filter(|landed| self.joined < landed.step) {
            return decode::<K, B>(backend, &self.key(), landed.back, &landed.stored);
        }
        match failure {
            Some((step, error)) if self.joined < step => Err(error),
            _ => Ok(None),
        }
    }

    /// Says whether a leader has had a value since this seat was taken, be it in a step that began
    /// before.
    pub(super) fn has_landed(&self) -> bool {
        self.landings < self.flight.results().landings
    }

    /// Looks the value up, as a step that is shared.
    pub(super) async fn look_up<K, B>(
        &self,
        backend: &B,
        key: &Key,
    ) -> BackendResult<Option<K::Value>>
    where
        K: Valued,
        B: Backend + ?Sized,
    {
        let step = self.begin_step();
        let lookup = find::<K, B>(backend, key);
        let found = if const { K::INFO.goes_on() } {
            let found = going_on::read_in_flight(backend, key, lookup).await;
            found.map(Option::flatten)
        } else {
            lookup.await
        };
        let found = self.note(step, found)?;
        self.accept::<K, B>(backend, step, found.as_ref())
    }

    /// To be called by a leader before a step that others may share.
    pub(super) fn begin_step(&self) -> u64 {
        self.flight.steps.fetch_add(1, SeqCst) + 1
    }

    /// To be called by a leader whose step has made a value, stored it or found one, `back`
    /// versions ago.
    pub(super) fn land(&self, step: u64, back: usize, stored: &Stored) {
        let stored = stored.clone();
        let last = {
            let mut results = self.flight.results();
            results.landings += 1;
            results.value.replace(Landed { step, back, stored })
        };
        drop(last);
    }

    /// Encodes the value that a step has computed and passes it on, stored or not: the value is
    /// good enough for every caller that asked before.
    ///
    /// `None` if the value doesn't encode. Then it can't be passed on, and if the followers were to
    /// go on one by one, the n-th would wait for n computations. So the flight is over, and each
    /// follower computes for itself.
    pub(super) fn encode<K: Valued>(&self, step: u64, value: &K::Value) -> Option<Stored> {
        match encode::<K, K::Value>(&self.key(), value) {
            Ok(encoded) => {
                let encoded = Stored::from(encoded);
                self.land(step, 0, &encoded);
                Some(encoded)
            }
            Err(_) => {
                if self.flight.turn.end(FlightEnd::Unshared) {
                    self.leave_to_all();
                }
                None
            }
        }
    }

    /// To be called by a leader before it puts a token into the store, which is removed if the
    /// leader is passed by; says whether it may.
    pub(super) fn may_put(&self, token: Token) -> bool {
        self.flight.turn.may_put(token)
    }

    /// To be called by a leader whose token isn't in the store, or is removed by its claim.
    pub(super) fn has_put_nothing(&self) {
        self.flight.turn.has_put_nothing();
    }

    /// Decodes the value that a step has found, and passes it on.
    pub(super) fn accept<K, B>(
        &self,
        backend: &B,
        step: u64,
        found: Option<&(usize, Stored)>,
    ) -> BackendResult<Option<K::Value>>
    where
        K: Valued,
        B: Backend + ?Sized,
    {
        let Some((back, stored)) = found else {
            return Ok(None);
        };
        let value = decode::<K, B>(backend, &self.key(), *back, stored)?;
        if value.is_some() {
            self.land(step, *back, stored);
        }
        Ok(value)
    }

    /// To be called by a leader when it ends. A leader that still stores its value isn't done: a
    /// caller that came into another flight meanwhile would find nothing, and compute the value
    /// again.
    fn close_if_landed(&self) {
        let mut results = self.flight.results();
        results.is_closed = results.landings > 0;
    }

    /// Passes the error of a step on if it is transient, and returns the outcome.
    pub(super) fn note<T>(&self, step: u64, outcome: BackendResult<T>) -> BackendResult<T> {
        if let Err(error) = &outcome
            && error.is_transient()
        {
            let failure = (step, error.clone());
            let last = self.flight.results().failure.replace(failure);
            drop(last);
        }
        outcome
    }
}

impl Flight {
    fn results(&self) -> MutexGuard<'_, FlightResults> {
        // Nothing panics while it is locked.
        self.results.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        // Seats are taken under the same lock, so two references are this seat's and the table's. A
        // flight whose value is for everybody in it leaves the table at once, so that a caller that
        // misses later needn't wait for the followers that have yet to take the value.
        FLIGHTS.remove_if(&self.place, |_, flight| {
            Arc::ptr_eq(flight, &self.flight)
                && (Arc::strong_count(flight) == 2 || flight.results().are_for_all())
        });
    }
}

/// The seat of a leader, which may go to another task; gives the turn back when dropped.
#[derive(Debug)]
pub(super) struct Lead(Seat);

impl Lead {
    /// To be called by a leader that has no value yet.
    fn begin(self) -> Self {
        self.flight.results().is_closed = false;
        self
    }

    /// Says whether other callers lead in another flight, as this leader gave no sign of life.
    pub(super) fn was_passed_by(&self) -> bool {
        self.flight.turn.is_over()
    }

    /// Sets the runtime that is asked for a sign of life from now on: that of the task which leads.
    pub(super) fn runs_on(&self, runtime: &Handle) {
        self.flight.turn.runs_on(runtime);
    }

    /// Lets other callers lead in another flight, the followers of this one among them.
    pub(super) fn stand_down(&self) {
        if self.flight.turn.end(FlightEnd::PassedBy) {
            self.leave_to_all();
        }
    }

    /// Waits for `work`, and leads for no longer than this time, which is real.
    pub(super) async fn lead_at_most<T>(&self, time: Duration, work: impl Future<Output = T>) -> T {
        let mut work = pin!(work);
        match select(work.as_mut(), Delay::new(time)).await {
            Either::Left((output, _)) => output,
            Either::Right(((), _)) => {
                self.stand_down();
                work.await
            }
        }
    }
}

impl Deref for Lead {
    type Target = Seat;

    fn deref(&self) -> &Seat {
        &self.0
    }
}

impl Drop for Lead {
    fn drop(&mut self) {
        self.close_if_landed();
        self.flight.turn.give_back();
    }
}

/// Returns the live value.
pub(super) async fn look<K, B>(backend: &B, key: &Key) -> BackendResult<Option<K::Value>>
where
    K: Valued,
    B: Backend + ?Sized,
{
    let lookup = find::<K, B>(backend, key);
    let found = if const { K::INFO.goes_on() } {
        let found = going_on::read::<K, B, _>(backend, slice::from_ref(key), false, lookup).await;
        found.map(Option::flatten)
    } else {
        lookup.await
    };
    match found? {
        Some((back, stored)) => decode::<K, B>(backend, key, back, &stored),
        None => Ok(None),
    }
}

#[cfg(all(test, feature = "memory"))]
mod tests {
    use std::any::TypeId;
    use std::sync::atomic::AtomicUsize;
    use std::sync::mpsc;
    use std::{fmt, thread};

    use futures_util::FutureExt;

    use super::*;
    use crate::MemoryBackend;
    use crate::backend::store::{Decoded, Store};
    use crate::error::ErrorKind;

    const KEY: &str = "key";

    /// Takes a seat in the flight that it was in, when it is dropped.
    struct Meddler {
        store: Instance,
        dropped: Arc<AtomicUsize>,
    }

    impl Drop for Meddler {
        fn drop(&mut self) {
            drop(Seat::take(self.store, KEY));
            self.dropped.fetch_add(1, SeqCst);
        }
    }

    impl fmt::Debug for Meddler {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("Meddler")
        }
    }

    impl fmt::Display for Meddler {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("meddling")
        }
    }

    impl std::error::Error for Meddler {}

    /// Runs work that would never end if it waited for a lock of its own.
    fn soon(work: impl FnOnce(&MemoryBackend, &dyn Fn() -> Meddler) -> usize + Send + 'static) {
        let (send, ended) = mpsc::channel();
        thread::spawn(move || {
            let backend = MemoryBackend::new();
            let dropped = Arc::new(AtomicUsize::new(0));
            let store = backend.info().instance;
            let meddler = || Meddler {
                store,
                dropped: dropped.clone(),
            };
            let expected = work(&backend, &meddler);
            send.send((dropped.load(SeqCst), expected)).unwrap();
        });
        let (dropped, expected) = ended.recv_timeout(Duration::from_secs(30)).unwrap();
        assert_eq!(dropped, expected);
    }

    /// Returns bytes with a decoded value that a store has attached to them, and keeps no more.
    fn kept(backend: &MemoryBackend, value: Meddler) -> Stored {
        let stored = |backend: &MemoryBackend| {
            let stored = backend.get_stored(KEY).now_or_never().unwrap();
            stored.unwrap().unwrap()
        };
        backend.set(KEY, 1, None).now_or_never().unwrap().unwrap();
        let decoded = Decoded::new(Arc::new(value), TypeId::of::<Meddler>(), 1);
        backend
            .as_sync()
            .unwrap()
            .attach_decoded(KEY, &stored(backend), decoded);
        let stored = stored(backend);
        backend.delete(KEY).now_or_never().unwrap().unwrap();
        stored
    }

    #[test]
    fn a_value_is_dropped_under_no_lock_of_the_flight() {
        soon(|backend, meddler| {
            let seat = Seat::take(backend.info().instance, KEY);
            for _ in 0..2 {
                seat.land(1, 0, &kept(backend, meddler()));
            }
            // The last one goes with the flight.
            drop(seat);
            2
        });
        soon(|backend, meddler| {
            let seat = Seat::take(backend.info().instance, KEY);
            seat.land(1, 0, &kept(backend, meddler()));
            drop(seat);
            1
        });
    }

    #[test]
    fn an_error_is_dropped_and_copied_under_no_lock_of_the_flight() {
        soon(|backend, meddler| {
            let seat = Seat::take(backend.info().instance, KEY);
            for step in 1..=2 {
                let error = BackendError::new(ErrorKind::Timeout, "late").with_source(meddler());
                assert!(seat.note::<()>(step, Err(error)).is_err());
            }
            2
        });
    }

    /// Somebody who came in between leads in the flight of a leader that is done.
    #[test]
    fn a_flight_that_is_led_again_is_open_until_its_leader_is_done() {
        let store = MemoryBackend::new().info().instance;
        let value = Stored::from(&b"1"[..]);
        let first = try_lead(store, KEY).unwrap();
        let step = first.begin_step();
        let between = [(); 2].map(|()| Seat::take(store, KEY));
        first.land(step, 0, &value);
        drop(first);
        let [next, waits] = between;
        assert!(next.flight.turn.try_take());
        let next = Lead(next).begin();
        next.land(next.begin_step(), 0, &value);
        drop(waits);
        let late = Seat::take(store, KEY);
        assert!(Arc::ptr_eq(&late.flight, &next.flight));
    }

    #[test]
    fn a_computation_that_hangs_is_led_for_no_longer_than_it_may() {
        let backend = MemoryBackend::new();
        let store = backend.info().instance;
        let lead = try_lead(store, KEY).unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread().build();
        runtime.unwrap().block_on(async {
            let hangs = lead.lead_at_most(Duration::from_millis(10), std::future::pending::<()>());
            let mut hangs = pin!(hangs);
            assert!(try_lead(store, KEY).is_none());
            let next = loop {
                if let Some(next) = try_lead(store, KEY) {
                    break next;
                }
                let pause = Delay::new(Duration::from_millis(5));
                let Either::Right((_, rest)) = select(hangs, pause).await else {
                    unreachable!("it hangs");
                };
                hangs = rest;
            };
            assert!(lead.was_passed_by() && !next.was_passed_by());
        });
    }
}
