//! The steps in which a trace finds out which fields a struct has, before it looks at one of them.

use serde::de::Visitor;

use super::RecordingDeserializer;
use super::place::ValuePlace;
use crate::keyspace::schema::tracer::mock::fields::{MockFields, offer};
use crate::keyspace::schema::tracer::path::field_of;
use crate::keyspace::schema::tracer::state::{Stop, TraceState};

impl RecordingDeserializer<'_> {
    /// Takes one step in finding out which names mean the same field and which fields a struct can
    /// do without.
    pub(super) fn survey<'de, V: Visitor<'de>>(
        self,
        given: &'static [&'static str],
        visitor: V,
    ) -> Stop {
        let ValuePlace { path, depth, .. } = self.place;
        match self.trace.unplaced(&path, given) {
            Some(name) => place_name(self.trace, &path, depth + 1, given, name, visitor),
            None => {
                let required = self.trace.required(&path);
                let outcome = offer(self.trace, &path, depth + 1, &required, visitor);
                if !self.trace.is_finished() {
                    self.trace.settle(&path, given, outcome.is_ok());
                }
            }
        }
        self.trace.finish()
    }

    /// Takes one step in finding out which fields a struct with flattened ones can't do without.
    pub(super) fn survey_flattened<'de, V: Visitor<'de>>(self, visitor: V) -> Stop {
        let ValuePlace { path, depth, .. } = self.place;
        let required = self.trace.required(&path);
        let outcome = offer(self.trace, &path, depth + 1, &required, visitor);
        if self.trace.is_finished() {
            return self.trace.finish();
        }
        let missed = match outcome {
            Err(Stop::Missing(name)) => Some(name),
            Err(stop) => {
                // Fields are missed one after the other, so whatever else fails is most likely the
                // last of them.
                let last = required.last().map(|name| field_of(&path, name));
                if last.is_some_and(|last| self.trace.try_another(&last, &stop)) {
                    return self.trace.finish();
                }
                None
            }
            Ok(_) => None,
        };
        self.trace.settle_flattened(&path, missed);
        self.trace.finish()
    }
}

/// Finds the field that `name` means: offered twice, the struct complains and calls the field by
/// its proper name.
fn place_name<'de, V: Visitor<'de>>(
    trace: &mut TraceState,
    path: &str,
    depth: usize,
    given: &'static [&'static str],
    name: &'static str,
    visitor: V,
) {
    let outcome = visitor.visit_map(MockFields {
        trace,
        path,
        depth,
        names: [name, name].iter(),
        current: name,
    });
    if trace.is_finished() {
        return;
    }
    let proper = match outcome {
        Err(Stop::Duplicate(proper)) if given.contains(&proper) => proper,
        _ => name,
    };
    trace.place(path, proper);
}
