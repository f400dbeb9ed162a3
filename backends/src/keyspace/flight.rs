//! Cache-aside with one computation at a time per key and store.

use std::future::Future;
use std::sync::{Arc, LazyLock, OnceLock};

use dashmap::DashMap;
use tokio::sync::Semaphore;

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
    // Nobody closes the semaphore. The permit goes to the next in line however this future ends.
    let _turn = seat.flight.turn.acquire().await;
    if let Some(landed) = seat.flight.landed.get()
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
    match store::<K, B>(backend, &places, &encoded).await? {
        Some(present) => Ok(present),
        None => {
            // The first leader that stores a value is the last: `set` can't fail.
            let _ = seat.flight.landed.set(Stored::from(encoded));
            Ok(value)
        }
    }
}

async fn look<K, B>(backend: &B, key: &Key) -> BackendResult<Option<K::Value>>
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

struct Flight {
    /// One permit: who holds it is the leader.
    turn: Semaphore,
    /// What a leader stored; whoever waits takes it from here.
    landed: OnceLock<Stored>,
}

/// A caller's part in a flight, given back when dropped; the last one takes the flight off the table.
struct Seat {
    place: Place,
    flight: Arc<Flight>,
}

impl Seat {
    fn take(store: Instance, key: &str) -> Self {
        let place = (store, Box::from(key));
        let flight = FLIGHTS.entry(place.clone()).or_insert_with(|| {
            Arc::new(Flight {
                turn: Semaphore::new(1),
                landed: OnceLock::new(),
            })
        });
        let flight = flight.clone();
        Self { place, flight }
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
