//! A reader of CBOR in a slice that gives ciborium's answers, without its costs.
//!
//! The written format is ciborium's, so ciborium decides as what an item may be read: which visitor
//! method an item ends in, which tags are looked through, which values stay unread. Errors are
//! cheaper: they hold no text.

mod deserializer;
mod items;
mod tag;
#[cfg(test)]
mod tests;
mod variant;
mod wire;

pub(super) use tag::ENUM as TAG_ENUM;
pub(super) use wire::{BYTES, Failure, NEGATIVE, POSITIVE, Wire};

/// Reads items from the front of `wire`.
pub(super) struct Reader<'a> {
    pub(super) wire: Wire<'a>,
    levels: usize,
    /// True if the next item is the key of a map that needn't be a struct: there a number, which a
    /// struct would take for the position of a field, is a key of a flattened map.
    is_free_key: bool,
}

impl<'a> Reader<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self {
            wire: Wire(bytes),
            levels: DEEPEST,
            is_free_key: false,
        }
    }

    /// Returns the number of levels that are open.
    fn depth(&self) -> usize {
        DEEPEST - self.levels
    }

    /// The level is given back after an error too: a visitor may carry on.
    #[inline]
    fn nested<T>(
        &mut self,
        read: impl FnOnce(&mut Self) -> Result<T, Failure>,
    ) -> Result<T, Failure> {
        self.levels = self.levels.checked_sub(1).ok_or(Failure::TooDeep)?;
        self.is_free_key = false;
        let result = read(self);
        self.levels += 1;
        result
    }
}

/// The number of levels of arrays, maps, enums and tags that an item may have, as in ciborium.
pub(super) const DEEPEST: usize = 256;
