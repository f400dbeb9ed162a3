//! The destination of a key's text: a key that is built, or one that the text is compared with.

use std::fmt;

use super::key::Key;

/// The destination of a key's text.
pub(super) enum Target<'k> {
    /// The key that is built.
    Key(&'k mut Key),
    /// The text of another key, which the written text is compared with. Nothing is allocated.
    Other {
        text: &'k str,
        /// True if no character of the text is escaped.
        is_plain: bool,
        /// The number of bytes that were written and are equal; [`DIFFERENT`] after the first
        /// difference.
        equal: &'k mut usize,
    },
}

impl Target<'_> {
    #[inline]
    pub(super) fn reborrow(&mut self) -> Target<'_> {
        match self {
            Self::Key(key) => Target::Key(key),
            Self::Other {
                text,
                is_plain,
                equal,
            } => Target::Other {
                text,
                is_plain: *is_plain,
                equal,
            },
        }
    }

    #[inline]
    pub(super) fn push(&mut self, part: &str) {
        match self {
            Self::Key(key) => key.push(part),
            Self::Other { text, equal, .. } => {
                let rest = text.as_bytes().get(**equal..);
                **equal = match rest {
                    Some(rest) if rest.starts_with(part.as_bytes()) => **equal + part.len(),
                    _ => DIFFERENT,
                };
            }
        }
    }

    /// Says whether text is pushed as it is, escaped or not.
    ///
    /// A key in which nothing is escaped holds no character that would have to be, besides the
    /// marks between its segments. Text that isn't plain differs from it there, or takes the place
    /// of a mark, which is then missing: both keys are of one declaration, and have as many marks.
    #[inline]
    pub(super) fn takes_raw(&self) -> bool {
        matches!(self, Self::Other { is_plain: true, .. })
    }

    /// To be called before a text with escaped characters is pushed.
    pub(super) fn note_escapes(&mut self) {
        if let Self::Key(key) = self {
            key.is_plain = false;
        }
    }

    pub(super) fn len(&self) -> usize {
        match self {
            Self::Key(key) => key.len(),
            Self::Other { equal, .. } => **equal,
        }
    }
}

/// Shows no segment, which may be a session's secret.
impl fmt::Debug for Target<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Key(key) => fmt::Debug::fmt(key, f),
            Self::Other { .. } => f.write_str("Key(..)"),
        }
    }
}

/// A length that no text has.
const DIFFERENT: usize = usize::MAX;
