//! A value as people read it: the lines that its own `Serialize` writes, with the names of fields
//! and variants.
//!
//! A tree is bounded whatever the value is: so many lines, so many items of one sequence, so much
//! text and so many levels. It says what it left out.

mod compound;
mod recorder;

use std::borrow::Cow;

use serde::Serialize;

use self::recorder::Recorder;

/// The largest number of lines of a tree.
const MOST_LINES: usize = 2_000;
/// The largest number of items that are shown of one sequence or map.
const MOST_ITEMS: usize = 100;
/// The largest number of bytes that are shown of one text.
pub(crate) const MOST_TEXT: usize = 2_000;
/// The largest number of bytes that are shown of all texts together.
const MOST_TEXT_OF_ALL: usize = 64 * 1024;
/// The largest number of bytes that are shown of one byte string.
const MOST_BYTES: usize = 64;
/// The largest number of levels that are shown.
const MOST_LEVELS: usize = 32;
/// The largest number of calls of `Serialize` inside of each other: options and newtypes have no
/// level of their own.
const MOST_NESTED: usize = 128;

/// A value as its own `Serialize` shows it.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Tree {
    lines: Vec<Line>,
    failed: Option<String>,
}

/// A line of a tree. The lines below it have a greater depth.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Line {
    pub(crate) depth: usize,
    /// The name of a field, the position in a sequence, or the key in a map.
    pub(crate) label: Option<Cow<'static, str>>,
    pub(crate) content: Content,
}

/// The content of a line.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Content {
    /// A text, and the number of its bytes that are left out.
    Text { text: String, left_out: usize },
    /// A number.
    Number(String),
    /// An element of a sequence that may be a byte string.
    Byte(u8),
    /// A word of the value's type: a truth value, a variant without content, or that there is none.
    Word(Cow<'static, str>),
    /// The first bytes of a byte string, and how long it is.
    Bytes { first: Vec<u8>, length: usize },
    /// Items or fields, on the lines below.
    Compound {
        /// The name of the struct or the variant; empty if there is none.
        name: &'static str,
        kind: CompoundKind,
        /// The number of all items.
        length: usize,
        /// The number of items that have no line.
        left_out: usize,
    },
    /// A value that is nested too deep to be shown.
    TooDeep,
}

/// The kind of a value with others in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum CompoundKind {
    /// A sequence or a tuple.
    Items,
    /// A map.
    Map,
    /// A struct, or a variant with fields.
    Fields,
    /// A variant with one value.
    Variant,
}

/// Returns the beginning of a text, of so many bytes at most.
pub(crate) fn beginning(text: &str, most: usize) -> &str {
    let mut end = text.len().min(most);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    &text[..end]
}

/// Returns a text that is no longer than people read.
pub(crate) fn shortened(mut text: String) -> String {
    let end = beginning(&text, MOST_TEXT).len();
    if end < text.len() {
        text.truncate(end);
        text.push_str("..");
    }
    text
}

impl Tree {
    /// Shows a value.
    pub(crate) fn of<T: Serialize + ?Sized>(value: &T) -> Self {
        let mut recorder = Recorder::default();
        let failed = value.serialize(&mut recorder).err();
        Self {
            lines: recorder.into_lines(),
            failed: failed.map(|error| error.to_string()),
        }
    }

    /// Returns the lines, each after the one that it belongs to.
    pub(crate) fn lines(&self) -> &[Line] {
        &self.lines
    }

    /// Returns the text of the error with which the value's `Serialize` ended early.
    pub(crate) fn failed(&self) -> Option<&str> {
        self.failed.as_deref()
    }
}

#[cfg(test)]
mod tests;
