//! The description that a store gives of itself.

use std::fmt;

use super::instance::Instance;
use super::limits::Limits;
use super::sync::SyncStore;

/// The description that a store gives of itself; see [`Store::info`](super::Store::info).
///
/// A wrapper begins with the description of the store inside and changes what differs.
#[derive(Clone, Copy)]
#[non_exhaustive]
pub struct StoreInfo<'a> {
    /// The longest key and the largest value.
    pub limits: Limits,
    /// The identity of the store, equal for all clones that share it.
    pub instance: Instance,
    /// The part of a store in this process that answers without a future; `None` elsewhere.
    pub sync: Option<&'a dyn SyncStore>,
}

impl<'a> StoreInfo<'a> {
    /// Describes a store of the default limits, which is identified by the address of `store`.
    ///
    /// `store` is the value that all clones of a backend share.
    #[inline]
    pub fn of<T: ?Sized>(store: &'a T) -> Self {
        Self {
            limits: Limits::default(),
            instance: Instance::of(store),
            sync: None,
        }
    }

    /// Sets other limits.
    #[must_use]
    #[inline]
    pub fn with_limits(self, limits: Limits) -> Self {
        Self { limits, ..self }
    }

    /// Sets the part that answers without a future.
    #[must_use]
    #[inline]
    pub fn with_sync(self, sync: &'a dyn SyncStore) -> Self {
        Self {
            sync: Some(sync),
            ..self
        }
    }

    /// Has every call go through the methods of [`Store`](super::Store).
    ///
    /// For a wrapper that does something of its own in one of them: calls of the synchronous part
    /// of the store inside would pass the wrapper by.
    #[must_use]
    #[inline]
    pub fn without_sync(self) -> Self {
        Self { sync: None, ..self }
    }
}

/// Shows whether there is a synchronous part, which itself shows nothing.
impl fmt::Debug for StoreInfo<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StoreInfo")
            .field("limits", &self.limits)
            .field("instance", &self.instance)
            .field("sync", &self.sync.is_some())
            .finish()
    }
}
