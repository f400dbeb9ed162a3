//! A map as one entry, of which the key or the value is looked at.

use std::mem;

use serde::de::{DeserializeSeed, MapAccess};

use super::RecordingDeserializer;
use super::place::ValuePlace;
use crate::keyspace::schema::tracer::mock::make_up;
use crate::keyspace::schema::tracer::path::key_of;
use crate::keyspace::schema::tracer::state::{Stop, TraceState};

/// A map as one entry, of which the key or the value is looked at.
#[derive(Debug)]
pub(super) struct RecordedEntry<'t> {
    pub(super) trace: &'t mut TraceState,
    pub(super) path: &'t str,
    pub(super) wanted: &'t ValuePlace,
    pub(super) asked: bool,
}

impl<'de> MapAccess<'de> for RecordedEntry<'_> {
    type Error = Stop;

    fn next_key_seed<K: DeserializeSeed<'de>>(
        &mut self,
        seed: K,
    ) -> Result<Option<K::Value>, Stop> {
        if mem::replace(&mut self.asked, true) || self.trace.is_finished() {
            return Ok(None);
        }
        if self.wanted.key_of.is_some() {
            let recorder = RecordingDeserializer {
                trace: self.trace,
                place: self.wanted.clone(),
            };
            return seed.deserialize(recorder).map(Some);
        }
        make_up(self.trace, &key_of(self.path), self.wanted.depth, seed).map(Some)
    }

    fn next_value_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<S::Value, Stop> {
        if self.wanted.key_of.is_some() {
            return Err(Stop::Other);
        }
        seed.deserialize(RecordingDeserializer {
            trace: self.trace,
            place: self.wanted.clone(),
        })
    }
}
