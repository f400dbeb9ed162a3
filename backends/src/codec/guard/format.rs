//! The limits of a format's reader, and the events that a format may want to hear of.

use super::findings::Findings;

/// The limits of a format's reader.
pub(in crate::codec) trait Format {
    /// The number of levels that the reader goes down.
    const DEEPEST: usize;
    /// The levels that a form of a value takes; arrays, maps, tuples and structs always are one.
    const LEVELS: Levels;
    /// The format can write NaN and the infinities.
    const HAS_ALL_FLOATS: bool = true;
    /// All keys of maps are written as text.
    const HAS_TEXT_KEYS_ALONE: bool = false;
    /// The format writes how many fields a struct or a tuple has.
    const WRITES_LENGTHS_OF_STRUCTS: bool = true;
    /// The format writes how many elements a sequence or a map has.
    const WRITES_LENGTHS: bool = true;
    /// The format writes ciborium's tags as tags.
    const HAS_TAGS: bool = false;
    /// An element may take no bytes.
    const HAS_EMPTY_ELEMENTS: bool = false;
    /// A reader finds the fields behind one that was left out.
    const CAN_SKIP_FIELDS: bool = true;

    /// Names a struct to [`field`](Self::field).
    type Mark: Copy + Default;
    /// The type of a value.
    type Place: Copy + Default;

    /// Returns the findings so far.
    fn findings(&self) -> &Findings;

    /// Notes a variant of an enum that is about to be written.
    fn variant(&self, _at: Self::Place, _of: &'static str, _index: u32) {}

    /// Notes a struct or a tuple, or the fields of a variant, that is about to be written.
    fn fields(&self, _at: Self::Place, _count: usize) -> Self::Mark {
        Self::Mark::default()
    }

    /// Notes a field of a struct.
    fn field(&self, _of: Self::Mark, _name: &'static str) {}

    /// Names the type whose value is about to be written.
    fn place<T: ?Sized>() -> Self::Place {
        Self::Place::default()
    }

    /// Notes content that isn't there in every value of the type.
    fn open(&self, _at: Self::Place, _what: Opened) {}
}

/// Content that isn't there in every value of a type.
#[derive(Debug, Clone, Copy)]
pub(in crate::codec) enum Opened {
    Some,
    Element,
    Key,
    Value,
}

/// The number of the reader's levels that a form of a value takes beside its content.
pub(in crate::codec) struct Levels {
    pub(in crate::codec) some: usize,
    pub(in crate::codec) newtype: usize,
    pub(in crate::codec) unit_variant: usize,
    /// A variant with content: the levels around a tuple's or a struct's own level.
    pub(in crate::codec) variant: usize,
}
