//! Cache-aside with one computation at a time per key and store.

use std::future::Future;
use std::sync::atomic::{AtomicU64, Ordering::SeqCst};
use std::sync::{Arc, LazyLock, OnceLock};

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
/// Of all callers in this process that miss the same key of the same store at the same time, one runs its `compute` and
/// the others get its value ([`Backend::instance`] tells what one store is). A leader that fails, is dropped or
/// panics wakes one of them, which becomes the leader. A value that somebody else stored while `compute` ran is not
/// overwritten: it is returned in place of the computed one.
///
/// Waiting lasts as long as the computations before it: the limits of the backend don't cover `compute`. It must not ask
/// for the same key itself, which would wait for its own end.
///
/// # Errors
///
/// What `compute` fails with, for its own caller only; and `E::from` of what the backend fails with.
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
    let places = Places::of::<K>(&key);
    if let Some(value) = look::<K, B>(backend, &key).await? {
        return Ok(value);
    }
    let seat = Seat::take(backend.instance(), places.newest());
    let _turn = seat.turn().await;
    if let Some(landed) = seat.landed()
        && let Some(value) = decode::<K>(0, landed)?
    {
        return Ok(value);
    }
    // A flight that ended between the first look and the seat has left its value in the store.
    if let Some(value) = look::<K, B>(backend, &key).await? {
        return Ok(value);
    }
    let value = compute().await?;
    let encoded = ValueArg::<K::Value>::encode::<K::Codec>(&value)?;
    let step = seat.begin_step();
    match store::<K, B>(backend, &places, &encoded).await? {
        Some(present) => Ok(present),
        None => {
            seat.land(step, Stored::from(encoded));
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
    encoded: &[u8],
) -> BackendResult<Option<K::Value>>
where
    K: Valued,
    B: Backend + ?Sized,
{
    let key = places.newest();
    let absent = Write::new(K::INFO.new_life()).when(Condition::Absent);
    if !direct::write(backend, key, encoded, absent).await?
        && let Some(stored) = direct::get_stored(backend, key).await?
    {
        if let Some(present) = decode::<K>(0, &stored)? {
            return Ok(Some(present));
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
    /// How many steps leaders have begun that may end with a value in the store.
    steps: AtomicU64,
    /// The value of the first such step, and which one it was; whoever waited before it takes it from here.
    landed: OnceLock<(u64, Stored)>,
}

/// A caller's part in a flight, given back when dropped; the last one takes the flight off the table.
#[derive(Debug)]
pub(crate) struct Seat {
    place: Place,
    flight: Arc<Flight>,
    /// How many steps had begun when it was taken. A value of one of these may have been removed again before the seat was
    /// taken.
    joined: u64,
}

impl Seat {
    pub(crate) fn take(store: Instance, key: &str) -> Self {
        let place = (store, Box::from(key));
        let flight = FLIGHTS.entry(place.clone()).or_insert_with(|| {
            Arc::new(Flight {
                turn: Semaphore::new(1),
                steps: AtomicU64::new(0),
                landed: OnceLock::new(),
            })
        });
        let flight = flight.clone();
        Self {
            place,
            joined: flight.steps.load(SeqCst),
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

    /// Returns what an earlier leader has stored or found in a step that began after this seat was taken.
    pub(crate) fn landed(&self) -> Option<&Stored> {
        let (step, stored) = self.flight.landed.get()?;
        (self.joined < *step).then_some(stored)
    }

    /// Says whether an earlier leader has stored or found a value, be it before this seat was taken.
    pub(crate) fn has_landed(&self) -> bool {
        self.flight.landed.get().is_some()
    }

    /// To be called by a leader before it sends what stores its value, or what may find another's.
    pub(crate) fn begin_step(&self) -> u64 {
        self.flight.steps.fetch_add(1, SeqCst) + 1
    }

    /// To be called by a leader whose step has left a value in the store, or found one. The first one counts.
    pub(crate) fn land(&self, step: u64, stored: Stored) {
        let _ = self.flight.landed.set((step, stored));
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        // Seats are taken under the same lock, so two references are this seat's and the table's. A flight that has
        // landed is left at once, so that who misses later computes anew.
        FLIGHTS.remove_if(&self.place, |_, flight| {
            Arc::ptr_eq(flight, &self.flight)
                && (Arc::strong_count(flight) == 2 || flight.landed.get().is_some())
        });
    }
}

/// The seat of a leader that may go to another task; gives the turn back when dropped.
#[derive(Debug)]
pub(crate) struct Lead(Seat);

impl Drop for Lead {
    fn drop(&mut self) {
        self.0.flight.turn.add_permits(1);
    }
}
