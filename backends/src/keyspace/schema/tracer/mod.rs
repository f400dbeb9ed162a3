//! The shape of the bytes that a type reads, found through its `Deserialize` alone.
//!
//! A type is read again and again from a source that has no data. Each pass takes one way through the type: one field
//! of a struct, offered first so that nothing else has to be built before it is asked for, one variant of an enum, the
//! key of a map or its value. What is asked for at the end of the way is the line that is written down; then the pass
//! is stopped. The next pass takes the next way, depth first.
//!
//! A struct with flattened fields asks for a map and for the names of its fields, and doesn't say which it has. It tells
//! those that it can't be read without, one after the other, as the errors of a value that lacks them. Of these a field of
//! the struct's own is asked for as what it is, and one of what is flattened as anything: serde keeps it until it knows
//! whose it is. A field with a default stays unknown.

mod mock;
mod recorder;
mod state;
#[cfg(test)]
mod tests;

use serde::de::DeserializeOwned;

use recorder::Probe;
use state::Trace;

/// What is read at one place of a type.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Line {
    /// The place: `value.roles[].Staff.level`.
    pub(crate) path: String,
    /// What is asked for there: `u8`, `struct`, `newtype string`.
    pub(crate) kind: String,
    /// Whether the struct around it is read when this field is missing.
    pub(crate) default: bool,
}

impl Line {
    /// Whether the trace couldn't look into this place.
    pub(crate) fn is_opaque(&self) -> bool {
        let kind = self.kind.strip_prefix(NEWTYPE).unwrap_or(&self.kind);
        kind.starts_with(OPAQUE)
    }

    /// Whether the type asks the format what stands in this place.
    pub(crate) fn asks_the_format(&self) -> bool {
        let kind = self.kind.strip_prefix(NEWTYPE).unwrap_or(&self.kind);
        kind == ANY || kind == FLATTENED || kind == WAS_FLATTENED
    }

    /// Whether only the fields that values can't do without are known here.
    pub(crate) fn is_flattened(&self) -> bool {
        self.kind.strip_prefix(NEWTYPE).unwrap_or(&self.kind) == FLATTENED
    }

    /// Whether a file has the word for a flattened struct from when nothing in it was traced.
    pub(crate) fn was_flattened(&self) -> bool {
        self.kind.strip_prefix(NEWTYPE).unwrap_or(&self.kind) == WAS_FLATTENED
    }

    /// The place whose type is found here again; empty in a file that doesn't tell which.
    pub(crate) fn recurs_into(&self) -> Option<&str> {
        let kind = self.kind.strip_prefix(NEWTYPE).unwrap_or(&self.kind);
        let into = kind.strip_prefix(RECURSIVE)?;
        match into {
            "" => Some(""),
            into => into.strip_prefix(INTO),
        }
    }

    /// The field whose other name this is, as paths write it.
    pub(crate) fn alias_of(&self) -> Option<&str> {
        self.kind.strip_prefix(ALIAS)
    }
}

/// Lists what `T` reads, one line a place, depth first in the order of declaration.
///
/// `human_readable` is what a codec answers: an `IpAddr` is text to JSON and numbers to CBOR.
pub(crate) fn trace<T: DeserializeOwned>(human_readable: bool) -> Vec<Line> {
    let mut trace = Trace::new(human_readable);
    loop {
        trace.start_pass();
        let outcome = T::deserialize(Probe::root(&mut trace));
        trace.conclude(ROOT, "", false, outcome.is_err());
        if !trace.advance() {
            return trace.into_lines();
        }
    }
}

/// Writes a name so that nothing in it can be taken for a separator, and so that it shows.
fn escape(name: &str) -> String {
    let mut escaped = String::with_capacity(name.len());
    for character in name.chars() {
        if character.is_alphanumeric()
            || (character.is_ascii_graphic() && !SEPARATORS.contains(character))
        {
            escaped.push(character);
        } else {
            escaped.extend(character.escape_unicode());
        }
    }
    escaped
}

const ROOT: &str = "value";
const NEWTYPE: &str = "newtype ";
const OPAQUE: &str = "opaque (";
const ANY: &str = "opaque (asks for any type)";
const FLATTENED: &str = "opaque (a flattened struct, but for its required fields)";
/// As files have it that are older than the tracing of required fields.
const WAS_FLATTENED: &str = "opaque (a flattened struct)";
/// What the kind of a type inside of itself starts with; where it was met before follows.
const RECURSIVE: &str = "recursive";
const INTO: &str = " into ";
/// What the kind of an alias starts with; the name of the field follows.
pub(super) const ALIAS: &str = "alias ";
const SEPARATORS: &str = ".[]:?,\\";
