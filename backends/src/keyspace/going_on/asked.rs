//! The question to a store that is away, and its answer.

use super::is_away;
use super::on_their_way;
use super::outage::{self, Ended, Extent, Place, Probe, Standing};
use crate::backend::Backend;
use crate::backend::store::{Event, tell};
use crate::error::{BackendResult, ErrorKind};
use crate::keyspace::key::Key;

/// Says how things stand with the parts of a store that have these keys. A store in this process is
/// never away for long: it is asked by every call.
pub(super) fn standing<B>(backend: &B, keys: &[Key], extents: &[Extent]) -> Standing
where
    B: Backend + ?Sized,
{
    match outage::is_any_away() && backend.as_sync().is_none() {
        true => outage::standing(places(backend, keys, extents)),
        false => Standing::Up(outage::ended()),
    }
}

/// Says whether these parts are up, without a turn to ask.
pub(super) fn if_up<B>(backend: &B, keys: &[Key], extents: &[Extent]) -> Option<Ended>
where
    B: Backend + ?Sized,
{
    let ended = outage::ended();
    let is_up = !outage::is_any_away()
        || backend.as_sync().is_some()
        || !places(backend, keys, extents).any(outage::is_away);
    is_up.then_some(ended)
}

/// Takes the answer of a call that began when the store was up: an outage may begin.
pub(super) fn while_up<B, T>(
    backend: &B,
    keys: &[Key],
    extent: Extent,
    ended: Ended,
    answer: BackendResult<T>,
) -> BackendResult<Option<T>>
where
    B: Backend + ?Sized,
{
    match answer {
        Err(error) if is_away(&error) => {
            if backend.as_sync().is_none() {
                let extents = [extent];
                let mut has_begun = false;
                for place in places(backend, keys, &extents) {
                    has_begun |= outage::begin(place, ended);
                }
                if has_begun {
                    tell_in(backend, keys, Event::StoreAway);
                }
            }
            Ok(None)
        }
        answer => answer.map(Some),
    }
}

/// Takes the answer of the call that asks.
pub(super) fn probed<B, T>(
    backend: &B,
    keys: &[Key],
    probe: Probe,
    answer: BackendResult<T>,
) -> BackendResult<Option<T>>
where
    B: Backend + ?Sized,
{
    match answer {
        Err(error) if is_away(&error) => {
            probe.failed();
            Ok(None)
        }
        // Others are this library's own, before anything was sent.
        Err(error) if !is_of_the_store(error.kind()) => {
            probe.failed();
            Err(error)
        }
        answer => {
            end(backend, keys, probe);
            answer.map(Some)
        }
    }
}

/// Asks by reading the life of an entry, which changes nothing, and says whether the store is
/// there. If writes alone are away the turn goes on: an answer to a read says nothing about them.
pub(super) async fn is_there<B>(
    backend: &B,
    keys: &[Key],
    probe: Probe,
) -> Option<(Ended, Option<Probe>)>
where
    B: Backend + ?Sized,
{
    let Place { part, extent, .. } = probe.place();
    let mut in_part = keys.iter().filter(|key| backend.part_of(key) == part);
    // The part may be another one since: then it is asked for next time.
    let key = in_part.next()?;
    let answer = backend.read_life(key).await;
    if let Err(error) = &answer
        && (is_away(error) || !is_of_the_store(error.kind()))
    {
        probe.failed();
        return None;
    }
    match extent {
        Extent::Writes => Some((outage::ended(), Some(probe))),
        Extent::All | Extent::Replicas => {
            end(backend, keys, probe);
            Some((outage::ended(), None))
        }
    }
}

/// Ends an outage, as the store has answered.
fn end<B: Backend + ?Sized>(backend: &B, keys: &[Key], probe: Probe) {
    let store = probe.place().store;
    if let Some(time) = probe.answered() {
        on_their_way::begin_anew(store);
        tell_in(backend, keys, Event::StoreBack(time));
    }
}

fn tell_in<B: Backend + ?Sized>(backend: &B, keys: &[Key], event: Event) {
    if let Some(key) = keys.first() {
        tell(backend, key, event);
    }
}

/// Says whether an error of this kind is an answer of the store, be it a refusal.
fn is_of_the_store(kind: ErrorKind) -> bool {
    matches!(
        kind,
        ErrorKind::Denied | ErrorKind::WrongType | ErrorKind::Full | ErrorKind::Decode
    )
}

/// Returns the places that calls on these keys need. Some may come more than once.
fn places<'k, B>(
    backend: &'k B,
    keys: &'k [Key],
    extents: &'k [Extent],
) -> impl Iterator<Item = Place> + Clone + 'k
where
    B: Backend + ?Sized,
{
    let store = backend.info().instance;
    keys.iter().flat_map(move |key| {
        let part = backend.part_of(key);
        let place = move |extent| Place {
            store,
            part,
            extent,
        };
        extents.iter().copied().map(place)
    })
}
