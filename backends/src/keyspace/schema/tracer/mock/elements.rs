//! The made-up elements of a tuple or a sequence.

use serde::de::{DeserializeSeed, SeqAccess, Visitor};

use super::{MockDeserializer, make_up};
use crate::keyspace::schema::tracer::state::{Stop, TraceState};

impl MockDeserializer<'_> {
    pub(super) fn visit_tuple<'de, V: Visitor<'de>>(
        &mut self,
        len: usize,
        visitor: V,
    ) -> Result<V::Value, Stop> {
        visitor.visit_seq(MockElements {
            trace: self.trace,
            path: &self.path,
            depth: self.depth + 1,
            len,
            at: 0,
        })
    }
}

#[derive(Debug)]
struct MockElements<'t> {
    trace: &'t mut TraceState,
    path: &'t str,
    depth: usize,
    len: usize,
    at: usize,
}

impl<'de> SeqAccess<'de> for MockElements<'_> {
    type Error = Stop;

    fn next_element_seed<S: DeserializeSeed<'de>>(
        &mut self,
        seed: S,
    ) -> Result<Option<S::Value>, Stop> {
        if self.at == self.len || self.trace.is_finished() {
            return Ok(None);
        }
        let path = format!("{}.{}", self.path, self.at);
        self.at += 1;
        make_up(self.trace, &path, self.depth, seed).map(Some)
    }
}
