//! x
#![allow(missing_docs)]
pub mod backend;
pub mod codec;
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
