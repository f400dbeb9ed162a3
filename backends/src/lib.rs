//! Sessions, caches and rate limits over one async key-value contract, in process or on Redis and
//! Valkey.
//!
//! Derive [`Keyspace`] on a struct and call what it generates. Where that doesn't fit, every
//! backend has the raw API of [`Backend`].
//!
//! ```
//! use reinhardt_backends::{Keyspace, MemoryBackend};
//! use serde::{Deserialize, Serialize};
//! use std::net::IpAddr;
//!
//! #[derive(Serialize, Deserialize, Keyspace)]
//! #[keyspace(prefix = "session", ttl = "30m")]
//! struct Session {
//!     #[keyspace(key)]
//!     id: String,
//!     user_id: u64,
//! }
//!
//! #[derive(Keyspace)]
//! #[keyspace(prefix = "rate", ttl = "60s", counter)]
//! struct RateCounter<'a> {
//!     route: &'a str,
//!     client: IpAddr,
//! }
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> reinhardt_backends::BackendResult<()> {
//! let backend = MemoryBackend::new();
//! Session { id: "abc".to_string(), user_id: 7 }.save(&backend).await?;
//! let session = Session::get(&backend, "abc").await?;
//! assert_eq!(session.map(|session| session.user_id), Some(7));
//!
//! let client = IpAddr::from([127, 0, 0, 1]);
//! let hits = RateCounter { route: "/login", client }.increment(&backend).await?;
//! assert_eq!(hits, 1);
//! # Ok(())
//! # }
//! ```
//!
//! # Where to look
//!
//! * [`Keyspace`](derive@Keyspace): the derive, its words and accessors, versions and migration;
//!   [`keyspace`]: the same operations for generic code, and
//!   [`KeySegment`](trait@keyspace::KeySegment) for parts of keys of your own.
//! * [`keyspaces()`], [`check_keyspaces()`] and [`assert_schema_lock!`] (feature `schema-lock`, for
//!   tests): all keyspaces of a program, listed, checked and held against a file.
//! * [`doctor()`]: what is wrong in a live store, by the program's own keyspaces.
//! * [`Backend`]: the contract, clause by clause.
//! * [`MemoryBackend`], the default, and `RedisBackend` (feature `redis-backend`): what each one
//!   guarantees.
//! * [`throttle`]: limits on how often something may happen, typed or not, and `ThrottleLayer` for
//!   tower services.
//! * [`cache`]: values computed once across processes, and old ones served while they are
//!   refreshed.
//! * [`session`]: sessions with unguessable ids, an idle life and an absolute end, and "log out
//!   everywhere".
//! * [`lease`]: a name that one owner at a time holds, with a fencing number.
//! * [`layer`]: backends around backends, to watch, delay or refuse calls, and how to write one.
//! * `inspector` (feature of that name): pages for operators, and a command, that show what a
//!   backend holds.
//! * [`BackendError`]: what can fail; [a page](guide::failures) has every error, and what to do
//!   about it.
//! * [`codec`]: the stored formats.
//! * `testing` (feature of that name): `testing::Flaky`, a backend for your own tests that fails,
//!   delays and loses calls where a test says so.
//! * `conformance` (feature of that name): the contract as a test suite, for authors of backends.
//! * [`guide`]: pages on [coming from](guide::coming_from) other crates, a whole
//!   [service](guide::service), [speed](guide::speed), [tests](guide::testing) with paused time, on
//!   a store that fails and on a real server, [starting](guide::starting) before the server is up,
//!   [health and shutdown](guide::health), [running it in production](guide::production),
//!   [metrics and traces](guide::observing), [looking into a store](guide::inspecting),
//!   [running on Redis](guide::redis), [when things break](guide::failures),
//!   [what was shown](guide::evidence) of what is promised, the
//!   [versions](guide::versions) of other crates that go with this one,
//!   [what this library isn't](guide::scope), and [its source](guide::architecture).
//!
//! # Features
//!
//! | feature | default | adds |
//! |---|---|---|
//! | `memory` | yes | [`MemoryBackend`] |
//! | `derive` | yes | `#[derive(Keyspace)]`, `#[derive(KeySegment)]`, the registry and [`doctor()`] |
//! | `schema-lock` | no | [`assert_schema_lock!`], for `[dev-dependencies]`: it brings code for every stored type |
//! | `json` | no | the codec `codec::Json` |
//! | `postcard` | no | the codec `codec::Postcard` |
//! | `uuid` | no | UUIDs as parts of keys |
//! | `redis-backend` | no | `RedisBackend` |
//! | `redis-commands` | no | `redis-backend`, and `RedisBackend::connection`: every other command, by the crate `redis`, which is re-exported |
//! | `tls` | no | `redis-backend`, and TLS to servers (`rediss://`), by rustls; building it takes a C compiler |
//! | `tower` | no | `ThrottleLayer` |
//! | `axum` | no | `IntoResponse` for [`BackendError`] and `session::SessionError`: a status, and no detail |
//! | `tower-sessions` | no | `session::TowerSessions`, any backend as a store of that crate |
//! | `metrics` | no | `layer::Observe::with_metrics`, for the crate `metrics` |
//! | `tracing` | no | `layer::Observe::with_tracing`, for the crate `tracing` |
//! | `inspector` | no | the module `inspector`: pages and a command that show what a backend holds, for axum |
//! | `testing` | no | the module `testing`, for `[dev-dependencies]` |
//! | `conformance` | no | the module `conformance` |

#![cfg_attr(docsrs, feature(doc_cfg))]
#![cfg_attr(not(any(test, feature = "conformance")), warn(clippy::unwrap_used))]

mod backend;
pub mod cache;
pub mod codec;
#[cfg(feature = "conformance")]
pub mod conformance;
#[cfg(feature = "derive")]
pub mod doctor;
mod error;
mod escape;
mod fingerprint;
#[cfg(any(test, fuzzing))]
#[doc(hidden)]
pub mod fuzzing;
#[cfg(all(doc, not(doctest)))]
pub mod guide;
#[cfg(feature = "inspector")]
pub mod inspector;
pub mod keyspace;
pub mod layer;
pub mod lease;
#[cfg(feature = "derive")]
mod numbers;
mod pending;
mod quota;
#[cfg(feature = "axum")]
mod response;
pub mod session;
mod sync;
#[cfg(feature = "derive")]
mod table;
#[cfg(feature = "testing")]
pub mod testing;
pub mod throttle;
mod time;

#[cfg(feature = "memory")]
pub use backend::memory::{
    Cause, Eviction, MemoryBackend, MemoryBackendBuilder, MemoryStats, Removal,
};
#[cfg(feature = "redis-commands")]
pub use backend::redis::RedisConnection;
#[cfg(feature = "tls")]
pub use backend::redis::Tls;
#[cfg(feature = "redis-backend")]
pub use backend::redis::{
    Credentials, NodeStatus, ReadFrom, RedisBackend, RedisBackendBuilder, RedisStatus,
};
pub use backend::{
    Backend, Call, Condition, Counted, Expiry, KeyStream, Life, Stored, Write, store,
};
#[cfg(feature = "derive")]
pub use doctor::doctor;
pub use error::{BackendError, BackendResult, ErrorKind};
pub use keyspace::Keyspace;
#[cfg(feature = "derive")]
pub use keyspace::{Keyspaces, check_keyspaces, keyspaces};
/// The crate whose commands a [`RedisConnection`] takes.
#[cfg(feature = "redis-commands")]
#[doc(no_inline)]
pub use redis;
#[cfg(feature = "derive")]
#[doc = include_str!("keyspace/derive.md")]
pub use reinhardt_backends_derive::Keyspace;

/// The models whose interleavings the package `tests/interleavings` looks at.
#[cfg(interleavings)]
pub mod interleavings {
    pub use crate::backend::memory::interleavings as memory;
    pub use crate::backend::redis::interleavings as queue;
    pub use crate::cache::interleavings as flight;
}

/// What generated code names; not part of the public API.
#[doc(hidden)]
pub mod __private {
    #[cfg(feature = "schema-lock")]
    pub use crate::keyspace::assert_schema_lock;
    pub use futures_core::Stream;
    pub use futures_util::stream::pending;
    #[cfg(feature = "derive")]
    pub use inventory::submit;
    pub use serde::Serialize;
    pub use serde::de::DeserializeOwned;
}
