//! Names for secrets, from which nobody can make the secret.

use std::fmt;

use base64::display::Base64Display;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

/// The fingerprint of a secret, 144 bits of its SHA-256: as good a name as the secret, and
/// worthless to a person who reads it.
///
/// A secret is random and has 128 bits or more, so the hash needs neither a salt nor to be slow.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Fingerprint([u8; FINGERPRINT]);

/// A multiple of three, so that the text has no bits to spare.
const FINGERPRINT: usize = 18;

impl Fingerprint {
    pub(crate) fn of(secret: &[u8]) -> Self {
        let hash = hmac_sha256::Hash::hash(secret);
        let mut kept = [0; FINGERPRINT];
        kept.copy_from_slice(&hash[..FINGERPRINT]);
        Self(kept)
    }
}

/// In base64, in the alphabet that is safe in URLs.
impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Base64Display::new(&self.0, &URL_SAFE_NO_PAD).fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fingerprint_is_the_beginning_of_the_sha_256() {
        // The example of FIPS 180-2, `ba7816bf 8f01cfea 414140de 5dae2223 b003..`, in base64.
        let text = Fingerprint::of(b"abc").to_string();
        assert_eq!(text, "ungWv48Bz-pBQUDeXa4iI7AD");
    }
}
