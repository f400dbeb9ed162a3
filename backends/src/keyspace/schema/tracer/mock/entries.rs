//! The made-up entries of a map.

use serde::de::{DeserializeSeed, MapAccess, Visitor};

use super::{MockDeserializer, make_up};
use crate::keyspace::schema::tracer::path::{key_of, value_of};
use crate::keyspace::schema::tracer::state::{Stop, TraceState};

impl MockDeserializer<'_> {
    pub(super) fn visit_map<'de, V: Visitor<'de>>(
        &mut self,
        len: usize,
        visitor: V,
    ) -> Result<V::Value, Stop> {
        visitor.visit_map(Entries {
            trace: self.trace,
            path: &self.path,
            depth: self.depth + 1,
            left: len,
        })
    }
}

#[derive(Debug)]
struct Entries<'t> {
    trace: &'t mut TraceState,
    path: &'t str,
    depth: usize,
    left: usize,
}

impl<'de> MapAccess<'de> for Entries<'_> {
    type Error = Stop;

    fn next_key_seed<K: DeserializeSeed<'de>>(
        &mut self,
        seed: K,
    ) -> Result<Option<K::Value>, Stop> {
        if self.left == 0 || self.trace.is_finished() {
            return Ok(None);
        }
        self.left -= 1;
        make_up(self.trace, &key_of(self.path), self.depth, seed).map(Some)
    }

    fn next_value_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<S::Value, Stop> {
        make_up(self.trace, &value_of(self.path), self.depth, seed)
    }
}
