//! The answers of calls that are neither a value nor a truth value.

use std::pin::Pin;

use futures_core::Stream;

use super::life::Expiry;
use crate::error::BackendResult;

/// The keys that [`Backend::scan`](crate::Backend::scan) yields, in no order; a key may come more
/// than once.
pub type KeyStream<'a> = Pin<Box<dyn Stream<Item = BackendResult<String>> + Send + 'a>>;

/// A counter after it was added to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Counted {
    /// The sum.
    pub value: i64,
    /// The time that is left of the counter's window.
    pub expiry: Expiry,
}
