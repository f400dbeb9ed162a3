//! The arguments of a store's methods that users have no use for.

use std::fmt;
use std::time::Duration;

use crate::backend::life::{Life, check_ttl};
use crate::error::BackendResult;

/// An entry for [`Store::put_many`](super::Store::put_many).
#[derive(Clone, Copy)]
pub struct NewEntry<'a> {
    /// The key.
    pub key: &'a str,
    /// The bytes.
    pub value: &'a [u8],
    /// The life that the entry gets.
    pub life: Life,
}

/// The effect of a read on the life of the entry that it finds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Touch {
    /// The life stays as it is.
    #[default]
    Keep,
    /// A life of this length begins, longer or shorter than the present one (`GETEX`).
    Restart(Duration),
    /// A life of this length begins if the entry would end sooner; a longer life stays.
    Extend(Duration),
}

impl Touch {
    /// Checks the duration inside, if there is one, as [`check_ttl`] does.
    ///
    /// # Errors
    ///
    /// `InvalidTtl`.
    #[inline]
    pub fn checked(self) -> BackendResult<Self> {
        match self {
            Self::Keep => Ok(self),
            Self::Restart(ttl) => check_ttl(ttl).map(Self::Restart),
            Self::Extend(ttl) => check_ttl(ttl).map(Self::Extend),
        }
    }
}

/// Hides the key and the bytes, which may be secrets.
impl fmt::Debug for NewEntry<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NewEntry")
            .field("life", &self.life)
            .finish_non_exhaustive()
    }
}
