//! The walk over the keys of a store.

use std::collections::HashMap;

use futures_util::StreamExt;
use tokio::time::{Instant, timeout_at};

use super::sample::sample;
use super::{Counted, MOST_KEYS, SAMPLED, Survey, WALK_TIME};
use crate::backend::Backend;
use crate::error::BackendResult;
use crate::inspector::catalog::{Listed, catalog};
use crate::keyspace::owners::{Owner, Owners};

/// Counts the keys of all keyspaces, up to a number and for a time, and reads some entries of each.
///
/// # Errors
///
/// The errors of the walk. An entry that can't be read is left out of the sample.
pub(in crate::inspector) async fn survey(backend: &dyn Backend) -> BackendResult<Survey> {
    let mut tally = Tally::new(catalog());
    let mut keys = backend.keys("");
    let end = Instant::now() + WALK_TIME;
    let has_stopped = loop {
        let Ok(next) = timeout_at(end, keys.next()).await else {
            break true;
        };
        let Some(key) = next else {
            break false;
        };
        // Keys that are there at once leave no moment in which the time limit is looked at.
        if tally.walked == MOST_KEYS || Instant::now() >= end {
            break true;
        }
        tally.add(key?);
    };
    drop(keys);
    let samples = sample(backend, &tally.sampled).await;
    let keyspaces = tally.entries.into_iter().zip(samples);
    let keyspaces = keyspaces.map(|(entries, sample)| Counted { entries, sample });
    Ok(Survey {
        keyspaces: keyspaces.collect(),
        undeclared: tally.undeclared,
        other_versions: tally.other_versions,
        leases: tally.leases,
        walked: tally.walked,
        has_stopped,
    })
}

/// The keys up to now.
struct Tally {
    owners: Owners,
    /// The positions of the keyspaces of each name. Those that share their keys by mistake share
    /// the count.
    positions: HashMap<&'static str, Vec<usize>>,
    entries: Vec<usize>,
    sampled: Vec<Vec<String>>,
    undeclared: usize,
    other_versions: usize,
    leases: usize,
    walked: usize,
}

impl Tally {
    fn new(listed: &'static [Listed]) -> Self {
        let mut positions: HashMap<&'static str, Vec<usize>> = HashMap::new();
        for (position, listed) in listed.iter().enumerate() {
            positions.entry(&listed.name).or_default().push(position);
        }
        Self {
            owners: Owners::of_the_program(),
            positions,
            entries: vec![0; listed.len()],
            sampled: vec![Vec::new(); listed.len()],
            undeclared: 0,
            other_versions: 0,
            leases: 0,
            walked: 0,
        }
    }

    fn add(&mut self, key: String) {
        self.walked += 1;
        let owner = match self.owners.owner(&key) {
            Owner::Lease => return self.leases += 1,
            Owner::OtherVersion(..) => return self.other_versions += 1,
            Owner::Nobody => return self.undeclared += 1,
            Owner::Keyspace(owner) => &self.owners.keyspaces[owner],
        };
        // Sessions that nobody declares have no row.
        let Some(positions) = self.positions.get(&*owner.head) else {
            return self.undeclared += 1;
        };
        for &position in positions {
            self.entries[position] += 1;
            if self.sampled[position].len() < SAMPLED {
                self.sampled[position].push(key.clone());
            }
        }
    }
}
