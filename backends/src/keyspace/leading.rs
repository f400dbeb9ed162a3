//! A part of a keyspace: the entries under some of its leading key fields.

use std::fmt;
use std::marker::PhantomData;

use super::Keyspace;
use super::info::KeyspaceInfo;
use super::key::Key;
use super::segment::KeyArg;
use super::segments::{KeyBuilder, moved, scan_prefix};
use crate::error::{BackendError, BackendResult, ErrorKind};

/// The whole of a keyspace, or the entries under some of its leading key fields.
pub struct Leading<K: ?Sized> {
    /// The key without its last segments; `None` for the whole keyspace.
    under: Option<Key>,
    keyspace: PhantomData<fn() -> K>,
}

/// The argument of `scan_under` and `clear_under` of a keyspace with key fields of the types in the
/// tuple `F`: the first field's value ([`One`]), or a tuple of the first fields' values
/// ([`Several`]); the compiler finds out which. At least one field is left open, and there are at
/// most six.
#[diagnostic::on_unimplemented(
    message = "`{Self}` doesn't name the first of the key fields `{F}`",
    label = "expected the first key field, or a tuple of the first ones, and not all of them"
)]
pub trait LeadingKey<F, As> {
    /// Adds the segments to a key.
    fn write(&self, key: &mut KeyBuilder<'_>);
}

/// Tells that a [`LeadingKey`] is the first key field.
#[derive(Debug)]
pub enum One {}

/// Tells that a [`LeadingKey`] is a tuple of the first key fields.
#[derive(Debug)]
pub enum Several {}

/// A prefix to scan, and the version that it belongs to.
#[derive(Debug, Clone)]
pub(super) struct Prefix {
    pub(super) text: String,
    /// The number of versions that the prefix is behind the newest.
    pub(super) back: usize,
    pub(super) keyspace: KeyspaceInfo,
}

impl<K: Keyspace + ?Sized> Leading<K> {
    /// Means the whole keyspace.
    pub fn all() -> Self {
        Self {
            under: None,
            keyspace: PhantomData,
        }
    }

    /// Means the entries under these key fields.
    pub fn under<F, As>(fields: &impl LeadingKey<F, As>) -> Self {
        Self {
            under: Some(Key::build(&K::INFO, |key| fields.write(key))),
            keyspace: PhantomData,
        }
    }

    /// Returns the prefixes of all versions, oldest first.
    pub(super) fn prefixes(&self) -> BackendResult<Vec<Prefix>> {
        // An empty prefix would mean everything in the backend.
        if self.under.as_ref().is_some_and(|key| key.is_empty()) {
            return Err(BackendError::new(
                ErrorKind::InvalidKey,
                "the tag of a key is empty",
            ));
        }
        let newest = K::INFO;
        let prefixes = newest.versions().enumerate().filter_map(|(back, version)| {
            let text = match &self.under {
                None => scan_prefix(version).to_string(),
                Some(key) => format!("{}:", moved(key, &newest, version)?),
            };
            Some(Prefix {
                text,
                back,
                keyspace: *version,
            })
        });
        let mut prefixes: Vec<_> = prefixes.collect();
        prefixes.reverse();
        Ok(prefixes)
    }
}

/// Shows no segment, which may be a secret.
impl<K: Keyspace + ?Sized> fmt::Debug for Leading<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.under {
            Some(key) => fmt::Debug::fmt(key, f),
            None => write!(f, "Leading({})", scan_prefix(&K::INFO)),
        }
    }
}

/// The leading fields by themselves, then those that are left open.
macro_rules! leading_keys {
    ($(($first:ident $argument:ident: $($open:ident)+))*) => {
        $(#[diagnostic::do_not_recommend]
        impl<$argument: KeyArg<$first>, $first, $($open),+> LeadingKey<($first, $($open),+), One> for $argument {
            fn write(&self, key: &mut KeyBuilder<'_>) {
                key.segment::<$first>(self);
            }
        })*
    };
}

macro_rules! leading_tuples {
    ($(($($field:ident $argument:ident $position:tt),+: $($open:ident)+))*) => {
        $(#[diagnostic::do_not_recommend]
        impl<$($argument: KeyArg<$field>, $field,)+ $($open),+> LeadingKey<($($field,)+ $($open),+), Several>
            for ($($argument,)+)
        {
            fn write(&self, key: &mut KeyBuilder<'_>) {
                key$(.segment::<$field>(&self.$position))+;
            }
        })*
    };
}

leading_keys! {
    (F0 A0: F1)
    (F0 A0: F1 F2)
    (F0 A0: F1 F2 F3)
    (F0 A0: F1 F2 F3 F4)
    (F0 A0: F1 F2 F3 F4 F5)
}

leading_tuples! {
    (F0 A0 0, F1 A1 1: F2)
    (F0 A0 0, F1 A1 1: F2 F3)
    (F0 A0 0, F1 A1 1, F2 A2 2: F3)
    (F0 A0 0, F1 A1 1: F2 F3 F4)
    (F0 A0 0, F1 A1 1, F2 A2 2: F3 F4)
    (F0 A0 0, F1 A1 1, F2 A2 2, F3 A3 3: F4)
    (F0 A0 0, F1 A1 1: F2 F3 F4 F5)
    (F0 A0 0, F1 A1 1, F2 A2 2: F3 F4 F5)
    (F0 A0 0, F1 A1 1, F2 A2 2, F3 A3 3: F4 F5)
    (F0 A0 0, F1 A1 1, F2 A2 2, F3 A3 3, F4 A4 4: F5)
}
