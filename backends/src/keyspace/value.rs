//! The operations on one entry of a keyspace of values, and on the keyspace as a whole.

use std::future::Future;
use std::time::Duration;

use serde::Serialize;

use super::key::{Key, scan_prefix};
use super::{Keyspace, Valued};
use crate::backend::{Backend, Condition, Expiry, Life, Stored, Write};
use crate::codec::Codec;
use crate::error::BackendResult;

/// What an accessor takes as a value of type `T`: a `T`, a `&T`, `&str` for `String` and `&[U]` for `Vec<U>`.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a value of type `{T}`",
    label = "expected `{T}` or a reference to it"
)]
pub trait ValueArg<T> {
    /// Encodes the value.
    ///
    /// # Errors
    ///
    /// `Encode`.
    fn encode<C: Codec>(&self) -> BackendResult<Vec<u8>>;
}

impl<T: Serialize> ValueArg<T> for T {
    fn encode<C: Codec>(&self) -> BackendResult<Vec<u8>> {
        C::encode(self)
    }
}

impl<T: Serialize> ValueArg<T> for &T {
    fn encode<C: Codec>(&self) -> BackendResult<Vec<u8>> {
        C::encode(*self)
    }
}

impl ValueArg<String> for &str {
    fn encode<C: Codec>(&self) -> BackendResult<Vec<u8>> {
        C::encode(*self)
    }
}

impl<T: Serialize> ValueArg<Vec<T>> for &[T] {
    fn encode<C: Codec>(&self) -> BackendResult<Vec<u8>> {
        C::encode(*self)
    }
}

/// Returns the live value.
///
/// # Errors
///
/// `Decode` if the bytes are not a value of the keyspace; they stay.
pub async fn get<K, B>(backend: &B, key: Key) -> BackendResult<Option<K::Value>>
where
    K: Valued,
    B: Backend + ?Sized,
{
    decode::<K>(backend.get_stored(&key).await?)
}

/// Returns the live values, in the order of the keys.
///
/// # Errors
///
/// `Decode` if one of them is not a value of the keyspace.
pub async fn get_many<K, B>(backend: &B, keys: Vec<Key>) -> BackendResult<Vec<Option<K::Value>>>
where
    K: Valued,
    B: Backend + ?Sized,
{
    let keys: Vec<&str> = keys.iter().map(Key::as_str).collect();
    let all = backend.get_many_stored(&keys).await?;
    all.into_iter().map(decode::<K>).collect()
}

/// Stores a value for the keyspace's own time.
pub fn set<'b, K, B, V>(
    backend: &'b B,
    key: Key,
    value: &V,
) -> impl Future<Output = BackendResult<()>> + Send + use<'b, K, B, V>
where
    K: Valued,
    B: Backend + ?Sized,
    V: ValueArg<K::Value> + ?Sized,
{
    let written = write::<K, B, V>(backend, key, value, Condition::Always, K::INFO.life);
    async move { written.await.map(drop) }
}

/// Stores a value for another time than the keyspace's own.
///
/// # Errors
///
/// `InvalidTtl` for zero and for more than 10,000 years.
pub fn set_for<'b, K, B, V>(
    backend: &'b B,
    key: Key,
    value: &V,
    ttl: Duration,
) -> impl Future<Output = BackendResult<()>> + Send + use<'b, K, B, V>
where
    K: Valued,
    B: Backend + ?Sized,
    V: ValueArg<K::Value> + ?Sized,
{
    let written = write::<K, B, V>(backend, key, value, Condition::Always, Life::In(ttl));
    async move { written.await.map(drop) }
}

/// Stores a value if there is no live entry, and says whether it did.
pub fn set_if_absent<'b, K, B, V>(
    backend: &'b B,
    key: Key,
    value: &V,
) -> impl Future<Output = BackendResult<bool>> + Send + use<'b, K, B, V>
where
    K: Valued,
    B: Backend + ?Sized,
    V: ValueArg<K::Value> + ?Sized,
{
    write::<K, B, V>(backend, key, value, Condition::Absent, K::INFO.life)
}

/// Stores a value if there is a live entry, and says whether it did.
pub fn set_if_present<'b, K, B, V>(
    backend: &'b B,
    key: Key,
    value: &V,
) -> impl Future<Output = BackendResult<bool>> + Send + use<'b, K, B, V>
where
    K: Valued,
    B: Backend + ?Sized,
    V: ValueArg<K::Value> + ?Sized,
{
    write::<K, B, V>(backend, key, value, Condition::Present, K::INFO.life)
}

/// Removes the entry and returns its value, to at most one caller.
///
/// # Errors
///
/// `Decode` if the bytes are not a value of the keyspace; they are gone then.
pub async fn take<K, B>(backend: &B, key: Key) -> BackendResult<Option<K::Value>>
where
    K: Valued,
    B: Backend + ?Sized,
{
    decode::<K>(backend.take_stored(&key).await?)
}

/// Removes the entry and says whether there was a live one.
pub async fn delete<K, B>(backend: &B, key: Key) -> BackendResult<bool>
where
    K: Keyspace,
    B: Backend + ?Sized,
{
    backend.delete(&key).await
}

/// Says whether there is a live entry.
pub async fn exists<K, B>(backend: &B, key: Key) -> BackendResult<bool>
where
    K: Keyspace,
    B: Backend + ?Sized,
{
    backend.exists(&key).await
}

/// Returns what is left of the entry's life; `None` if there is no live entry.
pub async fn ttl<K, B>(backend: &B, key: Key) -> BackendResult<Option<Expiry>>
where
    K: Keyspace,
    B: Backend + ?Sized,
{
    backend.ttl(&key).await
}

/// Starts the life of the entry over, leaves its value alone, and says whether there was a live entry.
pub async fn touch<K, B>(backend: &B, key: Key) -> BackendResult<bool>
where
    K: Keyspace,
    B: Backend + ?Sized,
{
    backend.expire(&key, K::INFO.life).await
}

/// Removes this keyspace and nothing else, and returns how many entries there were.
pub async fn clear<K, B>(backend: &B) -> BackendResult<u64>
where
    K: Keyspace,
    B: Backend + ?Sized,
{
    backend.clear_prefix(&scan_prefix(&K::INFO)).await
}

/// Encodes before the future is made, so that the value need not outlive the call.
fn write<'b, K, B, V>(
    backend: &'b B,
    key: Key,
    value: &V,
    condition: Condition<'static>,
    life: Life,
) -> impl Future<Output = BackendResult<bool>> + Send + use<'b, K, B, V>
where
    K: Valued,
    B: Backend + ?Sized,
    V: ValueArg<K::Value> + ?Sized,
{
    let encoded = value.encode::<K::Codec>();
    async move {
        let options = Write::new(life).when(condition);
        backend.write(&key, &encoded?, options).await
    }
}

pub(super) fn decode<K: Valued>(stored: Option<Stored>) -> BackendResult<Option<K::Value>> {
    stored
        .map(|stored| K::Codec::decode(stored.as_bytes()))
        .transpose()
}
