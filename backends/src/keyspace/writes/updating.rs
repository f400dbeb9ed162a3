//! Writes that depend on the entry that is there.

use std::slice;

use super::older::remove_all_older;
use super::replacing::{Older, find_older, looks_first, move_up};
use super::voiding::void;
use crate::backend::store::{Event, NewEntry, Touch, tell};
use crate::backend::{Backend, Condition, Life, Stored, Write, fast_path};
use crate::error::BackendResult;
use crate::keyspace::key::Key;
use crate::keyspace::versions::VersionedKeys;
use crate::keyspace::{Keyspace, going_on};
use crate::time::back_off::{MAX_TRIES, back_off, gave_up};

/// Stores bytes if there is a live entry, and says whether it did.
pub(super) async fn write_if_present<B: Backend + ?Sized>(
    backend: &B,
    versions: VersionedKeys<'_>,
    value: &[u8],
    life: Life,
) -> BackendResult<bool> {
    let entry = UpdatedEntry { backend, versions };
    let versions = &entry.versions;
    for lost in 0..MAX_TRIES {
        back_off(lost).await;
        let migrates = versions.older().next().is_some();
        if !migrates || !looks_first(backend) {
            let options = Write::new(life).when(Condition::Present);
            if fast_path::put(backend, versions.newest(), value, options).await? {
                remove_all_older(backend, &[versions]).await?;
                return Ok(true);
            }
        }
        if !migrates {
            return Ok(false);
        }
        let Some(found) = entry.find().await? else {
            return Ok(false);
        };
        if entry.swap(Some(&found), value, life).await? {
            return Ok(true);
        }
        tell(backend, versions.newest(), Event::Conflict);
    }
    tell(backend, versions.newest(), Event::GaveUp);
    Err(gave_up())
}

/// An entry that is read, and then written if it is as it was read.
pub(in crate::keyspace) struct UpdatedEntry<'b, B: ?Sized> {
    backend: &'b B,
    versions: VersionedKeys<'b>,
}

/// An entry as it was read.
pub(in crate::keyspace) struct FoundEntry {
    key: Key,
    /// The number of versions that the entry is behind the newest.
    pub(in crate::keyspace) back: usize,
    pub(in crate::keyspace) stored: Stored,
    /// The life to write so that the entry's life stays as it is.
    pub(in crate::keyspace) life: Life,
}

impl<'b, B: Backend + ?Sized> UpdatedEntry<'b, B> {
    /// Begins an update.
    pub(in crate::keyspace) async fn begin<K: Keyspace>(
        backend: &'b B,
        key: &'b Key,
    ) -> BackendResult<Self> {
        if let Some(refused) = going_on::refused::<K, B>(backend, slice::from_ref(key)) {
            return Err(refused.await);
        }
        if let Some(voided) = void::<K, B>(backend, slice::from_ref(key)) {
            voided.await?;
        }
        let versions = VersionedKeys::of::<K>(key);
        Ok(Self { backend, versions })
    }

    /// Finds the newest version of the entry.
    pub(in crate::keyspace) async fn find(&self) -> BackendResult<Option<FoundEntry>> {
        let backend = self.backend;
        for (back, key) in self.versions.search() {
            let found = if back == 0 {
                (fast_path::read_value(backend, key, Touch::Keep).await?)
                    .map(|stored| (stored, Life::Keep))
            } else {
                // The entry will be written under another key, which has no life to keep.
                (backend.read(key).await?).map(|(stored, expiry)| (stored, expiry.into()))
            };
            if let Some((stored, life)) = found {
                let key = key.clone();
                return Ok(Some(FoundEntry {
                    key,
                    back,
                    stored,
                    life,
                }));
            }
        }
        Ok(None)
    }

    /// Replaces the entry that was found, or writes where none was, and says whether nothing had
    /// changed since.
    pub(in crate::keyspace) async fn swap(
        &self,
        found: Option<&FoundEntry>,
        value: &[u8],
        life: Life,
    ) -> BackendResult<bool> {
        let Self { backend, versions } = self;
        let backend = *backend;
        let key = versions.newest();
        let to = NewEntry { key, value, life };
        let swapped = match found {
            None => {
                let absent = Write::new(life).when(Condition::Absent);
                fast_path::put(backend, key, value, absent).await?
            }
            Some(found) if found.back == 0 => {
                let bytes = found.stored.as_bytes();
                let older = match looks_first(backend) {
                    true => find_older(backend, versions).await?,
                    false => None,
                };
                match older {
                    Some(older) => move_up(backend, versions, &older, to, Some(bytes)).await?,
                    None => {
                        let same = Write::new(life).when(Condition::Equals(bytes));
                        fast_path::put(backend, key, value, same).await?
                    }
                }
            }
            Some(found) => {
                let older = Older {
                    key: &found.key,
                    back: found.back,
                    stored: found.stored.clone(),
                };
                move_up(backend, versions, &older, to, None).await?
            }
        };
        if !swapped {
            return Ok(false);
        }
        remove_all_older(backend, &[versions]).await?;
        Ok(true)
    }
}
