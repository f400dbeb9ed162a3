//! Percent-escaping of key text, for segments and namespaces.

use std::fmt::Display;

use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};

/// The characters that never appear raw, besides everything that isn't ASCII: the escape itself,
/// the separator, glob characters, braces (hash tags of a cluster), whitespace and control
/// characters.
const ESCAPED: &AsciiSet = &CONTROLS
    .add(b'%')
    .add(b':')
    .add(b'*')
    .add(b'?')
    .add(b'[')
    .add(b']')
    .add(b'^')
    .add(b'\\')
    .add(b'{')
    .add(b'}')
    .add(b' ');

/// Escapes `text` so that no character in it has a meaning in a key.
pub(crate) fn escape(text: &str) -> impl Iterator<Item = &str> + Display {
    utf8_percent_encode(text, ESCAPED)
}
