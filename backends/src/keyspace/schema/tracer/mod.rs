//! Finds the layout of the bytes that a type reads, through its `Deserialize` alone.
//!
//! A type is read again and again from a source that has no data. Each pass takes one way through
//! the type: one field of a struct, offered first so that nothing else has to be built before it is
//! asked for, one variant of an enum, the key of a map or its value. The request at the end of the
//! way is the node that is written down; then the pass is stopped. The next pass takes the next
//! way, depth first.
//!
//! A struct with flattened fields asks for a map and for the names of its fields, and doesn't say
//! which fields it has. It tells the fields that it can't be read without, one after the other, as
//! the errors of a value that lacks them. Of these, a field of the struct's own is asked for by its
//! type, and a field of a flattened part as anything: serde keeps the latter until it knows to
//! which part it belongs. A field with a default stays unknown.

mod mock;
mod path;
mod recorder;
mod state;
#[cfg(test)]
mod tests;

use serde::de::DeserializeOwned;

use super::layout::{Layout, LayoutNode, ROOT};
use crate::codec::Codec;
use recorder::RecordingDeserializer;
use state::TraceState;

/// Finds the layout of the values of `T` as `C` stores them.
pub(crate) fn layout<T: DeserializeOwned, C: Codec>() -> Layout {
    Layout {
        by_name: C::FIELDS_BY_NAME,
        nodes: trace::<T>(C::HUMAN_READABLE),
    }
}

/// Lists the layout that `T` reads, one node a place, depth first in the order of declaration.
///
/// `human_readable` is the answer of a codec: an `IpAddr` is text to JSON and numbers to CBOR.
fn trace<T: DeserializeOwned>(human_readable: bool) -> Vec<LayoutNode> {
    let mut trace = TraceState::new(human_readable);
    loop {
        trace.start_pass();
        let outcome = T::deserialize(RecordingDeserializer::root(&mut trace));
        trace.conclude(ROOT, "", false, outcome.is_err());
        if !trace.advance() {
            return trace.into_nodes();
        }
    }
}
