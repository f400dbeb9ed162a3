//! The entries of one keyspace that were read.

use std::time::Duration;

use crate::backend::examined::{Examined, Look, Pace};
use crate::backend::{Expiry, Life};
use crate::error::{BackendResult, ErrorKind};
use crate::keyspace::owners::Sought;
use crate::keyspace::{Key, Kind};

/// The size of the largest values that are loaded, in bytes.
pub(super) const MOST_BYTES: usize = 1024 * 1024;

/// The entries of one keyspace that were read.
#[derive(Default)]
pub(super) struct Readings {
    /// The number of entries that were looked at, whatever they hold.
    pub(super) read: u64,
    /// The number of values that were loaded, and their bytes.
    pub(super) loaded: u64,
    pub(super) bytes: u64,
    pub(super) largest: u64,
    /// The number of values that were too large to be loaded.
    pub(super) too_large: u64,
    /// The remaining lives of those that end; in order once all are read.
    pub(super) ttls: Vec<Duration>,
    pub(super) without_ttl: u64,
    /// The number of entries that live for longer than a write without a TTL of its own lets them.
    pub(super) long_ttl: u64,
    pub(super) undecodable: u64,
    /// The number of keys that hold a list or another type of Redis.
    pub(super) wrong_type: u64,
    /// The number of entries that failed to be read.
    pub(super) failed: u64,
    /// True if the one who asks may not read the entries.
    pub(super) is_denied: bool,
}

impl Readings {
    /// Reads one entry.
    ///
    /// # Errors
    ///
    /// That of the store, if it says nothing about the entry.
    pub(super) async fn read<S: Examined + ?Sized>(
        &mut self,
        store: &S,
        sought: &Sought,
        key: &str,
        pace: &mut Pace,
    ) -> BackendResult<()> {
        match store.look(key, MOST_BYTES, pace).await {
            // It has ended meanwhile.
            Ok(Look::Gone) => {}
            Ok(Look::TooLarge(expiry)) => {
                self.read += 1;
                self.too_large += 1;
                self.note_expiry(sought, expiry);
            }
            Ok(Look::Value(stored, expiry)) => {
                self.read += 1;
                self.note_expiry(sought, expiry);
                self.note_value(sought, key, stored.as_bytes());
            }
            Err(error) => match error.kind() {
                ErrorKind::WrongType => {
                    self.read += 1;
                    self.wrong_type += 1;
                }
                ErrorKind::Denied => self.is_denied = true,
                _ => {
                    self.failed += 1;
                    return Err(error);
                }
            },
        }
        Ok(())
    }

    fn note_value(&mut self, sought: &Sought, key: &str, bytes: &[u8]) {
        let size = bytes.len() as u64;
        self.loaded += 1;
        self.bytes += size;
        self.largest = self.largest.max(size);
        if let Some(registration) = sought.registration
            && registration.check(&Key::of_parts([key]), bytes).is_err()
        {
            self.undecodable += 1;
        }
    }

    fn note_expiry(&mut self, sought: &Sought, expiry: Expiry) {
        let left = match expiry {
            Expiry::In(left) => left,
            Expiry::Never => {
                self.without_ttl += 1;
                return;
            }
        };
        self.ttls.push(left);
        // Another program's quotas give a throttle another life.
        if let Some(info) = sought.info()
            && let Life::In(ttl) = info.life
            && info.kind != Kind::Throttle
            && left > ttl.saturating_add(info.stale.unwrap_or_default())
        {
            self.long_ttl += 1;
        }
    }

    /// Returns the shortest, the middle and the longest remaining life.
    pub(super) fn three_ttls(&self) -> Option<[Duration; 3]> {
        let (first, last) = (self.ttls.first()?, self.ttls.last()?);
        Some([*first, self.ttls[self.ttls.len() / 2], *last])
    }
}
