//! The handles under which pages name entries: random, so that no key is ever in an address, and
//! bounded in number.

use std::collections::{HashMap, VecDeque};
use std::sync::{Mutex, PoisonError};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::catalog::Listed;
use crate::error::{BackendError, BackendResult, ErrorKind};
use crate::keyspace::Key;

/// The largest number of handles. The oldest go first: those of eight long lists are there.
const MOST_HANDLES: usize = 8 * 1024;

/// An entry that a page names: its keyspace and its key.
#[derive(Debug, Clone)]
pub(super) struct Address {
    pub(super) listed: &'static Listed,
    pub(super) key: Key,
}

/// The entries that pages have named.
#[derive(Debug, Default)]
pub(super) struct Handles {
    /// Held for a look-up, or for the handles of one page.
    table: Mutex<Table>,
}

#[derive(Debug, Default)]
struct Table {
    addresses: HashMap<String, Address>,
    /// The handles, oldest first.
    order: VecDeque<String>,
}

impl Handles {
    /// Makes a handle of each entry, in their order.
    ///
    /// # Errors
    ///
    /// `Other` if the system has no random numbers.
    pub(super) fn name(&self, entries: Vec<Address>) -> BackendResult<Vec<String>> {
        let handles = entries.iter().map(|_| random());
        let handles = handles.collect::<BackendResult<Vec<_>>>()?;
        let mut table = self.table.lock().unwrap_or_else(PoisonError::into_inner);
        for (handle, address) in handles.iter().zip(entries) {
            if table.order.len() == MOST_HANDLES
                && let Some(oldest) = table.order.pop_front()
            {
                table.addresses.remove(&oldest);
            }
            table.order.push_back(handle.clone());
            table.addresses.insert(handle.clone(), address);
        }
        Ok(handles)
    }

    /// Returns the entry of a handle.
    pub(super) fn find(&self, handle: &str) -> Option<Address> {
        let table = self.table.lock().unwrap_or_else(PoisonError::into_inner);
        table.addresses.get(handle).cloned()
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
