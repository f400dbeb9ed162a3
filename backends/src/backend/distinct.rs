//! Entries of which some have the same key, as one call writes them.

use std::collections::HashMap;

use super::life::Life;
use super::store::options::NewEntry;
use crate::error::BackendResult;

/// The entries of a call; those of equal keys are joined into the one that is left in the end.
///
/// An entry that the same call overwrites needs no room: a full store would refuse it, or evict
/// another entry for it.
pub(crate) struct Distinct<'e> {
    /// The distinct entries, in the order in which their keys come first.
    pub(crate) entries: Vec<NewEntry<'e>>,
    /// The position in the call at which each of their keys comes first.
    pub(crate) firsts: Vec<usize>,
    /// The index, for each entry of the call, of the distinct entry that it is a part of.
    of: Vec<usize>,
}

impl<'e> Distinct<'e> {
    pub(crate) fn new(all: &[NewEntry<'e>]) -> Self {
        let mut indices = HashMap::with_capacity(all.len());
        let mut entries: Vec<NewEntry<'e>> = Vec::with_capacity(all.len());
        let mut firsts = Vec::with_capacity(all.len());
        let of = all.iter().enumerate().map(|(position, entry)| {
            let index = *indices.entry(entry.key).or_insert(entries.len());
            match entries.get_mut(index) {
                Some(earlier) => *earlier = overwritten(*earlier, *entry),
                None => {
                    entries.push(*entry);
                    firsts.push(position);
                }
            }
            index
        });
        let of = of.collect();
        Self {
            entries,
            firsts,
            of,
        }
    }

    /// Makes an error about the distinct entries name the entries of the call.
    pub(crate) fn name(&self, result: BackendResult<()>) -> BackendResult<()> {
        result.map_err(|error| {
            let mut is_failed = vec![false; self.entries.len()];
            for index in error.failed_indices() {
                if let Some(is_failed) = is_failed.get_mut(*index) {
                    *is_failed = true;
                }
            }
            let positions = self.of.iter().enumerate();
            let failed = positions.filter(|(_, index)| is_failed[**index]);
            let failed = failed.map(|(position, _)| position).collect();
            error.with_failed_indices(failed)
        })
    }
}

/// Returns the entry that is left when `later` is written over `earlier`.
fn overwritten<'e>(earlier: NewEntry<'e>, later: NewEntry<'e>) -> NewEntry<'e> {
    let life = match later.life {
        Life::Keep => earlier.life,
        life => life,
    };
    NewEntry { life, ..later }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::{BackendError, ErrorKind};

    fn entry(key: &'static str, value: &'static [u8], life: Life) -> NewEntry<'static> {
        NewEntry { key, value, life }
    }

    #[test]
    fn of_equal_keys_the_last_value_and_the_last_life_that_is_set_stay() {
        let minute = Life::In(std::time::Duration::from_secs(60));
        let distinct = Distinct::new(&[
            entry("a", b"1", minute),
            entry("b", b"2", Life::Never),
            entry("a", b"3", Life::Keep),
        ]);
        let left = (distinct.entries.iter()).map(|entry| (entry.key, entry.value, entry.life));
        let expected = [("a", &b"3"[..], minute), ("b", b"2", Life::Never)];
        assert_eq!(left.collect::<Vec<_>>(), expected);
        assert_eq!(distinct.firsts, [0, 1]);
    }

    #[test]
    fn an_error_names_all_entries_of_a_key_that_failed() {
        let distinct = Distinct::new(&["a", "b", "a", "c"].map(|key| entry(key, b"", Life::Keep)));
        let error = BackendError::new(ErrorKind::Full, "no room").with_failed_indices(vec![2, 0]);
        let named = distinct.name(Err(error)).unwrap_err();
        assert_eq!(named.failed_indices(), [0, 2, 3]);
        assert!(distinct.name(Ok(())).is_ok());
    }
}
