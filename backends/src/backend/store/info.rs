//! The description that a store gives of itself.

use super::instance::Instance;
use super::limits::Limits;

/// The description that a store gives of itself; see [`Store::info`](super::Store::info).
///
/// A wrapper that changes no key hands on the description of the store inside.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct StoreInfo {
    /// The longest key and the largest value.
    pub limits: Limits,
    /// The identity of the store, equal for all clones that share it.
    pub instance: Instance,
}

impl StoreInfo {
    /// Describes a store of the default limits, which is identified by the address of `store`.
    ///
    /// `store` is the value that all clones of a backend share.
    #[inline]
    pub fn of<T: ?Sized>(store: &T) -> Self {
        Self {
            limits: Limits::default(),
            instance: Instance::of(store),
        }
    }

    /// Sets other limits.
    #[must_use]
    #[inline]
    pub fn with_limits(self, limits: Limits) -> Self {
        Self { limits, ..self }
    }

    /// Sets another identity: one that the store keeps ([`Instance::unique`]), or that of a wrapper
    /// that changes keys, which isn't the store inside.
    #[must_use]
    #[inline]
    pub fn with_instance(self, instance: Instance) -> Self {
        Self { instance, ..self }
    }
}
