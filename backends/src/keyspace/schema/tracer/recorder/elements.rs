//! A tuple or a sequence, of which one element is looked at.

use serde::de::{DeserializeSeed, SeqAccess, Visitor};

use super::RecordingDeserializer;
use super::place::ValuePlace;
use crate::keyspace::schema::tracer::mock::make_up;
use crate::keyspace::schema::tracer::state::{Stop, TraceState};

impl RecordingDeserializer<'_> {
    /// Reads the element that this pass is to look at, behind made-up ones.
    pub(super) fn tuple<'de, V: Visitor<'de>>(
        mut self,
        len: usize,
        visitor: V,
    ) -> Result<V::Value, Stop> {
        self.write(&format!("tuple {len}"))?;
        if len == 0 {
            return Err(self.trace.finish());
        }
        let wanted = self.trace.choose(len);
        let place = self.place.below(&format!(".{wanted}"));
        self.element(place, wanted, visitor)
    }

    pub(super) fn element<'de, V: Visitor<'de>>(
        self,
        wanted: ValuePlace,
        behind: usize,
        visitor: V,
    ) -> Result<V::Value, Stop> {
        let outcome = visitor.visit_seq(RecordedElement {
            trace: self.trace,
            path: &self.place.path,
            wanted: &wanted,
            behind,
            at: 0,
        });
        wanted.conclude(self.trace, outcome)
    }
}

/// A tuple or a sequence up to the element that is looked at.
#[derive(Debug)]
struct RecordedElement<'t> {
    trace: &'t mut TraceState,
    path: &'t str,
    wanted: &'t ValuePlace,
    behind: usize,
    at: usize,
}

impl<'de> SeqAccess<'de> for RecordedElement<'_> {
    type Error = Stop;

    fn next_element_seed<S: DeserializeSeed<'de>>(
        &mut self,
        seed: S,
    ) -> Result<Option<S::Value>, Stop> {
        let at = self.at;
        self.at += 1;
        // A type that goes on after an error has to come to an end.
        if at > self.behind || self.trace.is_finished() {
            return Ok(None);
        }
        if at < self.behind {
            let path = format!("{}.{at}", self.path);
            return make_up(self.trace, &path, self.wanted.depth, seed).map(Some);
        }
        let recorder = RecordingDeserializer {
            trace: self.trace,
            place: self.wanted.clone(),
        };
        seed.deserialize(recorder).map(Some)
    }
}
