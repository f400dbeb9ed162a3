//! The keys of a map that is being written, of which some may not come twice.

use std::cell::{Cell, RefCell};
use std::collections::HashSet;

use super::findings::Findings;

/// The keys that a map has had.
pub(super) enum Keys {
    /// The first key: a tagged enum puts its tag there, and a map in it may have that key too.
    First(Cell<Option<FirstBytes>>),
    /// All keys of flattened fields, of which none is read that comes twice.
    All(RefCell<HashSet<Box<str>>>),
}

/// The length of a text and its first bytes.
type FirstBytes = (usize, [u8; 16]);

impl Keys {
    pub(super) fn of(length: Option<usize>) -> Self {
        match length {
            Some(_) => Self::First(Cell::default()),
            None => Self::All(RefCell::default()),
        }
    }

    /// Adds a key, and notes one that was there before, or that looks like the first one.
    pub(super) fn add(&self, text: &str, findings: &Findings) {
        match self {
            Self::First(first) => {
                let prefix = Some(prefix(text));
                let before = first.get();
                first.set(before.or(prefix));
                if before == prefix {
                    findings.suspect();
                }
            }
            Self::All(keys) => {
                if !keys.borrow_mut().insert(text.into()) {
                    findings.repeat();
                }
            }
        }
    }
}

fn prefix(text: &str) -> FirstBytes {
    let mut start = [0; 16];
    let shown = text.len().min(start.len());
    start[..shown].copy_from_slice(&text.as_bytes()[..shown]);
    (text.len(), start)
}
