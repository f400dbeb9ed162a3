//! The facts that a server tells of itself.

use serde::Serialize;

/// The facts that a server tells of itself, by the names of `INFO`; `None` where it doesn't tell.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct ServerReport {
    /// The address, as [`RedisStatus`](crate::RedisStatus) names it; `memory` for a store in this
    /// process.
    pub address: String,
    /// The name of the server, `redis` or `valkey`; `memory` for a store in this process.
    pub product: String,
    /// The version: on Valkey, the version of Valkey.
    pub version: Option<String>,
    /// The mode, such as `standalone` or `cluster`.
    pub mode: Option<String>,
    /// The number of keys in the database, other programs' among them.
    pub key_count: Option<u64>,
    /// The bytes that the server has in use.
    pub used_memory: Option<u64>,
    /// The bytes at which the server is full; zero is no limit.
    pub maxmemory: Option<u64>,
    /// The policy by which a full server evicts, such as `noeviction` or `allkeys-lru`.
    pub maxmemory_policy: Option<String>,
    /// The number of keys of all programs that were evicted since the server started.
    pub evicted_keys: Option<u64>,
    /// The rights of the user.
    pub rights: Rights,
}

/// The rights of a user, as a server tells them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "state", rename_all = "snake_case")]
#[non_exhaustive]
pub enum Rights {
    /// The user may do all that the library does.
    All,
    /// The user may not send these commands, or not use the keys of these keyspaces.
    Missing {
        /// The commands, in upper case.
        commands: Vec<String>,
        /// The keyspaces, as their keys begin: `session@2`.
        keyspaces: Vec<String>,
    },
    /// Nothing is known of the rights.
    Unchecked {
        /// The reason.
        reason: String,
    },
}
