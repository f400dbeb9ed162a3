//! The keys that sessions are kept under: a prefix, and nothing that makes a cookie.

use base64::display::Base64Display;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest as _, Sha256};

use crate::backend::Life;
use crate::error::{BackendError, BackendResult, ErrorKind};
use crate::keyspace::{KeyspaceInfo, Kind, SegmentWriter, is_prefix};

/// The longest prefix, in bytes: with the longest owner it fits a key of 1 KiB.
const MAX_PREFIX: usize = 64;

/// Declares the keys of a store.
///
/// # Errors
///
/// `InvalidConfig` for a prefix that can't be one.
pub(super) fn keyspace(
    prefix: &'static str,
    key_fields: &'static [&'static str],
) -> BackendResult<KeyspaceInfo> {
    if prefix.len() > MAX_PREFIX || !is_prefix(prefix) {
        return Err(BackendError::new(
            ErrorKind::InvalidConfig,
            format!(
                "the prefix of sessions isn't `[a-z][a-z0-9_.-]*` of at most {MAX_PREFIX} bytes"
            ),
        ));
    }
    Ok(KeyspaceInfo::new(
        "Session",
        prefix,
        Kind::Value,
        key_fields,
        Life::Never,
    ))
}

/// The fingerprint of a secret, 144 bits of its SHA-256: as good a name as the secret, and worthless to who reads it.
///
/// A secret is random and has 128 bits or more, so the hash needs neither a salt nor to be slow.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Fingerprint([u8; FINGERPRINT]);

/// A multiple of three, so that the text has no bits to spare.
const FINGERPRINT: usize = 18;

impl Fingerprint {
    pub(super) fn of(secret: &[u8]) -> Self {
        let hash: [u8; 32] = Sha256::digest(secret).into();
        let mut kept = [0; FINGERPRINT];
        kept.copy_from_slice(&hash[..FINGERPRINT]);
        Self(kept)
    }

    /// Writes it in base64.
    pub(super) fn write(&self, segment: &mut SegmentWriter<'_>) {
        segment.display(Base64Display::new(&self.0, &URL_SAFE_NO_PAD));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keyspace::Key;

    #[test]
    fn a_fingerprint_is_the_beginning_of_the_sha_256() {
        let keyspace = keyspace("p", &["id"]).unwrap();
        let key = Key::build(&keyspace, |key| {
            let _ = key.write(|segment| Fingerprint::of(b"abc").write(segment));
        });
        // The example of FIPS 180-2, `ba7816bf 8f01cfea 414140de 5dae2223 b003..`, in base64.
        assert_eq!(&*key, "p:ungWv48Bz-pBQUDeXa4iI7AD");
    }
}
