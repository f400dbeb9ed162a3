//! What can be done with the types of a keyspace that is known by its registration alone.

use std::marker::PhantomData;

use serde::de::DeserializeOwned;

use super::schema::layout::Layout;
use super::schema::tracer;
use crate::codec::Codec;

/// The functions of one keyspace.
#[derive(Debug)]
pub(crate) struct Vtable {
    /// Names the keyspace, or the data of sessions and their codec.
    pub(super) types: fn() -> [&'static str; 2],
    /// Traces the layout of the values; counters and throttles have none.
    pub(super) layout: fn() -> Layout,
}

impl Vtable {
    /// Returns the functions of a keyspace of counters or throttles.
    pub(crate) const fn of_keys(types: fn() -> [&'static str; 2]) -> Self {
        Self {
            types,
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
            layout: tracer::layout::<T, C>,
            ..Vtable::of_keys(types)
        }
    }
}
