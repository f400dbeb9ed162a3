//! Tokens that nobody holds any more and that may still be in their store.
//!
//! The task that removes a token in the background runs on some caller's runtime, and stands still
//! where nobody drives that runtime. So the token is noted until it is gone: a caller that finds it
//! under the key that the caller wants removes it in passing.
//!
//! A note is by key and token alone, and needs no name of the store: a token is in one store only.

use std::fmt;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, LazyLock};
use std::time::{Duration, Instant};

use dashmap::DashMap;

/// A token and the key that it was put under.
pub(crate) struct Token {
    pub(crate) key: Arc<str>,
    pub(crate) bytes: Arc<[u8]>,
    /// The time that the token lasts, from when it was put or put again.
    pub(crate) ttl: Duration,
}

struct Note {
    token: Arc<[u8]>,
    /// The time after which the token has ended by itself; `None` is further than the clock counts.
    end: Option<Instant>,
}

/// The notes, by key.
static NOTES: LazyLock<DashMap<Arc<str>, Vec<Note>>> = LazyLock::new(DashMap::new);
/// The number of keys with notes at which the notes of ended tokens are thrown away.
static TIDY_AT: AtomicUsize = AtomicUsize::new(FEW);

/// Fewer keys than this aren't worth tidying.
const FEW: usize = 1024;

/// Notes that nobody holds the token any more.
pub(crate) fn note(token: Token) {
    let now = Instant::now();
    let note = Note {
        token: token.bytes,
        end: now.checked_add(token.ttl),
    };
    {
        let mut notes = NOTES.entry(token.key).or_default();
        notes.retain(|note| note.is_of_use(now));
        notes.push(note);
    }
    if NOTES.len() > TIDY_AT.load(Relaxed) {
        tidy(now);
    }
}

/// Says whether there is a note of a token that may be under the key yet.
pub(crate) fn is_noted(key: &str) -> bool {
    is_any_noted(key, |_| true)
}

/// Says whether there is a note of this token, which may be under the key yet.
pub(crate) fn is_token_noted(key: &str, token: &[u8]) -> bool {
    is_any_noted(key, |note| *note.token == *token)
}

/// A note that is of no use doesn't count: each look at the store for its sake is a round trip.
fn is_any_noted(key: &str, is_meant: impl Fn(&Note) -> bool) -> bool {
    let Some(notes) = NOTES.get(key) else {
        return false;
    };
    let now = Instant::now();
    (notes.iter()).any(|note| is_meant(note) && note.is_of_use(now))
}

/// Throws away the note of a token that is gone, and the notes of tokens that have ended.
pub(crate) fn forget(key: &str, token: &[u8]) {
    let Some(mut notes) = NOTES.get_mut(key) else {
        return;
    };
    let now = Instant::now();
    notes.retain(|note| *note.token != *token && note.is_of_use(now));
    drop(notes);
    NOTES.remove_if(key, |_, notes| notes.is_empty());
}

fn tidy(now: Instant) {
    NOTES.retain(|_, notes| {
        notes.retain(|note| note.is_of_use(now));
        !notes.is_empty()
    });
    TIDY_AT.store(FEW.max(NOTES.len() * 2), Relaxed);
}

impl Note {
    fn is_of_use(&self, now: Instant) -> bool {
        self.end.is_none_or(|end| now < end)
    }
}

/// Leaves out the token, with which others could release the claim that it stands for, and the key,
/// which is the user's.
impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Token")
            .field("ttl", &self.ttl)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn token(key: &str, bytes: &[u8], ttl: Duration) -> Token {
        Token {
            key: key.into(),
            bytes: bytes.into(),
            ttl,
        }
    }

    #[test]
    fn a_note_lasts_until_its_token_is_gone() {
        let hour = Duration::from_secs(3600);
        note(token("lasts", b"one", hour));
        note(token("lasts", b"other", Duration::MAX));
        forget("lasts", b"one");
        assert!(!is_token_noted("lasts", b"one"));
        assert!(is_token_noted("lasts", b"other"));
        forget("lasts", b"other");
        assert!(!is_noted("lasts"));
    }

    #[test]
    fn what_has_ended_by_itself_is_not_kept() {
        let moment = Duration::from_nanos(1);
        for number in 0..4 * FEW {
            note(token(&format!("ends:{number}"), b"token", moment));
            note(token("ends", &number.to_le_bytes(), moment));
        }
        let keys = NOTES.iter().filter(|notes| notes.key().starts_with("ends"));
        assert!(keys.count() <= FEW + 1);
        assert!(NOTES.get("ends").is_none_or(|notes| notes.len() <= 1));
    }

    #[test]
    fn a_note_counts_until_its_token_has_ended() {
        let moment = Duration::from_nanos(1);
        note(token("counts", b"ends", moment));
        std::thread::sleep(moment);
        assert!(!is_noted("counts"));
        assert!(!is_token_noted("counts", b"ends"));
        note(token("counts", b"lasts", Duration::MAX));
        assert!(is_noted("counts"));
        assert!(!is_token_noted("counts", b"ends"));
    }

    #[test]
    fn forgetting_a_token_forgets_what_has_ended_under_its_key() {
        let moment = Duration::from_nanos(1);
        note(token("forgets", b"ends", moment));
        std::thread::sleep(moment);
        forget("forgets", b"another");
        assert!(!NOTES.contains_key("forgets"));
    }

    #[test]
    fn debug_shows_neither_key_nor_token() {
        let shown = format!("{:?}", token("topsecret", b"topsecret", Duration::ZERO));
        assert!(shown.contains("Token") && !shown.contains("topsecret"));
    }
}
