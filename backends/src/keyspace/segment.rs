//! The types that can be a part of a key, and the escaping of that part.

use std::borrow::Cow;
use std::fmt::{self, Display, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV4, SocketAddrV6};
use std::sync::Arc;

use super::target::Target;
use crate::escape::escape;

/// A type whose values can be a segment of a key.
///
/// Two values that aren't equal must write different text, and `parse` must read back what `write`
/// wrote. Whatever the text is, it can't leave its segment: it is percent-escaped on the way.
///
/// Strings, integers, `bool`, `char`, IP addresses and socket addresses are segments, and `Uuid`
/// with the feature `uuid`.
///
/// [`#[derive(KeySegment)]`](derive@crate::keyspace::KeySegment) makes segments of newtypes, enums
/// and types with `Display` and `FromStr`.
///
/// # Implementing
///
/// ```
/// use reinhardt_backends::keyspace::{KeySegment, SegmentWriter};
///
/// struct UserId(u64);
///
/// impl KeySegment for UserId {
///     type Owned = Self;
///
///     fn write(&self, segment: &mut SegmentWriter<'_>) {
///         segment.display(self.0);
///     }
///
///     fn parse(text: &str) -> Option<Self> {
///         text.parse().ok().map(Self)
///     }
/// }
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` can't be a part of a key",
    note = "strings, integers, `bool`, `char`, IP and socket addresses can, and `Uuid` with the feature `uuid`",
    note = "derive `KeySegment` for a type of your own"
)]
pub trait KeySegment {
    /// The type that a segment is read back as.
    type Owned;

    /// Writes the value as text.
    fn write(&self, segment: &mut SegmentWriter<'_>);

    /// Reads unescaped text back.
    fn parse(text: &str) -> Option<Self::Owned>;
}

/// Takes the text of one segment and escapes it on the way into the key.
#[derive(Debug)]
pub struct SegmentWriter<'a>(Target<'a>);

impl<'a> SegmentWriter<'a> {
    #[inline]
    pub(super) fn new(target: Target<'a>) -> Self {
        Self(target)
    }

    /// Adds text to the segment.
    #[inline]
    pub fn text(&mut self, text: &str) {
        if self.0.takes_raw() {
            self.0.push(text);
        } else {
            self.escapable(text);
        }
    }

    fn escapable(&mut self, text: &str) {
        // Most segments are words, numbers and ids, whose characters needn't be looked at one by
        // one.
        if is_plain(text.as_bytes()) {
            self.0.push(text);
        } else {
            self.escaped(text);
        }
    }

    #[cold]
    fn escaped(&mut self, text: &str) {
        self.0.note_escapes();
        for part in escape(text) {
            self.0.push(part);
        }
    }

    /// Adds the `Display` text of a value to the segment.
    ///
    /// # Panics
    ///
    /// If the value's own `Display` fails, as `to_string` does.
    pub fn display(&mut self, value: impl Display) {
        write!(self, "{value}").expect("a Display implementation returned an error of its own");
    }
}

/// Says whether all bytes are of those in ids, which are never escaped: letters, digits, `-`, `.`,
/// `/` and `_`.
#[inline]
fn is_plain(text: &[u8]) -> bool {
    let (chunks, rest) = text.as_chunks::<16>();
    // The last bytes are looked at together with some before them, and not one by one, if there are
    // enough of them.
    let is_rest_plain = match (text.last_chunk::<16>(), text.last_chunk::<8>()) {
        _ if rest.is_empty() => true,
        (Some(last), _) => all_plain(last),
        (None, Some(last)) => text.first_chunk::<8>().is_some_and(all_plain) && all_plain(last),
        (None, None) => text.iter().all(is_plain_byte),
    };
    is_rest_plain && chunks.iter().all(all_plain)
}

/// There is no branch for a byte, so that all bytes are checked at once.
#[inline]
fn all_plain<const N: usize>(chunk: &[u8; N]) -> bool {
    chunk
        .iter()
        .fold(true, |all, byte| all & is_plain_byte(byte))
}

#[inline]
fn is_plain_byte(byte: &u8) -> bool {
    let is_letter = (byte | 0x20).wrapping_sub(b'a') < 26;
    // The digits come right after `-`, `.` and `/`.
    let is_digit_or_mark = byte.wrapping_sub(b'-') <= b'9' - b'-';
    is_letter | is_digit_or_mark | (*byte == b'_')
}

impl Write for SegmentWriter<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.text(text);
        Ok(())
    }
}

/// The argument that a generated accessor takes for a key field of type `T`: a `T`, a `&T`, and
/// `&str` for owned strings.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a key for a field of type `{T}`",
    label = "expected `{T}`, a reference to it, or `&str` for a string"
)]
pub trait KeyArg<T> {
    /// Writes the argument as the field would be written.
    fn write(&self, segment: &mut SegmentWriter<'_>);
}

#[diagnostic::do_not_recommend]
impl<T: KeySegment> KeyArg<T> for T {
    #[inline]
    fn write(&self, segment: &mut SegmentWriter<'_>) {
        KeySegment::write(self, segment);
    }
}

#[diagnostic::do_not_recommend]
impl<T: KeySegment> KeyArg<T> for &T {
    #[inline]
    fn write(&self, segment: &mut SegmentWriter<'_>) {
        KeySegment::write(*self, segment);
    }
}

macro_rules! by_display {
    ($($type:ty),*) => {
        $(impl KeySegment for $type {
            type Owned = Self;

            fn write(&self, segment: &mut SegmentWriter<'_>) {
                segment.display(self);
            }

            fn parse(text: &str) -> Option<Self> {
                text.parse().ok()
            }
        })*
    };
}

by_display!(
    i8,
    i16,
    i32,
    i64,
    i128,
    isize,
    u8,
    u16,
    u32,
    u64,
    u128,
    usize,
    bool,
    char,
    IpAddr,
    Ipv4Addr,
    Ipv6Addr,
    SocketAddrV4
);

#[cfg(feature = "uuid")]
by_display!(uuid::Uuid);

/// `[::1%7]:80/5`: as `Display` writes it, and the flow information, which `Display` leaves out.
impl KeySegment for SocketAddrV6 {
    type Owned = Self;

    fn write(&self, segment: &mut SegmentWriter<'_>) {
        segment.display(self);
        if self.flowinfo() != 0 {
            segment.display(format_args!("/{}", self.flowinfo()));
        }
    }

    fn parse(text: &str) -> Option<Self> {
        let Some((address, flowinfo)) = text.split_once('/') else {
            return text.parse().ok();
        };
        let mut address: Self = address.parse().ok()?;
        address.set_flowinfo(flowinfo.parse().ok()?);
        Some(address)
    }
}

impl KeySegment for SocketAddr {
    type Owned = Self;

    fn write(&self, segment: &mut SegmentWriter<'_>) {
        match self {
            Self::V4(address) => KeySegment::write(address, segment),
            Self::V6(address) => KeySegment::write(address, segment),
        }
    }

    fn parse(text: &str) -> Option<Self> {
        let v4 = <SocketAddrV4 as KeySegment>::parse(text).map(Self::V4);
        v4.or_else(|| <SocketAddrV6 as KeySegment>::parse(text).map(Self::V6))
    }
}

macro_rules! owned_strings {
    ($($type:ty),*) => {
        $(impl KeySegment for $type {
            type Owned = Self;

            #[inline]
            fn write(&self, segment: &mut SegmentWriter<'_>) {
                segment.text(self);
            }

            fn parse(text: &str) -> Option<Self> {
                Some(text.into())
            }
        }

        #[diagnostic::do_not_recommend]
        impl KeyArg<$type> for &str {
            #[inline]
            fn write(&self, segment: &mut SegmentWriter<'_>) {
                segment.text(self);
            }
        }

        #[diagnostic::do_not_recommend]
        impl KeyArg<$type> for &&str {
            #[inline]
            fn write(&self, segment: &mut SegmentWriter<'_>) {
                segment.text(self);
            }
        })*
    };
}

owned_strings!(String, Box<str>, Arc<str>);

impl KeySegment for str {
    type Owned = String;

    #[inline]
    fn write(&self, segment: &mut SegmentWriter<'_>) {
        segment.text(self);
    }

    fn parse(text: &str) -> Option<String> {
        Some(text.to_string())
    }
}

impl KeySegment for Cow<'_, str> {
    type Owned = String;

    #[inline]
    fn write(&self, segment: &mut SegmentWriter<'_>) {
        segment.text(self);
    }

    fn parse(text: &str) -> Option<String> {
        Some(text.to_string())
    }
}

impl<T: KeySegment + ?Sized> KeySegment for &T {
    type Owned = T::Owned;

    #[inline]
    fn write(&self, segment: &mut SegmentWriter<'_>) {
        KeySegment::write(*self, segment);
    }

    fn parse(text: &str) -> Option<T::Owned> {
        T::parse(text)
    }
}
