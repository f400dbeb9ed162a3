//! The layout of stored values: the places of a type, and the type of data that is read at each.

/// The nodes of a value, one a place, depth first in the order of declaration.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Layout {
    /// True if the codec finds fields by their names.
    pub(crate) by_name: bool,
    pub(crate) nodes: Vec<LayoutNode>,
}

/// One place of a type, and the layout that is read there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct LayoutNode {
    /// The place: `value.roles[].Staff.level`.
    pub(crate) path: String,
    /// The type that is asked for there: `u8`, `struct`, `newtype string`.
    pub(crate) kind: String,
    /// True if the struct around it is read when this field is missing.
    pub(crate) default: bool,
}

impl LayoutNode {
    /// Says whether the trace couldn't look into this place.
    pub(crate) fn is_opaque(&self) -> bool {
        let kind = self.kind.strip_prefix(NEWTYPE).unwrap_or(&self.kind);
        kind.starts_with(OPAQUE)
    }

    /// Says whether the type asks the format what stands in this place.
    pub(crate) fn asks_the_format(&self) -> bool {
        let kind = self.kind.strip_prefix(NEWTYPE).unwrap_or(&self.kind);
        kind == ANY || kind == FLATTENED || kind == WAS_FLATTENED
    }

    /// Says whether only the fields that values can't do without are known here.
    pub(crate) fn is_flattened(&self) -> bool {
        self.kind.strip_prefix(NEWTYPE).unwrap_or(&self.kind) == FLATTENED
    }

    /// Says whether a file has the word for a flattened struct from when nothing in it was traced.
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

/// Writes a name so that nothing in it can be taken for a separator, and so that it shows.
pub(super) fn escape(name: &str) -> String {
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

pub(super) const ROOT: &str = "value";
pub(super) const NEWTYPE: &str = "newtype ";
const OPAQUE: &str = "opaque (";
pub(super) const ANY: &str = "opaque (asks for any type)";
pub(super) const FLATTENED: &str = "opaque (a flattened struct, but for its required fields)";
/// As files have it that are older than the tracing of required fields.
const WAS_FLATTENED: &str = "opaque (a flattened struct)";
/// The start of the kind of a type inside of itself; the place where it was met before follows.
pub(super) const RECURSIVE: &str = "recursive";
pub(super) const INTO: &str = " into ";
/// The start of the kind of an alias; the name of the field follows.
pub(super) const ALIAS: &str = "alias ";
const SEPARATORS: &str = ".[]:?,\\";
