//! The part of a store that a doctor asks: what is known of its servers, the names of all keys, and
//! single entries without loading large ones.

mod pace;
mod server;

use std::sync::Arc;

use async_trait::async_trait;

use super::life::Expiry;
use super::store::Store;
use super::stored::Stored;
use crate::error::BackendResult;

pub(crate) use pace::Pace;
pub use server::{Rights, ServerReport};

/// A backend that a doctor can examine: [`MemoryBackend`](crate::MemoryBackend),
/// [`RedisBackend`](crate::RedisBackend), and an [`Arc`] of one.
///
/// A doctor asks servers for more than the contract knows, so no other backend is one. Of a backend
/// with layers, examine the one inside.
#[async_trait]
pub trait Examined: Store {
    /// Asks each server for what it tells of itself.
    #[doc(hidden)]
    async fn servers(&self, asked: &Asked<'_>, pace: &mut Pace)
    -> BackendResult<Vec<ServerReport>>;

    /// Shows the name of each key to `visitor`, until some `most` keys were walked over, and says
    /// whether these are all. A key that is written meanwhile may be left out, and one may come
    /// twice.
    #[doc(hidden)]
    async fn walk(
        &self,
        most: u64,
        pace: &mut Pace,
        visitor: &mut dyn Visitor,
    ) -> BackendResult<bool>;

    /// Looks at one entry; a value of more than `most` bytes isn't loaded.
    ///
    /// # Errors
    ///
    /// `WrongType` for a key that holds something else than text.
    #[doc(hidden)]
    async fn look(&self, key: &str, most: usize, pace: &mut Pace) -> BackendResult<Look>;
}

/// The things to ask servers for that depend on the program.
#[cfg_attr(not(feature = "redis-backend"), expect(dead_code))]
#[derive(Debug)]
pub struct Asked<'a> {
    /// The user whose rights are looked at; `None` for the one who asks.
    pub(crate) user: Option<&'a str>,
    /// Keys, each with what it is a key of.
    pub(crate) keys: &'a [(String, String)],
}

/// Is shown the names of keys.
pub trait Visitor: Send {
    /// Forgets all: the walk begins, or begins again.
    fn begin(&mut self);

    /// Is shown a name; `None` for a key that isn't UTF-8.
    fn visit(&mut self, key: Option<&str>);
}

/// One entry.
#[derive(Debug)]
pub enum Look {
    /// There is none any more.
    Gone,
    /// A value that is larger than what was to be loaded.
    TooLarge(Expiry),
    /// A value.
    Value(Stored, Expiry),
}

#[async_trait]
impl<S: Examined + ?Sized> Examined for Arc<S> {
    async fn servers(
        &self,
        asked: &Asked<'_>,
        pace: &mut Pace,
    ) -> BackendResult<Vec<ServerReport>> {
        (**self).servers(asked, pace).await
    }

    async fn walk(
        &self,
        most: u64,
        pace: &mut Pace,
        visitor: &mut dyn Visitor,
    ) -> BackendResult<bool> {
        (**self).walk(most, pace, visitor).await
    }

    async fn look(&self, key: &str, most: usize, pace: &mut Pace) -> BackendResult<Look> {
        (**self).look(key, most, pace).await
    }
}
