//! Values that are made up because a type needs one before it asks for the value that a trace looks
//! for.

mod deserializer;
mod elements;
mod entries;
pub(super) mod fields;
mod variant;

use serde::de::DeserializeSeed;

use super::path::field_of;
use super::state::{DEPTH, Stop, TraceState};

/// Answers every request with a value that isn't written down.
#[derive(Debug)]
pub(super) struct MockDeserializer<'t> {
    trace: &'t mut TraceState,
    path: String,
    depth: usize,
}

impl MockDeserializer<'_> {
    fn enter(&mut self) -> Result<(), Stop> {
        self.trace.spend()?;
        if self.depth > DEPTH {
            return Err(Stop::Other);
        }
        Ok(())
    }

    fn attempt(&self) -> usize {
        self.trace.attempt(&self.path)
    }
}

/// Makes up the value at `path`. If the type refuses it, a further pass tries another.
pub(super) fn make_up<'de, S: DeserializeSeed<'de>>(
    trace: &mut TraceState,
    path: &str,
    depth: usize,
    seed: S,
) -> Result<S::Value, Stop> {
    let mock = MockDeserializer {
        trace,
        path: path.to_string(),
        depth,
    };
    seed.deserialize(mock).map_err(|stop| {
        learn(trace, path, &stop);
        // The field that an inner struct misses is not one of the struct around it.
        Stop::Other
    })
}

/// Has a further pass make up another value at `path`, if there is one to try.
fn learn(trace: &mut TraceState, path: &str, stop: &Stop) {
    // A type that first gathers everything that there is misses its fields only afterwards.
    if let Stop::Missing(name) = stop {
        trace.require(path, name);
    }
    // Fields are missed one after the other, so whatever else fails is most likely the last of
    // them.
    let last = trace.required(path).last().copied();
    let tried = last.is_some_and(|name| trace.try_another(&field_of(path, name), stop));
    if !tried {
        trace.try_another(path, stop);
    }
}
