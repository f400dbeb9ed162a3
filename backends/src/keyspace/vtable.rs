//! The functions of a keyspace that is known by its registration alone.

use std::any::type_name;
use std::marker::PhantomData;

use serde::de::DeserializeOwned;

#[cfg(feature = "inspector")]
use super::inspected::Inspected;
use super::key::Key;
#[cfg(feature = "schema-lock")]
use super::schema::layout::Layout;
#[cfg(feature = "schema-lock")]
use super::schema::tracer;
use super::value::decode_or_fail;
use super::{Counter, Keyspace, Throttled, Valued};
use crate::codec::{Codec, Decode};
use crate::error::BackendResult;
use crate::quota::record_end;

/// The functions of one keyspace.
///
/// The linker keeps everything that a registration points to, and so all code that a function here
/// calls, for every keyspace of every program. A function that only some programs need is a slot
/// behind a feature.
#[derive(Debug)]
pub(crate) struct Vtable {
    /// Names the keyspace, or the data of sessions and their codec.
    pub(super) types: fn() -> [&'static str; 2],
    /// Says whether a text is the text of a key of the keyspace.
    pub(super) is_key: fn(&str) -> bool,
    /// Makes sure that the bytes under a key are a value of the keyspace.
    pub(super) check: fn(&Key, &[u8]) -> BackendResult<()>,
    /// Traces the layout of the values; counters and throttles have none.
    #[cfg(feature = "schema-lock")]
    pub(super) layout: fn() -> Layout,
    /// Shows people what is stored; `None` unless the declaration has the word `inspect`.
    #[cfg(feature = "inspector")]
    pub(super) inspected: Option<Inspected>,
}

impl Vtable {
    /// Returns the functions of the throttles that a program makes under a prefix.
    pub(crate) const THROTTLES: &'static Self =
        &Self::new(|| ["", ""], |_, bytes| record_end(bytes).map(drop));

    const fn new(
        types: fn() -> [&'static str; 2],
        check: fn(&Key, &[u8]) -> BackendResult<()>,
    ) -> Self {
        Self {
            types,
            is_key: |_| true,
            check,
            #[cfg(feature = "schema-lock")]
            layout: Layout::default,
            #[cfg(feature = "inspector")]
            inspected: None,
        }
    }
}

/// The functions of the keyspace `K`, as constants, so that a registration can point to them.
pub(super) struct Of<K>(PhantomData<K>);

impl<K: Keyspace> Of<K> {
    const fn of(check: fn(&Key, &[u8]) -> BackendResult<()>) -> Vtable {
        Vtable {
            is_key: |text| K::parse_key(text).is_some(),
            ..Vtable::new(|| [type_name::<K>(), ""], check)
        }
    }
}

impl<K: Counter> Of<K> {
    pub(super) const COUNTERS: &'static Vtable = &Vtable {
        #[cfg(feature = "inspector")]
        inspected: Inspected::counters::<K>(),
        ..Self::of(|_, bytes| <i64 as Decode>::decode(bytes).map(drop))
    };
}

impl<K: Throttled> Of<K> {
    pub(super) const THROTTLES: &'static Vtable = &Vtable {
        #[cfg(feature = "inspector")]
        inspected: Inspected::throttles::<K>(),
        ..Self::of(Vtable::THROTTLES.check)
    };
}

impl<K: Valued> Of<K> {
    pub(super) const VALUES: &'static Vtable = &Vtable {
        #[cfg(feature = "schema-lock")]
        layout: tracer::layout::<K::Value, K::Codec>,
        #[cfg(feature = "inspector")]
        inspected: Inspected::values::<K>(),
        ..Self::of(|key, bytes| decode_or_fail::<K>(key, bytes).map(drop))
    };
}

/// The values under a prefix that the program sets: a `T` as the codec `C` stores it.
pub(crate) struct Values<T, C>(PhantomData<(T, C)>);

impl<T: DeserializeOwned, C: Codec> Values<T, C> {
    /// Returns the functions of the keyspace.
    pub(crate) const fn vtable(types: fn() -> [&'static str; 2]) -> Vtable {
        Vtable {
            #[cfg(feature = "schema-lock")]
            layout: tracer::layout::<T, C>,
            ..Vtable::new(types, |_, bytes| C::decode::<T>(bytes).map(drop))
        }
    }
}

#[cfg(all(test, not(any(feature = "schema-lock", feature = "inspector"))))]
mod tests {
    use super::*;

    #[test]
    fn a_program_without_these_features_has_no_slots_for_them() {
        assert_eq!(size_of::<Vtable>(), 3 * size_of::<fn()>());
    }
}
