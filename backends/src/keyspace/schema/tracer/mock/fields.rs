//! The made-up fields that a struct is offered.

use std::slice;

use serde::de::value::BorrowedStrDeserializer;
use serde::de::{DeserializeSeed, MapAccess, Visitor};

use super::{MockDeserializer, make_up};
use crate::keyspace::schema::tracer::path::field_of;
use crate::keyspace::schema::tracer::state::{Stop, TraceState};

/// Offers made-up values for the fields `names` of the struct at `path`, and notes a field that it
/// misses.
pub(in crate::keyspace::schema::tracer) fn offer<'de, V: Visitor<'de>>(
    trace: &mut TraceState,
    path: &str,
    depth: usize,
    names: &[&'static str],
    visitor: V,
) -> Result<V::Value, Stop> {
    let outcome = visitor.visit_map(MockFields {
        trace,
        path,
        depth,
        names: names.iter(),
        current: "",
    });
    if let Err(Stop::Missing(name)) = outcome
        && !trace.is_finished()
        && !names.contains(&name)
    {
        trace.require(path, name);
    }
    outcome
}

impl MockDeserializer<'_> {
    /// Reads a map that may be a struct in disguise, flattened or with its tag inside.
    pub(super) fn guess_fields<'de, V: Visitor<'de>>(
        &mut self,
        visitor: V,
    ) -> Result<V::Value, Stop> {
        let names = self.trace.required(&self.path);
        offer(self.trace, &self.path, self.depth + 1, &names, visitor)
    }

    pub(super) fn visit_struct<'de, V: Visitor<'de>>(
        &mut self,
        given: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Stop> {
        // All names at once would hold a field and its alias; they are for types that don't say
        // which field they miss.
        let names = match self.attempt() {
            0 => self.trace.required(&self.path),
            _ => given.to_vec(),
        };
        offer(self.trace, &self.path, self.depth + 1, &names, visitor)
    }
}

/// A struct as the fields that it is offered, each once.
#[derive(Debug)]
pub(in crate::keyspace::schema::tracer) struct MockFields<'t> {
    pub(in crate::keyspace::schema::tracer) trace: &'t mut TraceState,
    pub(in crate::keyspace::schema::tracer) path: &'t str,
    pub(in crate::keyspace::schema::tracer) depth: usize,
    pub(in crate::keyspace::schema::tracer) names: slice::Iter<'t, &'static str>,
    pub(in crate::keyspace::schema::tracer) current: &'static str,
}

impl<'de> MapAccess<'de> for MockFields<'_> {
    type Error = Stop;

    fn next_key_seed<K: DeserializeSeed<'de>>(
        &mut self,
        seed: K,
    ) -> Result<Option<K::Value>, Stop> {
        // A type that goes on after an error has to come to an end.
        if self.trace.is_finished() {
            return Ok(None);
        }
        let Some(name) = self.names.next() else {
            return Ok(None);
        };
        self.current = name;
        seed.deserialize(BorrowedStrDeserializer::new(name))
            .map(Some)
    }

    fn next_value_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<S::Value, Stop> {
        let path = field_of(self.path, self.current);
        make_up(self.trace, &path, self.depth, seed)
    }
}
