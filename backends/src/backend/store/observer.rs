//! The observer of a store: told of what calls of the store don't show.

use std::time::{Duration, Instant};

use super::Store;
use crate::error::{BackendError, ErrorKind};
use crate::keyspace::label;
use crate::quota::{Decision, Quota};

/// Something that users of a store met with and that the calls of the store don't show: the
/// library knows it, and the store sees bytes.
///
/// A call of the store that fails, finds nothing or refuses an attempt is none of these.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Event {
    /// A read has found bytes that aren't a value of the type they were read as. The caller has got
    /// `Decode`, or nothing in a keyspace with
    /// [`OnDecodeError::Miss`](crate::keyspace::OnDecodeError::Miss).
    DecodeError,
    /// A writer that depends on what it had read was too late: another one has changed the entry
    /// since. It reads again, or its caller gets `Conflict`.
    Conflict,
    /// A caller has given up: after 128 conflicts, or when its patience for a lease was over.
    GaveUp,
    /// A value that wasn't there, or was old, was computed in this time.
    Computed(Duration),
    /// The computation of a value has failed after this time.
    ComputeFailed(Duration),
    /// The computation of a value was dropped after this time, with its caller, or has panicked.
    ComputeDropped(Duration),
    /// A caller got what another one had, after this time: a value that was computed meanwhile, or
    /// a lease that was given back.
    Waited(Duration),
    /// A caller was given an old value, in a keyspace with `stale`.
    ServedStale,
    /// Reads of so many keys found nothing because the store was away, in a keyspace with
    /// [`OnUnavailable::Miss`](crate::keyspace::OnUnavailable::Miss).
    ReadsWentOn(usize),
    /// So many entries weren't stored, or not for certain, because the store was away, in such a
    /// keyspace.
    WritesWentOn(usize),
    /// A throttle has refused an attempt because of this quota: of several the one that has room
    /// last. A peek is no attempt.
    Refused(Quota),
    /// A store is away, or a part of it, as a keyspace with such a word sees it: calls that go on
    /// ask it no more, but for one at a time.
    StoreAway,
    /// The store, or that part, is back after this time.
    StoreBack(Duration),
    /// A [lease](crate::lease) had ended before its holder renewed it or gave it back.
    LeaseLost,
}

impl Event {
    /// The names of all events.
    pub const NAMES: [&'static str; 14] = [
        "decode_error",
        "conflict",
        "gave_up",
        "computed",
        "compute_failed",
        "compute_dropped",
        "waited",
        "served_stale",
        "reads_went_on",
        "writes_went_on",
        "store_away",
        "store_back",
        "refused",
        "lease_lost",
    ];

    /// Returns the name of the event in lower case, such as `decode_error`.
    pub const fn name(self) -> &'static str {
        let position = match self {
            Self::DecodeError => 0,
            Self::Conflict => 1,
            Self::GaveUp => 2,
            Self::Computed(_) => 3,
            Self::ComputeFailed(_) => 4,
            Self::ComputeDropped(_) => 5,
            Self::Waited(_) => 6,
            Self::ServedStale => 7,
            Self::ReadsWentOn(_) => 8,
            Self::WritesWentOn(_) => 9,
            Self::StoreAway => 10,
            Self::StoreBack(_) => 11,
            Self::Refused(_) => 12,
            Self::LeaseLost => 13,
        };
        Self::NAMES[position]
    }

    /// Returns the time that the event took; `None` for one that takes none.
    pub const fn time(self) -> Option<Duration> {
        match self {
            Self::Computed(time)
            | Self::ComputeFailed(time)
            | Self::ComputeDropped(time)
            | Self::Waited(time)
            | Self::StoreBack(time) => Some(time),
            _ => None,
        }
    }

    /// Returns the number of entries that the event is about: one, but of reads and writes that
    /// went on.
    pub const fn count(self) -> u64 {
        match self {
            Self::ReadsWentOn(count) | Self::WritesWentOn(count) => count as u64,
            _ => 1,
        }
    }

    /// Returns the quota that has refused an attempt; `None` for other events.
    pub const fn quota(self) -> Option<Quota> {
        match self {
            Self::Refused(quota) => Some(quota),
            _ => None,
        }
    }
}

/// Is told of [events](Event): see [`Store::observer`].
pub trait Observer: Send + Sync {
    /// Takes note of an event. It is called in the middle of the call that had it, so it may not
    /// block, and a panic in it is that call's. A call of the observed backend in here has events
    /// of its own.
    ///
    /// `keyspace` is the prefix of a registered keyspace; or `_other` for keys of none, or `_lease`
    /// for [leases](crate::lease) by name. No part of a key and no value is told.
    fn on_event(&self, keyspace: &'static str, event: Event);
}

/// Tells the observer of a store, if there is one, of an event in the keyspace of `key`: a key, or
/// the prefix of a keyspace.
#[cold]
pub(crate) fn tell<S: Store + ?Sized>(store: &S, key: &str, event: Event) {
    if let Some(observer) = store.observer() {
        observer.on_event(label(Some(key)), event);
    }
}

/// Tells of the error of bytes that didn't decode.
#[cold]
pub(crate) fn tell_if_undecodable<S: Store + ?Sized>(store: &S, key: &str, error: &BackendError) {
    if error.kind() == ErrorKind::Decode {
        tell(store, key, Event::DecodeError);
    }
}

/// Tells of a decision that refuses an attempt on these quotas.
pub(crate) fn tell_if_refused<S: Store + ?Sized>(
    store: &S,
    key: &str,
    quotas: &[Quota],
    decision: &Decision,
) {
    if !decision.allowed
        && let Some(quota) = quotas.get(decision.quota)
    {
        tell(store, key, Event::Refused(*quota));
    }
}

/// A clock that runs for the observer of a store, if there is one.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ObservedTime(Option<Instant>);

impl ObservedTime {
    /// Starts the clock.
    pub(crate) fn start<S: Store + ?Sized>(store: &S) -> Self {
        Self(store.observer().is_some().then(Instant::now))
    }

    /// Tells of an event that took the time since the start.
    pub(crate) fn tell<S: Store + ?Sized>(
        self,
        store: &S,
        key: &str,
        event: impl FnOnce(Duration) -> Event,
    ) {
        if let Some(begun) = self.0 {
            tell(store, key, event(begun.elapsed()));
        }
    }
}
