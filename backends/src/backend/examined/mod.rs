//! The part of a store that a doctor asks: what is known of its servers, and the names of all keys.

mod pace;
mod server;

use std::sync::Arc;

use async_trait::async_trait;

use super::store::Store;
use crate::error::BackendResult;

pub(crate) use pace::Pace;
pub use server::{Rights, ServerReport};

/// A store that a doctor can examine.
///
/// Public, because [`Examined`](crate::doctor::Examined) is, and out of reach of other crates.
#[async_trait]
pub trait Examine: Store {
    /// Asks each server for what it tells of itself.
    async fn servers(&self, asked: &Asked<'_>, pace: &mut Pace)
    -> BackendResult<Vec<ServerReport>>;

    /// Shows the name of each key to `visit`, until some `most` keys were walked over. A key that
    /// is written or moved meanwhile may be left out, or come twice.
    async fn walk(
        &self,
        most: u64,
        pace: &mut Pace,
        visit: &mut Visit<'_>,
    ) -> BackendResult<Walked>;
}

/// Is shown the name of a key; `None` for a key that isn't UTF-8.
pub(crate) type Visit<'v> = dyn for<'k> FnMut(Option<&'k str>) + Send + 'v;

/// The things to ask servers for that depend on the program.
#[cfg_attr(not(feature = "redis-backend"), expect(dead_code))]
#[derive(Debug)]
pub struct Asked<'a> {
    /// The user whose rights are looked at; `None` for the one who asks.
    pub(crate) user: Option<&'a str>,
    /// A key of each keyspace, with the name of the keyspace.
    pub(crate) keys: &'a [(String, String)],
}

/// The extent of a walk.
#[derive(Debug, Clone, Copy)]
pub struct Walked {
    /// The number of keys that were walked over, those of other programs among them.
    pub(crate) keys: u64,
    /// True if these are all keys.
    pub(crate) is_whole: bool,
}

#[async_trait]
impl<S: Examine + ?Sized> Examine for Arc<S> {
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
        visit: &mut Visit<'_>,
    ) -> BackendResult<Walked> {
        (**self).walk(most, pace, visit).await
    }
}
