//! The id of a session: the text that its cookie holds, and the key that is made of it.

use std::error::Error;
use std::fmt;
use std::str::FromStr;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use percent_encoding::percent_decode_str;

use crate::error::{BackendError, BackendResult, ErrorKind};
use crate::fingerprint::Fingerprint;
use crate::keyspace::{Key, KeySegment, KeyspaceInfo};

/// The id of a session, as its cookie holds it: a secret of 144 random bits, the session's end and
/// its owner.
///
/// The text is base64 in the alphabet that is safe in URLs and cookies (`A-Z a-z 0-9 - _`), 32
/// characters and four for every three bytes of the owner. It is no cipher: **a holder of the
/// cookie can read the owner and the end**, so let an owner be an opaque user id and not an e-mail
/// address. Changing the owner or the end makes another id, under which there is no session.
///
/// The backend holds a hash of the secret and the end, from which no id can be made.
///
/// `Display` and [`as_str`](Self::as_str) give the text, which is a credential; `Debug` shows
/// nothing of it.
///
/// # Examples
///
/// ```
/// use reinhardt_backends::session::SessionId;
///
/// assert!("not-an-id".parse::<SessionId>().is_err());
/// ```
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct SessionId {
    text: Box<str>,
    owner: Box<str>,
    end: u64,
    fingerprint: Fingerprint,
}

/// So many fresh ids are tried; that even one is taken means that the random source is broken.
pub(super) const FRESH_IDS: u32 = 8;
/// The random bytes, 144 bits.
const SECRET: usize = 18;
/// The secret and the end, in bytes; a multiple of three, so that the owner's text begins where
/// theirs ends.
const HEAD: usize = SECRET + 6;
/// The same in characters.
const HEAD_TEXT: usize = HEAD / 3 * 4;
/// The longest owner, in bytes: escaped in full it fits a key of 1 KiB with the longest prefix.
const MAX_OWNER: usize = 256;
/// The longest text, in characters.
const MAX_TEXT: usize = (HEAD + MAX_OWNER).div_ceil(3) * 4;
/// The last end that an id has room for, in milliseconds since 1970: in the year 10889.
const MAX_END: u64 = (1 << 48) - 1;

impl SessionId {
    /// Makes an id that nobody has seen.
    ///
    /// # Errors
    ///
    /// `Other` if the system gives no random bytes.
    pub(super) fn fresh(owner: &str, end: u64) -> BackendResult<Self> {
        let mut bytes = Vec::with_capacity(HEAD + owner.len());
        bytes.resize(SECRET, 0);
        getrandom::fill(&mut bytes).map_err(no_randomness)?;
        let end = end.min(MAX_END);
        bytes.extend(&end.to_be_bytes()[2..]);
        let fingerprint = Fingerprint::of(&bytes);
        bytes.extend(owner.as_bytes());
        Ok(Self {
            text: URL_SAFE_NO_PAD.encode(bytes).into(),
            owner: owner.into(),
            end,
            fingerprint,
        })
    }

    /// Reads the text that a client sent; `None` if the text is no id, to the letter. So two texts
    /// never name one session.
    pub(super) fn parse(text: &str) -> Option<Self> {
        if text.len() < HEAD_TEXT || text.len() > MAX_TEXT {
            return None;
        }
        let mut bytes = [0; MAX_TEXT / 4 * 3];
        let length = URL_SAFE_NO_PAD.decode_slice(text, &mut bytes).ok()?;
        let (head, owner) = bytes[..length].split_at_checked(HEAD)?;
        if owner.len() > MAX_OWNER {
            return None;
        }
        let end = head[SECRET..].iter();
        Some(Self {
            text: text.into(),
            owner: str::from_utf8(owner).ok()?.into(),
            end: end.fold(0, |end, byte| end << 8 | u64::from(*byte)),
            fingerprint: Fingerprint::of(head),
        })
    }

    /// Returns the text, for the cookie.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Returns the owner; `None` for a session before login.
    pub fn owner(&self) -> Option<&str> {
        Some(&*self.owner).filter(|owner| !owner.is_empty())
    }

    /// Returns the text of the owner, empty for a session before login.
    pub(super) fn owner_text(&self) -> &str {
        &self.owner
    }

    /// Returns the end, in milliseconds since 1970.
    pub(super) fn end(&self) -> u64 {
        self.end
    }

    /// Returns `prefix:owner:fingerprint`.
    pub(super) fn key(&self, keyspace: &KeyspaceInfo) -> Key {
        Key::build(keyspace, |key| {
            let key = key.field(&*self.owner);
            let _ = key.write(|segment| segment.display(self.fingerprint));
        })
    }
}

/// Returns the text of an owner.
///
/// # Errors
///
/// `InvalidKey` if it is empty, which is no owner at all, or too long.
pub(super) fn owner_text<O: KeySegment + ?Sized>(
    keyspace: &KeyspaceInfo,
    owner: &O,
) -> BackendResult<String> {
    let nobody = Key::build(keyspace, |_| ());
    let escaped = Key::build(keyspace, |key| {
        let _ = key.field(owner);
    });
    let text = percent_decode_str(&escaped[nobody.len()..]);
    let text = text.decode_utf8_lossy().into_owned();
    match text.len() {
        0 => Err(BackendError::new(
            ErrorKind::InvalidKey,
            "the owner of a session is empty",
        )),
        1..=MAX_OWNER => Ok(text),
        length => Err(BackendError::new(
            ErrorKind::InvalidKey,
            format!("the owner of a session has {length} bytes, the limit is {MAX_OWNER}"),
        )),
    }
}

/// Returns the text that the keys of all sessions of an owner, and of nobody else, begin with.
pub(super) fn owner_prefix(keyspace: &KeyspaceInfo, owner: &str) -> String {
    let key = Key::build(keyspace, |key| {
        let _ = key.field(owner);
    });
    // With the separator, or `1` would be the beginning of `12`.
    format!("{key}:")
}

#[cold]
pub(super) fn all_taken() -> BackendError {
    BackendError::new(
        ErrorKind::Other,
        format!("{FRESH_IDS} fresh ids of sessions were taken: the random source is broken"),
    )
}

#[cold]
fn no_randomness(error: getrandom::Error) -> BackendError {
    BackendError::new(ErrorKind::Other, "the system gave no random bytes").with_source(error)
}

impl FromStr for SessionId {
    type Err = InvalidSessionId;

    fn from_str(text: &str) -> Result<Self, InvalidSessionId> {
        Self::parse(text).ok_or(InvalidSessionId(()))
    }
}

/// The text is a credential.
impl fmt::Display for SessionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// Shows nothing: the text is a credential, and the owner may be anything.
impl fmt::Debug for SessionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SessionId(..)")
    }
}

impl AsRef<str> for SessionId {
    fn as_ref(&self) -> &str {
        &self.text
    }
}

/// Says that a text is not the id of a session; it holds nothing of the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct InvalidSessionId(());

impl fmt::Display for InvalidSessionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("not the id of a session")
    }
}

impl Error for InvalidSessionId {}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backend::Life;
    use crate::keyspace::Kind;

    const SESSIONS: KeyspaceInfo = KeyspaceInfo::new(
        "Session",
        "sessions",
        Kind::Value,
        &["owner", "id"],
        Life::Never,
    );

    #[test]
    fn an_id_is_read_back_with_owner_and_end() {
        let longest = "x".repeat(MAX_OWNER);
        for owner in ["", "7", "a:b", "é*{}", &longest] {
            for end in [0, 1, 1_700_000_000_000, MAX_END, u64::MAX] {
                let id = SessionId::fresh(owner, end).unwrap();
                let read: SessionId = id.to_string().parse().unwrap();
                assert_eq!(read, id);
                assert_eq!(read.owner().unwrap_or_default(), owner);
                assert_eq!(read.end(), end.min(MAX_END));
            }
        }
    }

    #[test]
    fn the_text_is_safe_in_urls_and_cookies() {
        let id = SessionId::fresh("é;,\" \\%", 7).unwrap();
        let safe = |byte: u8| byte.is_ascii_alphanumeric() || b"-_".contains(&byte);
        assert!(id.as_str().bytes().all(safe), "{}", id.as_str());
    }

    #[test]
    fn text_that_no_id_has_is_not_read() {
        let id = SessionId::fresh("seven", 7).unwrap();
        let text = id.as_str();
        let too_long = "A".repeat(MAX_TEXT + 1);
        let owner_too_long = URL_SAFE_NO_PAD.encode([b'x'; HEAD + MAX_OWNER + 1]);
        let no_text = URL_SAFE_NO_PAD.encode([0xff; HEAD + 1]);
        let bad = [
            "",
            "=",
            &text[..HEAD_TEXT - 1],
            &format!("{text}="),
            &format!(" {text}"),
            &format!("{text}\n"),
            &text.replace(&text[..1], "+"),
            &text.replace(&text[..1], "é"),
            // Bits that belong to no byte.
            &format!("{}B", &text[..text.len() - 1]),
            &too_long,
            &owner_too_long,
            &no_text,
        ];
        for text in bad {
            assert_eq!(text.parse::<SessionId>(), Err(InvalidSessionId(())));
        }
    }

    #[test]
    fn the_key_leads_with_the_owner_and_holds_it_escaped() {
        let id = SessionId::fresh("1:*", 7).unwrap();
        let key = id.key(&SESSIONS);
        assert!(key.starts_with("sessions:1%3A%2A:"), "{key}");
        assert_eq!(key.split(':').count(), 3);
        assert!(!key.contains(&id.as_str()[..8]), "{key}");
        assert_eq!(owner_prefix(&SESSIONS, "1"), "sessions:1:");
    }

    #[test]
    fn ids_of_another_secret_or_end_have_other_keys() {
        let id = SessionId::fresh("ann", 7).unwrap();
        let key = id.key(&SESSIONS);
        assert_eq!(SessionId::parse(id.as_str()).unwrap().key(&SESSIONS), key);
        for at in 0..HEAD {
            let mut bytes = URL_SAFE_NO_PAD.decode(id.as_str()).unwrap();
            bytes[at] ^= 1;
            let other = SessionId::parse(&URL_SAFE_NO_PAD.encode(bytes)).unwrap();
            assert_ne!(other.key(&SESSIONS), key, "byte {at}");
        }
    }

    #[test]
    fn an_owner_is_whatever_can_be_a_part_of_a_key() {
        assert_eq!(owner_text(&SESSIONS, &7u64).unwrap(), "7");
        assert_eq!(owner_text(&SESSIONS, "a%3Ab:é").unwrap(), "a%3Ab:é");
        for bad in ["", &"x".repeat(MAX_OWNER + 1)] {
            let error = owner_text(&SESSIONS, bad).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::InvalidKey);
        }
    }

    #[test]
    fn debug_shows_nothing() {
        let id = SessionId::fresh("ann", 7).unwrap();
        assert_eq!(format!("{id:?}"), "SessionId(..)");
    }
}
