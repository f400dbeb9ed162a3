//! The question to a store that is away, and its answer.

use std::time::Instant;

use futures_util::future::join_all;

use super::is_away;
use super::on_their_way;
use super::outage::{self, Change, Extent, Place, Probe, Standing};
use crate::backend::Backend;
use crate::backend::store::{Event, tell};
use crate::error::{BackendError, BackendResult, ErrorKind};
use crate::keyspace::key::Key;

/// A call of a keyspace that goes on: its store, its keys, and the calls that have to be there.
pub(super) struct GoingCall<'c, B: ?Sized> {
    pub(super) backend: &'c B,
    pub(super) keys: &'c [Key],
    pub(super) extents: &'static [Extent],
}

/// The places that a call needs are there.
pub(super) struct Ready {
    /// The time from which on a failure counts.
    called: Instant,
    /// The turns to ask that the call itself takes.
    probes: Vec<Probe>,
}

impl Ready {
    /// Of a call of which it is known that its places are there.
    pub(super) fn now() -> Self {
        let (called, probes) = (Instant::now(), Vec::new());
        Self { called, probes }
    }
}

impl<B: Backend + ?Sized> GoingCall<'_, B> {
    /// Says whether the places are there, and asks them if they were away and it is this caller's
    /// turn. The call itself is the question if `asks_itself` allows that and it needs one place.
    pub(super) async fn ready(&self, asks_itself: bool) -> Option<Ready> {
        let called = Instant::now();
        let probes = Vec::new();
        // A store in this process is never away for long: it is asked by every call.
        if !outage::is_any_away() || self.backend.as_sync().is_some() {
            return Some(Ready { called, probes });
        }
        let places = self.places(self.keys.iter());
        match outage::standing(&places) {
            Standing::Up => Some(Ready { called, probes }),
            Standing::Asked(probes) if asks_itself && places.len() == 1 => {
                Some(Ready { called, probes })
            }
            Standing::Asked(probes) => self.ask(probes).await,
            Standing::Away => None,
        }
    }

    /// Says whether the places are there, and asks nobody.
    pub(super) fn is_up(&self) -> bool {
        !outage::is_any_away()
            || self.backend.as_sync().is_some()
            || !self
                .places(self.keys.iter())
                .into_iter()
                .any(outage::is_away)
    }

    /// Asks places by reading the life of an entry there, which changes nothing. An answer to a
    /// read says nothing about writes: these turns are left to the call itself.
    async fn ask(&self, probes: Vec<Probe>) -> Option<Ready> {
        let (writes, others): (Vec<Probe>, Vec<Probe>) =
            (probes.into_iter()).partition(|probe| probe.place().extent == Extent::Writes);
        let answers = others.into_iter().map(|probe| self.ask_one(probe));
        let are_there = join_all(answers).await;
        let (called, probes) = (Instant::now(), writes);
        are_there
            .into_iter()
            .all(|is_there| is_there)
            .then_some(Ready { called, probes })
    }

    async fn ask_one(&self, probe: Probe) -> bool {
        let part = probe.place().part;
        let mut in_part = self.keys.iter();
        // The part may have the key no more: then another one is asked next time.
        let Some(key) = in_part.find(|key| self.backend.part_of(key) == part) else {
            return false;
        };
        let answer = self.backend.read_life(key).await;
        let is_there = answer.err().is_none_or(|error| is_of_the_store(&error));
        self.settle(probe, is_there);
        is_there
    }

    /// Takes the answer of a call: an outage may begin, or end. `None` if a place is away.
    pub(super) fn take<T>(
        &self,
        ready: Ready,
        answer: BackendResult<T>,
        extents: &[Extent],
    ) -> BackendResult<Option<T>> {
        let error = match answer {
            Ok(answer) => {
                ready
                    .probes
                    .into_iter()
                    .for_each(|probe| self.settle(probe, true));
                return Ok(Some(answer));
            }
            Err(error) => error,
        };
        let is_there = is_of_the_store(&error);
        let failed = failed_keys(self.keys, &error);
        let failed = self.places_of(failed, extents);
        for probe in ready.probes {
            let has_failed = failed.contains(&probe.place());
            self.settle(probe, is_there || !has_failed);
        }
        if !is_away(&error) {
            return Err(error);
        }
        if self.backend.as_sync().is_none() {
            let is_one = |place: &Place| failed.iter().all(|other| other.part == place.part);
            for place in &failed {
                // Nobody knows which of several parts has failed.
                let is_certain = !error.failed_indices().is_empty() || is_one(place);
                self.tell(outage::begin(*place, ready.called, is_certain));
            }
        }
        Ok(None)
    }

    /// Notes that the store has answered a call that goes on nobody's word, such as a removal.
    pub(super) fn answered(&self) {
        if !outage::is_any_away() {
            return;
        }
        for place in self.places(self.keys.iter()) {
            if outage::is_away(place) {
                on_their_way::begin_anew(place);
                self.tell(outage::end(place));
            }
        }
    }

    fn settle(&self, probe: Probe, is_there: bool) {
        self.tell(match is_there {
            true => {
                // Before the outage ends: until then nobody forgets a note.
                on_their_way::begin_anew(probe.place());
                probe.answered()
            }
            false => probe.failed(),
        });
    }

    fn tell(&self, change: Option<Change>) {
        let (Some(change), Some(key)) = (change, self.keys.first()) else {
            return;
        };
        let event = match change {
            Change::Begun => Event::StoreAway,
            Change::Ended(time) => Event::StoreBack(time),
        };
        tell(self.backend, key, event);
    }

    fn places<'k>(&self, keys: impl Iterator<Item = &'k Key>) -> Vec<Place> {
        self.places_of(keys, self.extents)
    }

    fn places_of<'k>(&self, keys: impl Iterator<Item = &'k Key>, extents: &[Extent]) -> Vec<Place> {
        let store = self.backend.info().instance;
        let mut parts: Vec<u64> = keys.map(|key| self.backend.part_of(key)).collect();
        parts.sort_unstable();
        parts.dedup();
        let place = |part, extent| Place {
            store,
            part,
            extent,
        };
        let places = parts.into_iter();
        places
            .flat_map(|part| extents.iter().map(move |extent| place(part, *extent)))
            .collect()
    }
}

/// Returns the keys that an error is about: all of them unless it names some.
pub(super) fn failed_keys<'k>(
    keys: &'k [Key],
    error: &BackendError,
) -> impl Iterator<Item = &'k Key> {
    let failed = error.failed_indices().to_vec();
    let is_failed = move |index: &usize| failed.is_empty() || failed.contains(index);
    let keys = keys.iter().enumerate();
    keys.filter(move |(index, _)| is_failed(index))
        .map(|(_, key)| key)
}

/// Says whether an error is an answer of the store, and not this library's own before anything was
/// sent.
fn is_of_the_store(error: &BackendError) -> bool {
    let is_own = matches!(
        error.kind(),
        ErrorKind::InvalidKey
            | ErrorKind::InvalidTtl
            | ErrorKind::InvalidConfig
            | ErrorKind::TooLarge
            | ErrorKind::Encode
    );
    !is_own && !is_away(error)
}
