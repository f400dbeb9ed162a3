//! The handles under which pages name entries: random, so that no key is ever in an address, and
//! bounded in number.

use std::collections::{HashMap, VecDeque};
use std::sync::{Mutex, PoisonError};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::catalog::Listed;
use super::entry::Digest;
use crate::error::{BackendError, BackendResult, ErrorKind};
use crate::keyspace::Key;

/// The largest number of handles. The oldest go first: those of eight long lists are there.
const MOST_HANDLES: usize = 8 * 1024;

/// An entry that a page names: its keyspace and its key.
#[derive(Clone)]
pub(super) struct Address {
    pub(super) listed: &'static Listed,
    pub(super) key: Key,
    /// The content that a deletion was asked for; `None` for a page that shows the entry.
    pub(super) to_delete: Option<Digest>,
}

impl Address {
    /// Names an entry, to be shown.
    pub(super) fn of(listed: &'static Listed, key: Key) -> Self {
        Self {
            listed,
            key,
            to_delete: None,
        }
    }
}

/// The entries that pages have named.
#[derive(Default)]
pub(super) struct Handles {
    /// Held for a look-up, or for the handles of one page.
    table: Mutex<Table>,
}

#[derive(Default)]
struct Table {
    addresses: HashMap<String, Address>,
    /// The handles by which pages show entries, by keyspace and key: a page that is loaded again
    /// takes no more of them.
    shown: HashMap<(&'static str, String), String>,
    /// The handles, oldest first.
    order: VecDeque<String>,
}

impl Handles {
    /// Makes a handle of an entry, or finds the one that it has.
    ///
    /// # Errors
    ///
    /// `Other` if the system has no random numbers.
    pub(super) fn name(&self, entry: Address) -> BackendResult<String> {
        let fresh = random()?;
        let mut table = self.table.lock().unwrap_or_else(PoisonError::into_inner);
        Ok(table.name(fresh, entry))
    }

    /// Makes a handle of each entry, in their order, or finds the one that it has.
    ///
    /// # Errors
    ///
    /// `Other` if the system has no random numbers.
    pub(super) fn name_all(&self, entries: Vec<Address>) -> BackendResult<Vec<String>> {
        let fresh = entries.iter().map(|_| random());
        let fresh = fresh.collect::<BackendResult<Vec<_>>>()?;
        let mut table = self.table.lock().unwrap_or_else(PoisonError::into_inner);
        let named = fresh.into_iter().zip(entries);
        Ok(named
            .map(|(fresh, address)| table.name(fresh, address))
            .collect())
    }

    /// Takes the entry of a handle out, so that it is done once what the handle is for.
    pub(super) fn take(&self, handle: &str) -> Option<Address> {
        let mut table = self.table.lock().unwrap_or_else(PoisonError::into_inner);
        table.remove(handle)
    }

    /// Returns the entry of a handle.
    pub(super) fn find(&self, handle: &str) -> Option<Address> {
        let table = self.table.lock().unwrap_or_else(PoisonError::into_inner);
        table.addresses.get(handle).cloned()
    }
}

impl Table {
    fn name(&mut self, fresh: String, address: Address) -> String {
        let shown = (&*address.listed.name, address.key.to_string());
        if address.to_delete.is_none() {
            if let Some(handle) = self.shown.get(&shown) {
                return handle.clone();
            }
            self.shown.insert(shown, fresh.clone());
        }
        if self.order.len() == MOST_HANDLES
            && let Some(oldest) = self.order.pop_front()
        {
            self.remove(&oldest);
        }
        self.order.push_back(fresh.clone());
        self.addresses.insert(fresh.clone(), address);
        fresh
    }

    fn remove(&mut self, handle: &str) -> Option<Address> {
        let address = self.addresses.remove(handle)?;
        if address.to_delete.is_none() {
            let shown = (&*address.listed.name, address.key.to_string());
            self.shown.remove(&shown);
        }
        Some(address)
    }
}

/// Returns 128 random bits as text that can stand in an address.
///
/// # Errors
///
/// `Other` if the system has no random numbers.
pub(super) fn random() -> BackendResult<String> {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes).map_err(|error| {
        BackendError::new(ErrorKind::Other, "the system has no random numbers").with_source(error)
    })?;
    Ok(URL_SAFE_NO_PAD.encode(bytes))
}
