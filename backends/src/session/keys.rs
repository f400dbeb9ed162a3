//! The keys that sessions are kept under: a prefix, and nothing that makes a cookie.

use crate::backend::Life;
use crate::error::{BackendError, BackendResult, ErrorKind};
use crate::keyspace::{KeyspaceInfo, Kind, Owner, is_prefix};

/// The longest prefix, in bytes: with the longest owner it fits a key of 1 KiB.
pub(super) const MAX_PREFIX: usize = 64;
/// The segments of a key.
pub(super) const KEY_FIELDS: &[&str] = &["owner", "id"];

/// Declares the keys of a store.
///
/// # Errors
///
/// `InvalidConfig` for a prefix that can't be one, and for one under which something else is
/// registered.
pub(super) fn keyspace(
    prefix: &'static str,
    key_fields: &'static [&'static str],
    owner: Owner,
) -> BackendResult<KeyspaceInfo> {
    if prefix.len() > MAX_PREFIX || !is_prefix(prefix) {
        return Err(BackendError::new(
            ErrorKind::InvalidConfig,
            format!(
                "the prefix of sessions isn't `[a-z][a-z0-9_.-]*` of at most {MAX_PREFIX} bytes"
            ),
        ));
    }
    owner.check(prefix)?;
    Ok(KeyspaceInfo::new(
        "Session",
        prefix,
        Kind::Value,
        key_fields,
        Life::Never,
    ))
}
