//! The items of an array or a map, up to the declared length or a break.

use serde::de::{DeserializeSeed, MapAccess, SeqAccess};

use super::Reader;
use super::wire::{Failure, ItemHead};
use crate::codec::room::room;

/// The elements of an array, or the keys and values of a map.
pub(super) struct Items<'r, 'a> {
    reader: &'r mut Reader<'a>,
    /// `None`: until a break.
    left: Option<u64>,
    has_free_keys: bool,
}

impl<'r, 'a> Items<'r, 'a> {
    #[inline]
    pub(super) fn new(reader: &'r mut Reader<'a>, head: ItemHead, has_free_keys: bool) -> Self {
        Self {
            reader,
            left: head.length(),
            has_free_keys,
        }
    }

    /// Says whether there is one more item. Asking for one in vain is an error here, or else a
    /// visitor that swallows the errors of its elements would count up to any length that was
    /// declared.
    #[inline]
    fn advance(&mut self) -> Result<bool, Failure> {
        match &mut self.left {
            Some(0) => Ok(false),
            Some(_) if self.reader.wire.0.is_empty() => Err(Failure::Truncated),
            Some(left) => {
                *left -= 1;
                Ok(true)
            }
            None => {
                let item = self.reader.wire;
                let more = !self.reader.wire.head()?.is_break();
                if more {
                    self.reader.wire = item;
                }
                Ok(more)
            }
        }
    }

    /// No item is shorter than a byte, so a declared length says nothing beyond those that are
    /// left.
    #[inline]
    fn at_most(&self) -> Option<usize> {
        let bytes = self.reader.wire.0.len();
        let left = usize::try_from(self.left?).unwrap_or(bytes).min(bytes);
        Some(room(left, bytes, self.reader.depth()))
    }
}

impl<'de> SeqAccess<'de> for Items<'_, '_> {
    type Error = Failure;

    #[inline]
    fn next_element_seed<S: DeserializeSeed<'de>>(
        &mut self,
        seed: S,
    ) -> Result<Option<S::Value>, Failure> {
        if !self.advance()? {
            return Ok(None);
        }
        seed.deserialize(&mut *self.reader).map(Some)
    }

    #[inline]
    fn size_hint(&self) -> Option<usize> {
        self.at_most()
    }
}

impl<'de> MapAccess<'de> for Items<'_, '_> {
    type Error = Failure;

    #[inline]
    fn next_key_seed<S: DeserializeSeed<'de>>(
        &mut self,
        seed: S,
    ) -> Result<Option<S::Value>, Failure> {
        self.reader.is_free_key = self.has_free_keys;
        let key = self.next_element_seed(seed);
        self.reader.is_free_key = false;
        key
    }

    #[inline]
    fn next_value_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<S::Value, Failure> {
        seed.deserialize(&mut *self.reader)
    }

    #[inline]
    fn size_hint(&self) -> Option<usize> {
        self.at_most()
    }
}
