//! Plain reads: reads by which nothing is decided, so that a replica may answer them.
//!
//! The store itself is asked where `is_plain` is false, and where the store is no handle that reads
//! from replicas. A read that prepares a write never comes here.

use super::answers::KeyStream;
use super::life::Expiry;
use super::store::{BoxedCall, ReplicaReads, Store, Touch};
use super::stored::Stored;

/// Returns the replicas to ask in place of the store.
#[inline]
fn replicas<S: Store + ?Sized>(store: &S, is_plain: bool) -> Option<&dyn ReplicaReads> {
    if is_plain {
        store.replica_reads()
    } else {
        None
    }
}

pub(crate) fn read<'a, S: Store + ?Sized>(
    store: &'a S,
    key: &'a str,
) -> BoxedCall<'a, Option<(Stored, Expiry)>> {
    match store.replica_reads() {
        Some(replicas) => replicas.read(key),
        None => store.read(key),
    }
}

/// `is_plain` means that `touch` leaves the life alone.
#[inline]
pub(crate) fn read_value<'a, S: Store + ?Sized>(
    store: &'a S,
    key: &'a str,
    touch: Touch,
    is_plain: bool,
) -> BoxedCall<'a, Option<Stored>> {
    match replicas(store, is_plain) {
        Some(replicas) => replicas.read_value(key),
        None => store.read_value(key, touch),
    }
}

/// `is_plain` means that `touch` leaves the lives alone.
pub(crate) fn read_values<'a, S: Store + ?Sized>(
    store: &'a S,
    keys: &'a [&'a str],
    touch: Touch,
    is_plain: bool,
) -> BoxedCall<'a, Vec<Option<Stored>>> {
    match replicas(store, is_plain) {
        Some(replicas) => replicas.read_values(keys),
        None => store.read_values(keys, touch),
    }
}

pub(crate) fn read_life<'a, S: Store + ?Sized>(
    store: &'a S,
    key: &'a str,
    is_plain: bool,
) -> BoxedCall<'a, Option<Expiry>> {
    match replicas(store, is_plain) {
        Some(replicas) => replicas.read_life(key),
        None => store.read_life(key),
    }
}

pub(crate) fn keys<'a, S: Store + ?Sized>(
    store: &'a S,
    prefix: &str,
    is_plain: bool,
) -> KeyStream<'a> {
    match replicas(store, is_plain) {
        Some(replicas) => replicas.keys(prefix),
        None => store.keys(prefix),
    }
}
