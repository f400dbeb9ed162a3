//! The text of a key.

use std::fmt;
use std::ops::Deref;

use arrayvec::ArrayString;

/// The text of a typed key: `prefix:segment:segment`, to be passed wherever the raw API takes a
/// `&str`.
///
/// The segments are percent-escaped, so that different keys have different text and no part of one
/// can be mistaken for a separator, a pattern or a hash tag. A text of up to 60 bytes allocates
/// nothing.
///
/// # Examples
///
/// ```
/// use reinhardt_backends::Keyspace;
///
/// #[derive(Keyspace)]
/// #[keyspace(prefix = "page", ttl = "5m", value = String)]
/// struct Page<'a> {
///     locale: &'a str,
///     path: &'a str,
/// }
///
/// assert_eq!(&*Page { locale: "en", path: "/a:b" }.key(), "page:en:/a%3Ab");
/// ```
#[derive(Clone)]
pub struct Key {
    text: Text,
    /// True if no character is escaped; `false` also where that isn't known.
    pub(super) is_plain: bool,
}

#[derive(Clone)]
enum Text {
    Short(ArrayString<SHORT>),
    Long(String),
}

impl Key {
    #[inline]
    pub(super) fn empty() -> Self {
        Self {
            text: Text::Short(ArrayString::new()),
            is_plain: true,
        }
    }

    /// Returns the key that `parts` together are the text of.
    pub(crate) fn of_parts<'p>(parts: impl IntoIterator<Item = &'p str>) -> Self {
        let mut key = Self::empty();
        key.is_plain = false;
        parts.into_iter().for_each(|part| key.push(part));
        key
    }

    /// Returns the text.
    #[inline]
    pub fn as_str(&self) -> &str {
        match &self.text {
            Text::Short(text) => text,
            Text::Long(text) => text,
        }
    }

    #[inline]
    pub(super) fn push(&mut self, text: &str) {
        if let Text::Short(short) = &mut self.text
            && short.try_push_str(text).is_ok()
        {
            return;
        }
        self.push_long(text);
    }

    #[cold]
    fn push_long(&mut self, text: &str) {
        if let Text::Short(short) = &self.text {
            let mut long = String::with_capacity(LONG.max(short.len() + text.len()));
            long.push_str(short);
            self.text = Text::Long(long);
        }
        if let Text::Long(long) = &mut self.text {
            long.push_str(text);
        }
    }
}

impl Deref for Key {
    type Target = str;

    #[inline]
    fn deref(&self) -> &str {
        self.as_str()
    }
}

impl AsRef<str> for Key {
    fn as_ref(&self) -> &str {
        self
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self)
    }
}

/// Shows the prefix and not the segments, which may be a session's secret.
impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let prefix = self.split(':').next().unwrap_or_default();
        write!(f, "Key({prefix}:..)")
    }
}

impl PartialEq for Key {
    fn eq(&self, other: &Self) -> bool {
        self.as_str() == other.as_str()
    }
}

impl Eq for Key {}

/// Keys up to this length, in bytes, live on the stack.
const SHORT: usize = 60;
/// Longer keys get room for the longest key that backends take unless set otherwise, so that they
/// are allocated once.
const LONG: usize = 1024;
