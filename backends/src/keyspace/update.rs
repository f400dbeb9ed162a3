//! Optimistic updates: read, change, compare and set, again if another writer was faster.

use std::future::Future;

use super::Valued;
use super::key::Key;
use super::value::{decode, encode};
use super::writes::UpdatedEntry;
use crate::backend::Backend;
use crate::backend::store::{Event, tell};
use crate::error::{BackendError, BackendResult};
use crate::time::back_off::{MAX_TRIES, back_off, gave_up};

/// A closure that changes a value of type `V`: every `FnMut(&mut V)`.
#[diagnostic::on_unimplemented(
    message = "`{Self}` doesn't change a `{V}` in place",
    label = "expected a closure that takes `&mut {V}`, returns nothing and isn't `async`",
    note = "it runs between a read and a compare-and-set, and again each time another writer was faster: await before \
            the update, and move the result into the closure"
)]
pub trait Change<V>: FnMut(&mut V) {}

#[diagnostic::do_not_recommend]
impl<F: FnMut(&mut V), V> Change<V> for F {}

/// A closure that changes a value of type `V` or fails: every `FnMut(&mut V) -> Result<(), E>`.
#[diagnostic::on_unimplemented(
    message = "`{Self}` doesn't change a `{V}` in place",
    label = "expected a closure that takes `&mut {V}`, returns `Result<(), _>` and isn't `async`",
    note = "it runs between a read and a compare-and-set, and again each time another writer was faster: await before \
            the update, and move the result into the closure"
)]
pub trait TryChange<V, E>: FnMut(&mut V) -> Result<(), E> {}

#[diagnostic::do_not_recommend]
impl<F: FnMut(&mut V) -> Result<(), E>, V, E> TryChange<V, E> for F {}

/// For the derive: two names of one type.
pub trait Same<T> {}

impl<T> Same<T> for T {}

/// Changes the value in one atomic step and returns it as stored; `None` if there is no live entry.
///
/// The bytes as read are compared when the changed value is stored. If another writer was faster
/// the value is read and changed again, so `change` may run several times. The life that is left
/// stays; in a sliding keyspace the life starts over.
///
/// # Errors
///
/// `Conflict` when other writers were faster 128 times.
///
/// # Cancel safety
///
/// A dropped future has stored the whole change or nothing.
pub fn update<'b, K, B, F>(
    backend: &'b B,
    key: Key,
    mut change: F,
) -> impl Future<Output = BackendResult<Option<K::Value>>> + use<'b, K, B, F>
where
    K: Valued,
    B: Backend + ?Sized,
    F: FnMut(&mut K::Value),
{
    try_update::<K, B, _, BackendError>(backend, key, move |value| {
        change(value);
        Ok(())
    })
}

/// Changes the value as [`update`] does, unless `change` fails: then nothing is stored.
///
/// # Errors
///
/// The error of `change`; and `E::from` of the error of an update.
pub fn try_update<'b, K, B, F, E>(
    backend: &'b B,
    key: Key,
    mut change: F,
) -> impl Future<Output = Result<Option<K::Value>, E>> + use<'b, K, B, F, E>
where
    K: Valued,
    B: Backend + ?Sized,
    F: FnMut(&mut K::Value) -> Result<(), E>,
    E: From<BackendError>,
{
    replace::<K, B, _, E>(backend, key, move |present| {
        let Some(mut value) = present else {
            return Ok(None);
        };
        change(&mut value)?;
        Ok(Some(value))
    })
}

/// Changes the value as [`update`] does, or stores the value that `insert` returns where there is
/// none; returns the value that is stored.
///
/// An inserted value gets the keyspace's own life. Both closures may run several times.
///
/// # Errors
///
/// As [`update`].
pub fn update_or_insert_with<'b, K, B, F, I>(
    backend: &'b B,
    key: Key,
    mut change: F,
    mut insert: I,
) -> impl Future<Output = BackendResult<K::Value>> + use<'b, K, B, F, I>
where
    K: Valued,
    B: Backend + ?Sized,
    F: FnMut(&mut K::Value),
    I: FnMut() -> K::Value,
{
    let change = move |value: &mut K::Value| {
        change(value);
        Ok(())
    };
    let insert = move || Ok(insert());
    try_update_or_insert_with::<K, B, _, _, BackendError>(backend, key, change, insert)
}

/// Changes or inserts as [`update_or_insert_with`] does, unless a closure fails: then nothing is
/// stored.
///
/// # Errors
///
/// The error of a closure; and `E::from` of the error of an update.
pub fn try_update_or_insert_with<'b, K, B, F, I, E>(
    backend: &'b B,
    key: Key,
    mut change: F,
    mut insert: I,
) -> impl Future<Output = Result<K::Value, E>> + use<'b, K, B, F, I, E>
where
    K: Valued,
    B: Backend + ?Sized,
    F: FnMut(&mut K::Value) -> Result<(), E>,
    I: FnMut() -> Result<K::Value, E>,
    E: From<BackendError>,
{
    let replaced = replace::<K, B, _, E>(backend, key, move |present| match present {
        Some(mut value) => {
            change(&mut value)?;
            Ok(Some(value))
        }
        None => insert().map(Some),
    });
    async move { Ok(replaced.await?.expect("what is inserted is stored")) }
}

/// Stores the value that `change` makes of the one that is there, in one atomic step, and returns
/// it; `None` if `change` does.
async fn replace<K, B, F, E>(backend: &B, key: Key, mut change: F) -> Result<Option<K::Value>, E>
where
    K: Valued,
    B: Backend + ?Sized,
    F: FnMut(Option<K::Value>) -> Result<Option<K::Value>, E>,
    E: From<BackendError>,
{
    let entry = UpdatedEntry::begin::<K>(backend, &key).await?;
    for lost in 0..MAX_TRIES {
        back_off(lost).await;
        let found = entry.find().await?;
        let present = match &found {
            Some(found) => decode::<K, B>(backend, &key, found.back, &found.stored)?,
            None => None,
        };
        let life = match &found {
            Some(found) if present.is_some() && !K::INFO.sliding => found.life,
            _ => K::INFO.new_life(),
        };
        let Some(value) = change(present)? else {
            return Ok(None);
        };
        let encoded = encode::<K, K::Value>(&key, &value)?;
        if entry.swap(found.as_ref(), &encoded, life).await? {
            return Ok(Some(value));
        }
        tell(backend, &key, Event::Conflict);
    }
    tell(backend, &key, Event::GaveUp);
    Err(gave_up().into())
}
