//! The look at a store: over the names of all keys, and into a sample of the entries of each
//! keyspace.

use std::collections::BTreeMap;

use fastrand::Rng;

use super::readings::Readings;
use crate::backend::examined::{Examined, Pace, Visitor};
use crate::error::{BackendError, BackendResult};
use crate::keyspace::owners::{Owner, Owners, Sought};

/// The most versions of one prefix that are told apart.
const MOST_VERSIONS: usize = 8;
/// A store that fails so often, one time after the other, is asked no more.
const MOST_FAILURES: u32 = 3;

/// All that was found in a store.
pub(super) struct Survey {
    /// True if all keys were walked over for certain.
    pub(super) is_whole: bool,
    /// One for each keyspace, in the order of [`Owners::keyspaces`].
    pub(super) tallies: Vec<Tally>,
    pub(super) leases: u64,
    /// The number of keys that no keyspace of the program has.
    pub(super) undeclared: u64,
    /// The number of keys of each version of a declared prefix that isn't declared itself.
    pub(super) other_versions: BTreeMap<String, BTreeMap<u32, u64>>,
    /// The reason why the store was asked no more.
    pub(super) gave_up: Option<BackendError>,
}

/// The entries of one keyspace.
#[derive(Default)]
pub(super) struct Tally {
    /// The number of keys.
    pub(super) keys: u64,
    /// The number of keys that begin as keys of the keyspace do, and aren't any.
    pub(super) malformed: u64,
    /// Keys of entries, each as likely as any other.
    sample: Vec<String>,
    pub(super) readings: Readings,
}

impl Survey {
    /// Walks over some `most_keys` names, and reads up to `sample_size` entries of each keyspace.
    pub(super) async fn take<S: Examined + ?Sized>(
        store: &S,
        owners: &Owners,
        most_keys: u64,
        sample_size: usize,
        pace: &mut Pace,
    ) -> BackendResult<Self> {
        let mut counting = Counting {
            owners,
            sample_size,
            rng: Rng::new(),
            survey: Self::empty(owners),
        };
        let is_whole = store.walk(most_keys, pace, &mut counting).await?;
        let mut survey = counting.survey;
        survey.is_whole = is_whole;
        survey.read_samples(store, owners, pace).await;
        Ok(survey)
    }

    pub(super) fn empty(owners: &Owners) -> Self {
        Self {
            is_whole: false,
            tallies: owners.keyspaces.iter().map(|_| Tally::default()).collect(),
            leases: 0,
            undeclared: 0,
            other_versions: BTreeMap::new(),
            gave_up: None,
        }
    }

    async fn read_samples<S: Examined + ?Sized>(
        &mut self,
        store: &S,
        owners: &Owners,
        pace: &mut Pace,
    ) {
        let mut failures = 0;
        for (sought, tally) in owners.keyspaces.iter().zip(&mut self.tallies) {
            for key in std::mem::take(&mut tally.sample) {
                match tally.readings.read(store, sought, &key, pace).await {
                    Ok(()) => failures = 0,
                    Err(_) if failures + 1 < MOST_FAILURES => failures += 1,
                    Err(error) => {
                        self.gave_up = Some(error);
                        return;
                    }
                }
                if tally.readings.is_denied {
                    break;
                }
            }
            tally.readings.ttls.sort_unstable();
        }
    }
}

/// Counts the keys of a walk.
struct Counting<'o> {
    owners: &'o Owners,
    sample_size: usize,
    rng: Rng,
    survey: Survey,
}

impl Visitor for Counting<'_> {
    fn begin(&mut self) {
        self.survey = Survey::empty(self.owners);
    }

    fn visit(&mut self, key: Option<&str>) {
        let survey = &mut self.survey;
        let owner = key.map_or(Owner::Nobody, |key| self.owners.owner(key));
        match (owner, key) {
            (Owner::Keyspace(at), Some(key)) => {
                let sought = &self.owners.keyspaces[at];
                survey.tallies[at].note(sought, key, self.sample_size, &mut self.rng);
            }
            (Owner::Lease, _) => survey.leases += 1,
            (Owner::OtherVersion(prefix, version), _) => survey.note_version(prefix, version),
            (Owner::Keyspace(_) | Owner::Nobody, _) => survey.undeclared += 1,
        }
    }
}

impl Survey {
    fn note_version(&mut self, prefix: &str, version: u32) {
        if !self.other_versions.contains_key(prefix) {
            self.other_versions
                .insert(prefix.to_string(), BTreeMap::new());
        }
        let Some(versions) = self.other_versions.get_mut(prefix) else {
            return;
        };
        let is_new = !versions.contains_key(&version);
        match is_new && versions.len() == MOST_VERSIONS {
            true => self.undeclared += 1,
            false => *versions.entry(version).or_default() += 1,
        }
    }
}

impl Tally {
    /// Says whether what was read are all entries, if all keys were walked over (`is_whole`).
    pub(super) fn is_read_whole(&self, is_whole: bool) -> bool {
        is_whole && self.readings.read >= self.keys
    }

    /// Counts a key, and keeps it by reservoir sampling (Vitter, "Random sampling with a
    /// reservoir", 1985, algorithm R).
    fn note(&mut self, sought: &Sought, key: &str, sample_size: usize, rng: &mut Rng) {
        let registration = sought.registration;
        if registration.is_some_and(|registration| !registration.is_key(key)) {
            self.malformed += 1;
            return;
        }
        self.keys += 1;
        if self.sample.len() < sample_size {
            self.sample.push(key.to_string());
            return;
        }
        let place = usize::try_from(rng.u64(..self.keys));
        if let Some(kept) = place.ok().and_then(|place| self.sample.get_mut(place)) {
            *kept = key.to_string();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_key_is_as_likely_in_a_sample_as_any_other() {
        let sought = Sought {
            head: "a".to_string(),
            registration: None,
        };
        let mut rng = Rng::with_seed(7);
        let mut times = [0_u32; 50];
        for _ in 0..2_000 {
            let mut tally = Tally::default();
            for key in 0..50 {
                tally.note(&sought, &key.to_string(), 10, &mut rng);
            }
            assert_eq!((tally.keys, tally.sample.len()), (50, 10));
            for key in &tally.sample {
                times[key.parse::<usize>().unwrap()] += 1;
            }
        }
        // 400 each, and six standard deviations.
        assert!(
            times.iter().all(|times| (290..510).contains(times)),
            "{times:?}"
        );
    }
}
