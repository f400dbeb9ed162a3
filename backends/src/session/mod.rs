#![doc = include_str!("../../docs/sessions.md")]

mod builder;
#[cfg(feature = "derive")]
mod declared;
mod error;
mod id;
mod keys;
mod loaded;
mod store;
#[cfg(feature = "tower-sessions")]
mod tower_sessions;

pub use builder::SessionStoreBuilder;
pub use error::SessionError;
pub use id::{InvalidSessionId, SessionId};
pub use loaded::Session;
pub use store::SessionStore;
#[cfg(feature = "tower-sessions")]
pub use tower_sessions::TowerSessions;
