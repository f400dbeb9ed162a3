//! The rule for the prefix of a keyspace, and prefixes that are joined from parts when a program is
//! compiled.

/// The rule that is broken by a prefix which [`is_prefix`] refuses.
pub(crate) const PREFIX_RULE: &str =
    "a prefix is a lower-case letter and then lower-case letters, digits, `_`, `.` or `-`";

/// The largest length of a joined prefix, in bytes.
const MAX_JOINED: usize = 128;
/// `@4294967295:`
const LONGEST_VERSION: usize = 12;

/// Says whether a text can be the prefix of a keyspace: `[a-z][a-z0-9_.-]*`.
pub(crate) const fn is_prefix(text: &str) -> bool {
    let bytes = text.as_bytes();
    if bytes.is_empty() || !bytes[0].is_ascii_lowercase() {
        return false;
    }
    let mut at = 1;
    while at < bytes.len() {
        if !is_inner(bytes[at]) && bytes[at] != b'.' {
            return false;
        }
        at += 1;
    }
    true
}

const fn is_inner(byte: u8) -> bool {
    byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'_' | b'-')
}

/// For the derive: a prefix whose parts are constants, `cached.user`, and the version behind it.
///
/// The prefix is put together in a constant, in a buffer of a fixed length: the length of an array
/// can't depend on a constant of a type parameter.
#[derive(Debug, Clone, Copy)]
pub struct JoinedPrefix {
    /// The text that every key begins with, `cached.user@2:`.
    text: [u8; MAX_JOINED + LONGEST_VERSION],
    len: usize,
    prefix_len: usize,
}

impl JoinedPrefix {
    /// Begins with a text that the derive has checked.
    ///
    /// # Panics
    ///
    /// If it is longer than 128 bytes: in a constant this is a compile error.
    pub const fn begin(first: &'static str) -> Self {
        let nothing = Self {
            text: [0; MAX_JOINED + LONGEST_VERSION],
            len: 0,
            prefix_len: 0,
        };
        nothing.add(first)
    }

    /// Adds a dot and a text that the derive has checked.
    ///
    /// # Panics
    ///
    /// If the whole is longer than 128 bytes: in a constant this is a compile error.
    #[must_use]
    pub const fn text(self, text: &'static str) -> Self {
        self.add(".").add(text)
    }

    /// Adds a dot and the text that a constant holds.
    ///
    /// The constant may hold no dot. Otherwise two constants that follow each other could make the
    /// prefix of two others.
    ///
    /// # Panics
    ///
    /// If `part` is empty or holds another character than a lower-case letter, a digit, `_` or `-`,
    /// or if the whole is longer than 128 bytes: in a constant this is a compile error.
    #[must_use]
    pub const fn constant(self, part: &'static str) -> Self {
        let bytes = part.as_bytes();
        assert!(!bytes.is_empty(), "a part of a prefix is empty");
        let mut at = 0;
        while at < bytes.len() {
            assert!(
                is_inner(bytes[at]),
                "a constant in a prefix holds lower-case letters, digits, `_` or `-`"
            );
            at += 1;
        }
        self.text(part)
    }

    /// Ends the prefix, and adds the version that stands in keys.
    #[must_use]
    pub const fn version(mut self, version: u32) -> Self {
        self.prefix_len = self.len;
        if version > 1 {
            self.push(b'@');
            self.push_number(version);
        }
        self.push(b':');
        self
    }

    pub(super) const fn prefix(&'static self) -> &'static str {
        text(self.text.split_at(self.prefix_len).0)
    }

    pub(super) const fn head(&'static self) -> &'static str {
        text(self.text.split_at(self.len).0)
    }

    const fn add(mut self, part: &str) -> Self {
        let part = part.as_bytes();
        assert!(
            self.len + part.len() <= MAX_JOINED,
            "the parts of a prefix are longer than 128 bytes together"
        );
        let mut at = 0;
        while at < part.len() {
            self.push(part[at]);
            at += 1;
        }
        self
    }

    const fn push_number(&mut self, number: u32) {
        if number > 9 {
            self.push_number(number / 10);
        }
        self.push(b'0' + (number % 10) as u8);
    }

    const fn push(&mut self, byte: u8) {
        self.text[self.len] = byte;
        self.len += 1;
    }
}

const fn text(bytes: &[u8]) -> &str {
    match std::str::from_utf8(bytes) {
        Ok(text) => text,
        Err(_) => panic!("a prefix is made of whole texts"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_prefix_begins_with_a_letter() {
        for text in ["a", "session", "a1_.-z"] {
            assert!(is_prefix(text), "{text}");
        }
        for text in [
            "", "1a", "_a", ".a", "-a", "A", "aB", "a:b", "a@2", "ä", "aä",
        ] {
            assert!(!is_prefix(text), "{text}");
        }
    }

    #[test]
    fn parts_are_joined_by_dots_and_the_version_follows() {
        const FIRST: &JoinedPrefix = &JoinedPrefix::begin("cached").constant("user").version(1);
        assert_eq!(
            (FIRST.prefix(), FIRST.head()),
            ("cached.user", "cached.user:")
        );
        const LAST: &JoinedPrefix = &JoinedPrefix::begin("a")
            .text("b.c")
            .constant("2")
            .version(u32::MAX);
        assert_eq!(
            (LAST.prefix(), LAST.head()),
            ("a.b.c.2", "a.b.c.2@4294967295:")
        );
    }

    #[test]
    fn a_prefix_fills_the_whole_room_with_the_longest_version() {
        const FULL: &JoinedPrefix = &JoinedPrefix::begin(concat!(
            "a234567890123456789012345678901234567890123456789012345678901234",
            "1234567890123456789012345678901234567890123456789012345678901234",
        ))
        .version(u32::MAX);
        assert_eq!(FULL.prefix().len(), MAX_JOINED);
        assert!(FULL.head().ends_with("4@4294967295:"));
    }

    #[test]
    #[should_panic(expected = "longer than 128 bytes")]
    fn a_prefix_of_too_many_bytes_is_refused() {
        let full =
            JoinedPrefix::begin("a234567890123456789012345678901234567890123456789012345678901234");
        let _ = full
            .constant("123456789012345678901234567890123456789012345678901234567890123")
            .text("a");
    }

    #[test]
    #[should_panic(expected = "holds lower-case letters")]
    fn a_constant_with_a_dot_is_refused() {
        let _ = JoinedPrefix::begin("cached").constant("a.b");
    }
}
