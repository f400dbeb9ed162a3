//! x
#![allow(missing_docs)]
pub mod backend;
pub mod codec;
#[cfg(feature = "conformance")]
pub mod conformance;
mod error;
mod escape;
pub mod keyspace;
#[cfg(feature = "memory")]
pub use backend::memory::{MemoryBackend, MemoryBackendBuilder};
#[cfg(feature = "redis-backend")]
pub use backend::redis::{RedisBackend, RedisBackendBuilder};
pub use backend::{Backend, Condition, Counted, Expiry, KeyStream, Life, Stored, Write};
pub use error::{BackendError, BackendResult, ErrorKind};
pub use keyspace::Keyspace;
#[cfg(feature = "derive")]
pub use reinhardt_backends_derive::Keyspace;

/// What generated code names; not part of the public API.
#[doc(hidden)]
pub mod __private {
    pub use futures_core::Stream;
    pub use serde::Serialize;
    pub use serde::de::DeserializeOwned;
}
