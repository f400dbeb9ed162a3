//! The findings about a value while it is written: why it was refused, and whether it has to be
//! read back before it is stored.

use std::cell::Cell;

use serde::ser::Error;

/// The findings of one encoding.
#[derive(Debug, Default)]
pub(in crate::codec) struct Findings {
    /// The reason why the value was refused, if it was refused here.
    refusal: Cell<Option<&'static str>>,
    is_suspect: Cell<bool>,
    has_repeated: Cell<bool>,
    elements: Cell<usize>,
}

impl Findings {
    /// Returns why the value was refused; `None` if its own `Serialize` failed.
    pub(in crate::codec) fn refusal(&self) -> Option<&'static str> {
        self.refusal.get()
    }

    /// Says whether the value has a form that some types can't be read back from: 128-bit integers,
    /// fields that are left out, keys that aren't text where the format has no others, a first key
    /// that comes again.
    pub(in crate::codec) fn is_suspect(&self) -> bool {
        self.is_suspect.get()
    }

    /// Returns the number of elements that all sequences and maps had.
    #[cfg(feature = "postcard")]
    pub(in crate::codec) fn elements(&self) -> usize {
        self.elements.get()
    }

    #[cold]
    pub(super) fn refuse<E: Error>(&self, why: &'static str) -> E {
        self.refusal.set(Some(why));
        E::custom(why)
    }

    #[inline]
    pub(super) fn count_element(&self) {
        self.elements.set(self.elements.get().saturating_add(1));
    }

    pub(super) fn suspect(&self) {
        self.is_suspect.set(true);
    }

    pub(super) fn repeat(&self) {
        self.has_repeated.set(true);
        self.suspect();
    }

    /// Returns the reason to refuse a value whose type at the read isn't known: hardly a type reads
    /// fields of which two have one name.
    pub(in crate::codec) fn repeated(&self) -> Option<&'static str> {
        self.has_repeated.get().then_some(TWICE)
    }
}

const TWICE: &str = "a flattened field has the name of another one";
