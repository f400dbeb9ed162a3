//! Telling one store from another.

use std::any::type_name;

/// The identity of a store while it is borrowed; see
/// [`StoreInfo::instance`](super::StoreInfo::instance).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Instance {
    address: usize,
    // A wrapper and the backend at its beginning share an address but not their keys.
    type_name: &'static str,
}

impl Instance {
    /// Returns the identity of `store`, the value that all clones of a backend share.
    ///
    /// The identity is the address, so it means nothing once the store has moved or is gone.
    pub fn of<T: ?Sized>(store: &T) -> Self {
        Self {
            address: std::ptr::from_ref(store).cast::<()>().addr(),
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
