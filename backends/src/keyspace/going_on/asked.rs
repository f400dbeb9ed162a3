//! The question to a store that is away, and its answer.

use std::time::Instant;

use futures_util::future::join_all;

use super::is_away;
use super::on_their_way;
use super::outage::{self, Change, Extent, Place, Probe, Standing};
use crate::backend::store::{Event, tell};
use crate::backend::{Backend, plain};
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
        let up = Ready::now();
        if !self.may_be_away() {
            return Some(up);
        }
        let places = self.places();
        match outage::standing(&places) {
            Standing::Up => Some(up),
            Standing::Asked(probes) if asks_itself && places.len() == 1 => {
                Some(Ready { probes, ..up })
            }
            Standing::Asked(probes) => self.ask(probes).await,
            Standing::Away => None,
        }
    }

    /// Says whether the places are there, and asks nobody.
    pub(super) fn is_up(&self) -> bool {
        !(self.may_be_away() && self.places().into_iter().any(outage::is_away))
    }

    /// A store in this process is never away for long: it is asked by every call.
    fn may_be_away(&self) -> bool {
        outage::is_any_away() && self.backend.as_sync().is_none()
    }

    /// Asks places by reading the life of an entry there, which changes nothing. An answer to a
    /// read says nothing about writes: these turns are left to the call itself.
    async fn ask(&self, probes: Vec<Probe>) -> Option<Ready> {
        let (writes, others): (Vec<Probe>, Vec<Probe>) =
            (probes.into_iter()).partition(|probe| probe.place().extent == Extent::Writes);
        let answers = others.into_iter().map(|probe| self.ask_one(probe));
        let are_there = join_all(answers).await;
        let up = Ready {
            probes: writes,
            ..Ready::now()
        };
        let mut are_there = are_there.into_iter();
        are_there.all(|is_there| is_there).then_some(up)
    }

    async fn ask_one(&self, probe: Probe) -> bool {
        let part = probe.place().part;
        let mut in_part = self.keys.iter();
        // The part may have the key no more: then another one is asked next time.
        let Some(key) = in_part.find(|key| self.backend.part_of(key) == part) else {
            return false;
        };
        let is_plain = probe.place().extent == Extent::Replicas;
        let answer = plain::read_life(self.backend, key, is_plain).await;
        let is_there = answer.err().is_none_or(|error| is_of_the_store(&error));
        match is_there {
            true => self.answered_by(probe),
            false => self.tell(probe.failed(true)),
        }
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
                let probes = ready.probes.into_iter();
                probes.for_each(|probe| self.answered_by(probe));
                return Ok(Some(answer));
            }
            Err(error) => error,
        };
        let failed = self.places_of(failed_keys(self.keys, &error), extents);
        // Of several parts nobody knows which has failed, unless the error says so.
        let is_one_part = failed.iter().all(|place| place.part == failed[0].part);
        let is_certain = is_one_part || !error.failed_indices().is_empty();
        for probe in ready.probes {
            if is_of_the_store(&error) {
                self.answered_by(probe);
            } else {
                // A part that has the key no more isn't among the places that failed.
                let has_failed = failed.contains(&probe.place());
                self.tell(probe.failed(has_failed && is_certain));
            }
        }
        if !is_away(&error) {
            return Err(error);
        }
        if self.backend.as_sync().is_none() {
            for place in failed {
                self.tell(outage::begin(place, ready.called, is_certain));
            }
        }
        Ok(None)
    }

    /// Notes that parts of the store have answered a call that goes on nobody's word, such as a
    /// removal.
    pub(super) fn answered(&self, parts: impl Iterator<Item = u64>) {
        let store = self.backend.info().instance;
        let extent = Extent::All;
        for part in parts {
            let place = Place {
                store,
                part,
                extent,
            };
            on_their_way::begin_anew(place);
            self.tell(outage::end(place));
        }
    }

    fn answered_by(&self, probe: Probe) {
        // Before the outage ends: until then nobody forgets a note.
        on_their_way::begin_anew(probe.place());
        self.tell(probe.answered());
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

    fn places(&self) -> Vec<Place> {
        self.places_of(self.keys.iter(), self.extents)
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
