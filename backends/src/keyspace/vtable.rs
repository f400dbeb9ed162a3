//! The functions of a keyspace that is known by its registration alone.

use std::marker::PhantomData;

use serde::de::DeserializeOwned;

#[cfg(feature = "schema-lock")]
use super::schema::layout::Layout;
#[cfg(feature = "schema-lock")]
use super::schema::tracer;
use crate::codec::Codec;

/// The functions of one keyspace.
///
/// The linker keeps everything that a registration points to, and so all code that a function here
/// calls, for every keyspace of every program. A function that only some programs need is a slot
/// behind a feature.
#[derive(Debug)]
pub(crate) struct Vtable {
    /// Names the keyspace, or the data of sessions and their codec.
    pub(super) types: fn() -> [&'static str; 2],
    /// Traces the layout of the values; counters and throttles have none.
    #[cfg(feature = "schema-lock")]
    pub(super) layout: fn() -> Layout,
}

impl Vtable {
    /// Returns the functions of a keyspace of counters or throttles.
    pub(crate) const fn of_keys(types: fn() -> [&'static str; 2]) -> Self {
        Self {
            types,
            #[cfg(feature = "schema-lock")]
            layout: Layout::default,
        }
    }
}

/// The values of a keyspace: a `T` as the codec `C` stores it.
pub(crate) struct Values<T, C>(PhantomData<(T, C)>);

impl<T: DeserializeOwned, C: Codec> Values<T, C> {
    /// Returns the functions of the keyspace.
    pub(crate) const fn vtable(types: fn() -> [&'static str; 2]) -> Vtable {
        Vtable {
            #[cfg(feature = "schema-lock")]
            layout: tracer::layout::<T, C>,
            ..Vtable::of_keys(types)
        }
    }
}

#[cfg(all(test, not(feature = "schema-lock")))]
mod tests {
    use super::*;

    #[test]
    fn a_program_without_the_schema_lock_has_no_slot_for_the_tracer() {
        assert_eq!(size_of::<Vtable>(), size_of::<fn()>());
    }
}
