//! Telling one store from another.

use std::any::type_name;
use std::sync::atomic::{AtomicUsize, Ordering};

/// The identity of a store; see [`StoreInfo::instance`](super::StoreInfo::instance).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Instance {
    /// An address, or a number.
    number: usize,
    // A wrapper and the backend at its beginning share an address but not their keys.
    type_name: &'static str,
}

impl Instance {
    /// Returns an identity that no other store has or will have in this process.
    ///
    /// A store keeps it beside what its clones share. The library remembers things of stores, such
    /// as that one is away: with an identity of this kind no later store is taken for one that is
    /// gone.
    #[must_use]
    pub fn unique() -> Self {
        static NUMBERS: AtomicUsize = AtomicUsize::new(0);
        Self {
            number: NUMBERS.fetch_add(1, Ordering::Relaxed),
            type_name: "",
        }
    }

    /// Returns the identity of `store`, the value that all clones of a backend share.
    ///
    /// The identity is the address, so it means nothing once the store has moved or is gone: a
    /// later store may have the same.
    pub fn of<T: ?Sized>(store: &T) -> Self {
        Self {
            number: std::ptr::from_ref(store).cast::<()>().addr(),
            type_name: type_name::<T>(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_stores_differ_and_one_is_itself() {
        let stores = [1u8, 1u8];
        assert_eq!(Instance::of(&stores[0]), Instance::of(&stores[0]));
        assert_ne!(Instance::of(&stores[0]), Instance::of(&stores[1]));
    }

    #[test]
    fn a_wrapper_is_not_what_it_wraps() {
        struct Wrapper(u8);
        let wrapper = Wrapper(1);
        assert_ne!(Instance::of(&wrapper), Instance::of(&wrapper.0));
    }
}
