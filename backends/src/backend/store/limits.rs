//! The limits that every backend puts on keys and values.

use super::options::NewEntry;
use crate::error::{BackendError, BackendResult, ErrorKind, Failures};

/// The largest length of a key and size of a value, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Limits {
    /// The longest key, namespace not counted; 1 KiB unless set.
    pub key: usize,
    /// The largest encoded value; 16 MiB unless set.
    pub value: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            key: 1024,
            value: 16 * 1024 * 1024,
        }
    }
}

impl Limits {
    /// Refuses an empty key and one over the limit.
    ///
    /// # Errors
    ///
    /// `InvalidKey`, which tells the length but not the key: a key may be a session's secret.
    #[inline]
    pub fn check_key(&self, key: &str) -> BackendResult<()> {
        if key.is_empty() {
            return Err(empty_key());
        }
        self.check_prefix(key)
    }

    /// Refuses all keys if one of them is empty or over the limit.
    ///
    /// # Errors
    ///
    /// `InvalidKey`.
    pub fn check_keys(&self, keys: &[&str]) -> BackendResult<()> {
        keys.iter().try_for_each(|key| self.check_key(key))
    }

    /// Refuses a prefix that no key within the limit can begin with.
    ///
    /// # Errors
    ///
    /// `InvalidKey`.
    #[inline]
    pub fn check_prefix(&self, prefix: &str) -> BackendResult<()> {
        if prefix.len() > self.key {
            return Err(over(ErrorKind::InvalidKey, prefix.len(), self.key));
        }
        Ok(())
    }

    /// Refuses a value over the limit.
    ///
    /// # Errors
    ///
    /// `TooLarge`.
    #[inline]
    pub fn check_value(&self, value: &[u8]) -> BackendResult<()> {
        if value.len() > self.value {
            return Err(over(ErrorKind::TooLarge, value.len(), self.value));
        }
        Ok(())
    }

    /// Refuses the entries of a `put_many` as a whole if one of them breaks a limit or has an
    /// impossible life.
    ///
    /// # Errors
    ///
    /// `InvalidTtl`, `InvalidKey` or `TooLarge`, with the positions of all the entries at fault.
    pub fn check_entries(&self, entries: &[NewEntry<'_>]) -> BackendResult<()> {
        let mut failures = Failures::default();
        for (index, entry) in entries.iter().enumerate() {
            if let Err(error) = self.check_entry(entry) {
                failures.add([index], error);
            }
        }
        failures.into_result()
    }

    fn check_entry(&self, entry: &NewEntry<'_>) -> BackendResult<()> {
        entry.life.checked()?;
        self.check_key(entry.key)?;
        self.check_value(entry.value)
    }
}

#[cold]
fn empty_key() -> BackendError {
    BackendError::new(ErrorKind::InvalidKey, "a key is empty, or the tag in it is")
}

#[cold]
fn over(kind: ErrorKind, length: usize, limit: usize) -> BackendError {
    BackendError::new(kind, format!("{length} bytes, the limit is {limit}"))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::backend::life::Life;

    #[test]
    fn the_limit_itself_is_allowed() {
        let limits = Limits::default();
        assert!(limits.check_key(&"k".repeat(1024)).is_ok());
        assert_eq!(
            limits.check_key(&"k".repeat(1025)).unwrap_err().kind(),
            ErrorKind::InvalidKey
        );
        assert_eq!(
            limits.check_key("").unwrap_err().kind(),
            ErrorKind::InvalidKey
        );
    }

    #[test]
    fn every_entry_over_a_limit_is_named() {
        let limits = Limits { key: 4, value: 2 };
        let entries: [(&str, &[u8], Life); 5] = [
            ("", b"1", Life::Never),
            ("a", b"1", Life::Never),
            ("b", b"123", Life::Never),
            ("c", b"12", Life::Never),
            ("d", b"1", Life::In(Duration::ZERO)),
        ];
        let entries = entries.map(|(key, value, life)| NewEntry { key, value, life });
        let error = limits.check_entries(&entries).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidKey);
        assert_eq!(error.failed_indices(), [0, 2, 4]);
    }
}
