//! Cache-aside with one computation at a time per key and store.

use std::future::Future;
use std::sync::atomic::{AtomicU64, Ordering::SeqCst};
use std::sync::{Arc, LazyLock, Mutex, MutexGuard, PoisonError};

use dashmap::DashMap;
use tokio::sync::{Semaphore, SemaphorePermit};

use super::Valued;
use super::key::Key;
use super::value::{ValueArg, decode, find, remove_older};
use super::versions::Places;
use crate::backend::{Backend, Condition, Instance, Stored, Write, direct};
use crate::error::{BackendError, BackendResult};

/// Returns the live value, or computes it, stores it for the keyspace's own time and returns it.
///
/// For keyspaces without the words `lease` and `stale`: others don't compile, as the value would go around the lease.
///
/// Of all callers in this process that miss the same key of the same store at the same time, one runs its `compute` and
/// the others get its value ([`Backend::instance`] tells what one store is). A leader that fails, is dropped or
/// panics wakes one of them, which becomes the leader. A value that somebody else stored while `compute` ran is not
/// overwritten: it is returned in place of the computed one. If the value can't be stored, that is the leader's error, and who
/// has waited since before it was computed gets the value all the same.
///
/// Waiting lasts as long as the computations before it: the limits of the backend don't cover `compute`. It must not ask
/// for the same key itself, which would wait for its own end.
///
/// # Errors
///
/// What `compute` fails with, for its own caller only; and `E::from` of what the backend fails with. A transient error of the
/// backend is also that of those who waited when the failing call was made, so that they don't wait for the same one after
/// the other.
///
/// # Cancel safety
///
/// A dropped future may have stored the value.
pub async fn get_or_set_with<K, B, F, Fut, E>(
    backend: &B,
    key: Key,
    compute: F,
) -> Result<K::Value, E>
where
    K: Valued,
    B: Backend + ?Sized,
    F: FnOnce() -> Fut,
    Fut: Future<Output = Result<K::Value, E>>,
    E: From<BackendError>,
{
    const {
        assert!(
            K::INFO.lease.is_none(),
            "the keyspace has a `lease`: call `cache::get_or_set_with`"
        );
    }
    let places = Places::of::<K>(&key);
    if let Some(value) = look::<K, B>(backend, &key).await? {
        return Ok(value);
    }
    let seat = Seat::take(backend.instance(), places.newest());
    let _turn = seat.turn().await;
    if let Some(value) = seat.result::<K>()? {
        return Ok(value);
    }
    // A flight that ended between the first look and the seat has left its value in the store.
    if let Some(value) = seat.look::<K, B>(backend, &key).await? {
        return Ok(value);
    }
    let computing = seat.begin_step();
    let value = compute().await?;
    let encoded = Stored::from(ValueArg::<K::Value>::encode::<K::Codec>(&value)?);
    seat.land(computing, 0, &encoded);
    let storing = seat.begin_step();
    let stored = store::<K, B>(backend, &places, &encoded).await;
    match seat.note(storing, stored)? {
        Some((stored, present)) => {
            seat.land(storing, 0, &stored);
            Ok(present)
        }
        None => {
            seat.land(storing, 0, &encoded);
            Ok(value)
        }
    }
}

pub(crate) async fn look<K, B>(backend: &B, key: &Key) -> BackendResult<Option<K::Value>>
where
    K: Valued,
    B: Backend + ?Sized,
{
    match find::<K, B>(backend, key).await? {
        Some((back, stored)) => decode::<K>(back, &stored),
        None => Ok(None),
    }
}

/// Stores a computed value where there is none, or bytes that count as none; otherwise returns the one that is there.
async fn store<K, B>(
    backend: &B,
    places: &Places<'_>,
    encoded: &Stored,
) -> BackendResult<Option<(Stored, K::Value)>>
where
    K: Valued,
    B: Backend + ?Sized,
{
    let (key, encoded) = (places.newest(), encoded.as_bytes());
    let absent = Write::new(K::INFO.new_life()).when(Condition::Absent);
    if !direct::write(backend, key, encoded, absent).await?
        && let Some(stored) = direct::get_stored(backend, key).await?
    {
        if let Some(present) = decode::<K>(0, &stored)? {
            return Ok(Some((stored, present)));
        }
        let instead = Write::new(K::INFO.new_life()).when(Condition::Equals(stored.as_bytes()));
        direct::write(backend, key, encoded, instead).await?;
    }
    let removed = remove_older(backend, places, 0).await;
    removed.map(|_| None).map_err(|error| error.after(true))
}

/// The computations that run now, by store and key.
static FLIGHTS: LazyLock<DashMap<Place, Arc<Flight>>> = LazyLock::new(DashMap::new);

/// A store and a key in it.
type Place = (Instance, Box<str>);

#[derive(Debug)]
struct Flight {
    /// One permit: who holds it is the leader.
    turn: Semaphore,
    /// How many steps leaders have begun that others may share: calls of the backend, and computations.
    steps: AtomicU64,
    /// What the latest of them came to. Locked for as long as a copy takes.
    results: Mutex<Results>,
}

/// What whoever waited before a step takes from here, as if the step was its own: its call lasts for all of the step's time.
#[derive(Debug, Default)]
struct Results {
    /// How many values there were.
    landings: u64,
    value: Option<Landed>,
    /// A failure that the next call would probably meet with too.
    failure: Option<(u64, BackendError)>,
}

#[derive(Debug, Clone)]
struct Landed {
    step: u64,
    /// How many versions back it is.
    back: usize,
    stored: Stored,
}

/// A caller's part in a flight, given back when dropped; the last one takes the flight off the table.
#[derive(Debug)]
pub(crate) struct Seat {
    place: Place,
    flight: Arc<Flight>,
    /// How many steps had begun when it was taken. A value of one of these may have been removed again before the seat was
    /// taken.
    joined: u64,
    /// How many values there were when it was taken.
    landings: u64,
}

impl Seat {
    pub(crate) fn take(store: Instance, key: &str) -> Self {
        let place = (store, Box::from(key));
        let flight = FLIGHTS.entry(place.clone()).or_insert_with(|| {
            Arc::new(Flight {
                turn: Semaphore::new(1),
                steps: AtomicU64::new(0),
                results: Mutex::default(),
            })
        });
        let flight = flight.clone();
        let landings = flight.results().landings;
        Self {
            place,
            joined: flight.steps.load(SeqCst),
            landings,
            flight,
        }
    }

    /// Waits to become the leader. The permit goes to the next in line however its holder ends.
    pub(crate) async fn turn(&self) -> SemaphorePermit<'_> {
        let turn = self.flight.turn.acquire().await;
        turn.expect("nobody closes the semaphore")
    }

    /// Becomes the leader if there is none.
    pub(crate) fn try_lead(self) -> Option<Lead> {
        self.flight.turn.try_acquire().ok()?.forget();
        Some(Lead(self))
    }

    /// Returns what the latest step came to that began after this seat was taken: a value, or else a failure.
    pub(crate) fn result<K: Valued>(&self) -> BackendResult<Option<K::Value>> {
        let landed = {
            let results = self.flight.results();
            match (&results.value, &results.failure) {
                (Some(landed), _) if self.joined < landed.step => landed.clone(),
                (_, Some((step, error))) if self.joined < *step => return Err(error.again()),
                _ => return Ok(None),
            }
        };
        decode::<K>(landed.back, &landed.stored)
    }

    /// Says whether a leader has had a value since this seat was taken, be it in a step that began before.
    pub(crate) fn has_landed(&self) -> bool {
        self.landings < self.flight.results().landings
    }

    /// Finds the value as a step that is shared.
    pub(crate) async fn look<K, B>(&self, backend: &B, key: &Key) -> BackendResult<Option<K::Value>>
    where
        K: Valued,
        B: Backend + ?Sized,
    {
        let step = self.begin_step();
        let found = self.note(step, find::<K, B>(backend, key).await)?;
        self.accept::<K>(step, found.as_ref())
    }

    /// To be called by a leader before it does what others may share.
    pub(crate) fn begin_step(&self) -> u64 {
        self.flight.steps.fetch_add(1, SeqCst) + 1
    }

    /// To be called by a leader whose step has made a value, stored it or found one, `back` versions ago.
    pub(crate) fn land(&self, step: u64, back: usize, stored: &Stored) {
        let mut results = self.flight.results();
        results.landings += 1;
        let stored = stored.clone();
        results.value = Some(Landed { step, back, stored });
    }

    /// Decodes what a step has found, and passes it on.
    pub(crate) fn accept<K: Valued>(
        &self,
        step: u64,
        found: Option<&(usize, Stored)>,
    ) -> BackendResult<Option<K::Value>> {
        let Some((back, stored)) = found else {
            return Ok(None);
        };
        let value = decode::<K>(*back, stored)?;
        if value.is_some() {
            self.land(step, *back, stored);
        }
        Ok(value)
    }

    /// Passes it on if a step has failed in a way that may pass.
    pub(crate) fn note<T>(&self, step: u64, outcome: BackendResult<T>) -> BackendResult<T> {
        if let Err(error) = &outcome
            && error.is_transient()
        {
            self.flight.results().failure = Some((step, error.again()));
        }
        outcome
    }
}

impl Flight {
    fn results(&self) -> MutexGuard<'_, Results> {
        // Nothing panics while it is locked.
        self.results.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        // Seats are taken under the same lock, so two references are this seat's and the table's. A flight that has
        // landed is left at once, so that who misses later needn't wait for those who have yet to take what it brought.
        FLIGHTS.remove_if(&self.place, |_, flight| {
            Arc::ptr_eq(flight, &self.flight)
                && (Arc::strong_count(flight) == 2 || flight.results().landings > 0)
        });
    }
}

/// The seat of a leader that may go to another task; gives the turn back when dropped.
#[derive(Debug)]
pub(crate) struct Lead(Seat);

impl Lead {
    pub(crate) fn seat(&self) -> &Seat {
        &self.0
    }
}

impl Drop for Lead {
    fn drop(&mut self) {
        self.0.flight.turn.add_permits(1);
    }
}
