//! The effect of a request, and so whether it may be sent twice.

use crate::backend::redis::read_from::ReadFrom;

/// The effect of a request on its keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Access {
    /// The request changes nothing, so it may be sent again if its reply was lost.
    Read(ReadFrom),
    /// The request may change something. Sent again, it might be executed twice.
    Write,
}

impl Access {
    /// A read that sees every write before it.
    pub(crate) const READ: Self = Self::Read(ReadFrom::Primary);
}
