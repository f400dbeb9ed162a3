//! The look at a store: over the names of all keys, and into a sample of the entries of each
//! keyspace.

use std::collections::BTreeMap;
use std::time::Duration;

use fastrand::Rng;

use super::owners::{Owner, Owners, Sought};
use crate::backend::examined::{Examine, Pace, Walked};
use crate::backend::store::Store;
use crate::backend::{Expiry, Life};
use crate::error::{BackendResult, ErrorKind};
use crate::keyspace::{Key, Kind};

/// All that was found in a store.
#[derive(Debug)]
pub(super) struct Survey {
    pub(super) walked: Walked,
    /// One for each keyspace, in the order of [`Owners::keyspaces`].
    pub(super) tallies: Vec<Tally>,
    pub(super) leases: u64,
    /// The number of keys that no keyspace of the program has.
    pub(super) undeclared: u64,
    /// The number of keys of each version of a declared keyspace that isn't declared itself.
    pub(super) other_versions: BTreeMap<String, u64>,
}

/// The entries of one keyspace.
#[derive(Debug, Default)]
pub(super) struct Tally {
    /// The number of keys.
    pub(super) keys: u64,
    /// The number of keys that begin as keys of the keyspace do, and aren't any.
    pub(super) malformed: u64,
    /// Keys of entries, each as likely as any other.
    sample: Vec<String>,
    pub(super) readings: Readings,
}

/// The entries of one keyspace that were read.
#[derive(Debug, Default)]
pub(super) struct Readings {
    pub(super) read: u64,
    pub(super) bytes: u64,
    pub(super) largest: u64,
    /// The remaining lives, in order.
    pub(super) lives: Vec<Duration>,
    pub(super) endless: u64,
    /// The number of entries that live for longer than a write without a TTL of its own lets them.
    pub(super) too_long: u64,
    pub(super) undecodable: u64,
    /// The number of keys that hold a list or another type of Redis.
    pub(super) foreign: u64,
    /// True if the user may not read the entries.
    pub(super) is_denied: bool,
}

impl Survey {
    /// Walks over some `most_keys` names, and reads up to `entries` entries of each keyspace.
    pub(super) async fn take<S: Examine + ?Sized>(
        store: &S,
        owners: &Owners,
        most_keys: u64,
        entries: usize,
        pace: &mut Pace,
    ) -> BackendResult<Self> {
        let mut survey = Self {
            walked: Walked {
                keys: 0,
                is_whole: true,
            },
            tallies: owners.keyspaces.iter().map(|_| Tally::default()).collect(),
            leases: 0,
            undeclared: 0,
            other_versions: BTreeMap::new(),
        };
        let mut rng = Rng::new();
        let mut visit = |key: Option<&str>| survey.note(owners, key, entries, &mut rng);
        let walked = store.walk(most_keys, pace, &mut visit).await?;
        survey.walked = walked;
        for (sought, tally) in owners.keyspaces.iter().zip(&mut survey.tallies) {
            tally.read_sample(store, sought, pace).await?;
        }
        Ok(survey)
    }

    fn note(&mut self, owners: &Owners, key: Option<&str>, entries: usize, rng: &mut Rng) {
        let Some(key) = key else {
            self.undeclared += 1;
            return;
        };
        match owners.owner(key) {
            Owner::Keyspace(at) => {
                self.tallies[at].note(&owners.keyspaces[at], key, entries, rng);
            }
            Owner::Lease => self.leases += 1,
            Owner::OtherVersion(head) => match self.other_versions.get_mut(head) {
                Some(count) => *count += 1,
                None => {
                    self.other_versions.insert(head.to_string(), 1);
                }
            },
            Owner::Nobody => self.undeclared += 1,
        }
    }
}

impl Tally {
    /// Counts a key, and keeps it by reservoir sampling (Vitter, "Random sampling with a
    /// reservoir", 1985, algorithm R).
    fn note(&mut self, sought: &Sought, key: &str, entries: usize, rng: &mut Rng) {
        let registration = sought.registration;
        if registration.is_some_and(|registration| !registration.is_key(key)) {
            self.malformed += 1;
            return;
        }
        self.keys += 1;
        if self.sample.len() < entries {
            self.sample.push(key.to_string());
            return;
        }
        let place = rng.u64(..self.keys);
        if let Some(kept) = usize::try_from(place)
            .ok()
            .and_then(|place| self.sample.get_mut(place))
        {
            *kept = key.to_string();
        }
    }

    async fn read_sample<S: Store + ?Sized>(
        &mut self,
        store: &S,
        sought: &Sought,
        pace: &mut Pace,
    ) -> BackendResult<()> {
        for key in std::mem::take(&mut self.sample) {
            pace.turn().await;
            let readings = &mut self.readings;
            match store.read(&key).await {
                Ok(Some((stored, expiry))) => {
                    readings.note(sought, &key, stored.as_bytes(), expiry);
                }
                // It has ended meanwhile.
                Ok(None) => {}
                Err(error) if error.kind() == ErrorKind::WrongType => {
                    readings.read += 1;
                    readings.foreign += 1;
                }
                Err(error) if error.kind() == ErrorKind::Denied => {
                    readings.is_denied = true;
                    return Ok(());
                }
                Err(error) => return Err(error),
            }
        }
        self.readings.lives.sort_unstable();
        Ok(())
    }
}

impl Readings {
    fn note(&mut self, sought: &Sought, key: &str, bytes: &[u8], expiry: Expiry) {
        self.read += 1;
        self.bytes += bytes.len() as u64;
        self.largest = self.largest.max(bytes.len() as u64);
        match expiry {
            Expiry::In(left) => self.lives.push(left),
            Expiry::Never => self.endless += 1,
        }
        let Some(registration) = sought.registration else {
            return;
        };
        let info = registration.info();
        // Another program's quotas give a throttle another life.
        if let (Life::In(ttl), Expiry::In(left)) = (info.life, expiry)
            && info.kind != Kind::Throttle
            && left > ttl.saturating_add(info.stale.unwrap_or_default())
        {
            self.too_long += 1;
        }
        if registration.check(&Key::of_parts([key]), bytes).is_err() {
            self.undecodable += 1;
        }
    }

    /// Returns the shortest, the middle and the longest remaining life.
    pub(super) fn three_lives(&self) -> Option<[Duration; 3]> {
        let (first, last) = (self.lives.first()?, self.lives.last()?);
        Some([*first, self.lives[self.lives.len() / 2], *last])
    }
}
