//! The heads and the contents of CBOR items (RFC 8949, section 3), taken off the front of a slice.

use std::fmt::{self, Display};

use half::f16;
use serde::de;

/// Major types.
pub(in crate::codec) const POSITIVE: u8 = 0;
pub(in crate::codec) const NEGATIVE: u8 = 1;
pub(in crate::codec) const BYTES: u8 = 2;
pub(super) const TEXT: u8 = 3;
pub(super) const ARRAY: u8 = 4;
pub(super) const MAP: u8 = 5;
pub(super) const TAG: u8 = 6;
const OTHER: u8 = 7;

/// Simple values.
pub(super) const FALSE: u8 = 20;
pub(super) const TRUE: u8 = 21;
pub(super) const NULL: u8 = 22;
pub(super) const UNDEFINED: u8 = 23;

/// Why bytes are no item, or not the item that was asked for.
///
/// Nothing else is kept: serde's own text quotes the value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::codec) enum Failure {
    Truncated,
    Malformed,
    Unexpected,
    TooDeep,
}

impl Failure {
    pub(in crate::codec) fn category(self) -> &'static str {
        match self {
            Self::Truncated => "a truncated item",
            Self::Malformed => "malformed CBOR",
            Self::Unexpected => "an unexpected item",
            Self::TooDeep => "items nested too deep",
        }
    }
}

impl Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.category())
    }
}

impl std::error::Error for Failure {}

impl de::Error for Failure {
    #[cold]
    fn custom<T: Display>(_: T) -> Self {
        Self::Unexpected
    }
}

/// The first byte of an item and the number that goes with it.
#[derive(Debug, Clone, Copy)]
pub(in crate::codec) struct ItemHead {
    pub(in crate::codec) major: u8,
    minor: u8,
    pub(in crate::codec) argument: u64,
}

impl ItemHead {
    /// The declared length; `None` if the item goes on until a break.
    #[inline]
    pub(in crate::codec) fn length(self) -> Option<u64> {
        (self.minor != MORE).then_some(self.argument)
    }

    #[inline]
    pub(super) fn simple(self) -> Option<u8> {
        (self.major == OTHER && self.minor <= ONE_BYTE).then_some(self.argument as u8)
    }

    #[inline]
    pub(super) fn float(self) -> Option<f64> {
        match (self.major, self.minor) {
            (OTHER, TWO_BYTES) => Some(f16::from_bits(self.argument as u16).to_f64()),
            (OTHER, FOUR_BYTES) => Some(f32::from_bits(self.argument as u32).into()),
            (OTHER, EIGHT_BYTES) => Some(f64::from_bits(self.argument)),
            _ => None,
        }
    }

    #[inline]
    pub(super) fn is_break(self) -> bool {
        self.major == OTHER && self.minor == MORE
    }
}

/// The minor types that tell where the argument is, if it isn't the minor type itself.
const ONE_BYTE: u8 = 24;
const TWO_BYTES: u8 = 25;
const FOUR_BYTES: u8 = 26;
const EIGHT_BYTES: u8 = 27;
/// No argument: an indefinite length, or a break.
const MORE: u8 = 31;

/// Bytes that haven't been read yet.
///
/// An item that was refused has been read all the same, so a visitor that carries on after an error
/// comes to an end.
#[derive(Debug, Clone, Copy)]
pub(in crate::codec) struct Wire<'a>(pub(in crate::codec) &'a [u8]);

impl<'a> Wire<'a> {
    #[inline]
    pub(in crate::codec) fn head(&mut self) -> Result<ItemHead, Failure> {
        let (&first, rest) = self.0.split_first().ok_or(Failure::Truncated)?;
        self.0 = rest;
        let (major, minor) = (first >> 5, first & 0x1f);
        let argument = if minor < ONE_BYTE {
            u64::from(minor)
        } else {
            self.argument(major, minor)?
        };
        Ok(ItemHead {
            major,
            minor,
            argument,
        })
    }

    fn argument(&mut self, major: u8, minor: u8) -> Result<u64, Failure> {
        match minor {
            ONE_BYTE => self.array().map(u8::from_be_bytes).map(u64::from),
            TWO_BYTES => self.array().map(u16::from_be_bytes).map(u64::from),
            FOUR_BYTES => self.array().map(u32::from_be_bytes).map(u64::from),
            EIGHT_BYTES => self.array().map(u64::from_be_bytes),
            MORE if !matches!(major, POSITIVE | NEGATIVE | TAG) => Ok(0),
            _ => Err(Failure::Malformed),
        }
    }

    #[inline]
    fn array<const N: usize>(&mut self) -> Result<[u8; N], Failure> {
        match self.0.split_first_chunk() {
            Some((array, rest)) => {
                self.0 = rest;
                Ok(*array)
            }
            None => Err(self.truncated()),
        }
    }

    /// The head of the next item that isn't a tag.
    #[inline]
    pub(super) fn untagged(&mut self) -> Result<ItemHead, Failure> {
        loop {
            let head = self.head()?;
            if head.major != TAG {
                return Ok(head);
            }
        }
    }

    /// The content of a string that isn't in segments.
    #[inline]
    pub(in crate::codec) fn bytes(&mut self, head: ItemHead) -> Result<&'a [u8], Failure> {
        let length = head.length().ok_or(Failure::Unexpected)?;
        let length = usize::try_from(length).unwrap_or(usize::MAX);
        match self.0.split_at_checked(length) {
            Some((content, rest)) => {
                self.0 = rest;
                Ok(content)
            }
            None => Err(self.truncated()),
        }
    }

    /// Like `bytes`, of a text string.
    #[inline]
    pub(super) fn text(&mut self, head: ItemHead) -> Result<&'a str, Failure> {
        str::from_utf8(self.bytes(head)?).map_err(|_| Failure::Malformed)
    }

    pub(super) fn owned_bytes(&mut self, head: ItemHead) -> Result<Vec<u8>, Failure> {
        let mut whole = Vec::new();
        self.segments(head, |segment| {
            whole.extend_from_slice(segment);
            Ok(())
        })?;
        Ok(whole)
    }

    #[inline]
    pub(super) fn owned_text(&mut self, head: ItemHead) -> Result<String, Failure> {
        if head.length().is_some() {
            return self.text(head).map(str::to_owned);
        }
        let mut whole = String::new();
        self.segments(head, |segment| {
            whole.push_str(str::from_utf8(segment).map_err(|_| Failure::Malformed)?);
            Ok(())
        })?;
        Ok(whole)
    }

    /// The magnitude of a bignum (RFC 8949, section 3.4.3), whose tag has been read.
    #[cold]
    pub(super) fn magnitude(&mut self) -> Result<u128, Failure> {
        let head = self.head()?;
        if head.major != BYTES {
            return Err(Failure::Unexpected);
        }
        let mut sum = 0u128;
        self.segments(head, |segment| {
            for &byte in segment {
                let shifted = sum.checked_mul(0x100).ok_or(Failure::Unexpected)?;
                sum = shifted | u128::from(byte);
            }
            Ok(())
        })?;
        Ok(sum)
    }

    /// Hands out the segments of a string, which are items of its own kind. ciborium lets them be
    /// in segments again.
    fn segments(
        &mut self,
        head: ItemHead,
        mut add: impl FnMut(&[u8]) -> Result<(), Failure>,
    ) -> Result<(), Failure> {
        if head.length().is_some() {
            return add(self.bytes(head)?);
        }
        let mut open = 1usize;
        while open > 0 {
            let segment = self.head()?;
            if segment.is_break() {
                open -= 1;
            } else if segment.major != head.major {
                return Err(Failure::Malformed);
            } else if segment.length().is_none() {
                open += 1;
            } else {
                add(self.bytes(segment)?)?;
            }
        }
        Ok(())
    }

    #[cold]
    fn truncated(&mut self) -> Failure {
        self.0 = &[];
        Failure::Truncated
    }
}
