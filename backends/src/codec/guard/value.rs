//! A value with its place under the limits of a format.

use serde::ser::{Error, Serialize};

use super::format::Format;
use super::keys::Keys;
use crate::codec::reader::TAG_ENUM;

/// A value, to be serialized under the limits of a format.
pub(in crate::codec) struct Guarded<'a, F: Format, T: ?Sized> {
    pub(super) value: &'a T,
    pub(super) context: Context<'a, F>,
    /// The keys of the map that the value is a key of.
    pub(super) keys: Option<&'a Keys>,
}

impl<'a, F: Format, T: Serialize + ?Sized> Guarded<'a, F, T> {
    pub(in crate::codec) fn new(value: &'a T, format: &'a F) -> Self {
        let context = Context {
            format,
            left: F::DEEPEST,
            place: F::Place::default(),
        };
        Self::within(value, context)
    }

    #[inline]
    pub(super) fn within(value: &'a T, context: Context<'a, F>) -> Self {
        let keys = None;
        Self {
            value,
            context,
            keys,
        }
    }
}

/// The writer's place in a value.
pub(super) struct Context<'a, F: Format> {
    pub(super) format: &'a F,
    /// The number of levels that there may be below.
    pub(super) left: usize,
    pub(super) place: F::Place,
}

impl<'a, F: Format> Context<'a, F> {
    /// Goes some levels down.
    #[inline]
    pub(super) fn below<E: Error>(self, levels: usize) -> Result<Self, E> {
        match self.left.checked_sub(levels) {
            Some(left) => Ok(Self { left, ..self }),
            None => Err(self.format.findings().refuse(TOO_DEEP)),
        }
    }

    #[inline]
    pub(super) fn variant(self, of: &'static str, index: u32) {
        self.format.variant(self.place, of, index);
        if of == TAG_ENUM {
            // serde's buffers know no tags.
            self.format.findings().suspect();
        }
    }
}

impl<F: Format> Clone for Context<'_, F> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<F: Format> Copy for Context<'_, F> {}

const TOO_DEEP: &str = "the value is nested too deep to be read back";
