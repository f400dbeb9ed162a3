//! The operations on one entry of a keyspace of values.

use std::future::Future;
use std::slice;
use std::time::Duration;

use futures_util::future::BoxFuture;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::info::OnDecodeError;
use super::key::Key;
use super::versions::VersionedKeys;
use super::{Entry, Keyspace, Valued, going_on, writes};
use crate::backend::fast_path::{self, read_now};
use crate::backend::store::tell_if_undecodable;
use crate::backend::{Backend, Condition, Expiry, Stored, plain};
use crate::codec::Codec;
use crate::error::{BackendError, BackendResult, ErrorKind};

/// The argument that an accessor takes as a value of type `T`: a `T`, a `&T`, `&str` for `String`
/// and `&[U]` for `Vec<U>`.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a value of type `{T}`",
    label = "expected `{T}`, a reference to it, `&str` for a `String`, or `&[U]` for a `Vec<U>`"
)]
pub trait ValueArg<T> {
    /// Returns the value if it is a `T`; `None` if it only encodes as one.
    fn value(&self) -> Option<&T> {
        None
    }

    /// Encodes the value, to be read as a `T`.
    ///
    /// # Errors
    ///
    /// `Encode`.
    fn encode<C: Codec>(&self) -> BackendResult<Vec<u8>>
    where
        T: Serialize + DeserializeOwned;
}

#[diagnostic::do_not_recommend]
impl<T: Serialize> ValueArg<T> for T {
    fn value(&self) -> Option<&T> {
        Some(self)
    }

    fn encode<C: Codec>(&self) -> BackendResult<Vec<u8>>
    where
        T: DeserializeOwned,
    {
        C::encode_as::<T, T>(self)
    }
}

#[diagnostic::do_not_recommend]
impl<T: Serialize> ValueArg<T> for &T {
    fn value(&self) -> Option<&T> {
        Some(self)
    }

    fn encode<C: Codec>(&self) -> BackendResult<Vec<u8>>
    where
        T: DeserializeOwned,
    {
        C::encode_as::<T, T>(*self)
    }
}

#[diagnostic::do_not_recommend]
impl ValueArg<String> for &str {
    fn encode<C: Codec>(&self) -> BackendResult<Vec<u8>> {
        C::encode_as::<String, str>(self)
    }
}

#[diagnostic::do_not_recommend]
impl<T: Serialize> ValueArg<Vec<T>> for &[T] {
    fn encode<C: Codec>(&self) -> BackendResult<Vec<u8>>
    where
        Vec<T>: DeserializeOwned,
    {
        C::encode_as::<Vec<T>, [T]>(self)
    }
}

/// Returns the live value; in a sliding keyspace its life starts over.
///
/// A keyspace with [`OnUnavailable::Miss`](super::OnUnavailable::Miss) finds nothing while the
/// store is away.
///
/// # Errors
///
/// `Decode` if the bytes are not a value of the keyspace; they stay.
pub fn get<'b, K, B>(
    backend: &'b B,
    key: Key,
) -> impl Future<Output = BackendResult<Option<K::Value>>> + Send + use<'b, K, B>
where
    K: Valued,
    B: Backend + ?Sized,
{
    async move {
        if const { K::INFO.goes_on() } && backend.as_sync().is_none() {
            return get_or_miss::<K, B>(backend, &key).await;
        }
        match read_now!(backend, &key, K::INFO.touch(), K::INFO.reads_are_plain()) {
            Ok(Some(stored)) => decode::<K, B>(backend, &key, 0, &stored),
            Ok(None) if K::INFO.migrates.is_some() => get_older::<K, B>(backend, &key).await,
            Ok(None) => Ok(None),
            Err(error) => going_on::missed::<K, B, _>(backend, error),
        }
    }
}

/// Stores a value for the keyspace's own time, whatever was there.
///
/// A keyspace with [`OnUnavailable::Miss`](super::OnUnavailable::Miss) stores nothing while the
/// store is away, and that is no error.
///
/// # Errors
///
/// `Encode`; `InvalidKey` for an entry whose key isn't `key`; `Conflict` in a keyspace that
/// migrates, when other writers were faster 128 times.
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
    let encoded = encode::<K, V>(&key, value);
    writes::write::<K, B>(backend, key, encoded, K::INFO.new_life())
}

/// Stores a value for another time than the keyspace's own.
///
/// # Errors
///
/// `InvalidTtl` for zero and for more than 10,000 years; and as [`set`].
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
    let encoded = encode::<K, V>(&key, value);
    writes::write::<K, B>(backend, key, encoded, K::INFO.life_of(ttl))
}

/// Stores a value if there is no live entry, and says whether it did.
///
/// # Errors
///
/// `Encode`; `InvalidKey` for an entry whose key isn't `key`.
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
    let encoded = encode::<K, V>(&key, value);
    writes::write_if::<K, B>(backend, key, encoded, Condition::Absent)
}

/// Stores a value if there is a live entry, and says whether it did.
///
/// # Errors
///
/// As [`set_if_absent`].
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
    let encoded = encode::<K, V>(&key, value);
    writes::write_if::<K, B>(backend, key, encoded, Condition::Present)
}

/// Stores an entry for the keyspace's own time, whatever was there.
///
/// # Errors
///
/// `Encode`; `Conflict` in a keyspace that migrates, when other writers were faster 128 times.
pub fn save<'b, K, B>(
    backend: &'b B,
    entry: &K,
) -> impl Future<Output = BackendResult<()>> + Send + use<'b, K, B>
where
    K: Entry,
    B: Backend + ?Sized,
{
    let life = K::INFO.new_life();
    writes::write::<K, B>(backend, entry.entry_key(), encode_entry(entry), life)
}

/// Stores an entry for another time than the keyspace's own.
///
/// # Errors
///
/// `InvalidTtl` for zero and for more than 10,000 years; and as [`save`].
pub fn save_for<'b, K, B>(
    backend: &'b B,
    entry: &K,
    ttl: Duration,
) -> impl Future<Output = BackendResult<()>> + Send + use<'b, K, B>
where
    K: Entry,
    B: Backend + ?Sized,
{
    let life = K::INFO.life_of(ttl);
    writes::write::<K, B>(backend, entry.entry_key(), encode_entry(entry), life)
}

/// Stores an entry if there is no live one under its key, and says whether it did.
pub fn save_if_absent<'b, K, B>(
    backend: &'b B,
    entry: &K,
) -> impl Future<Output = BackendResult<bool>> + Send + use<'b, K, B>
where
    K: Entry,
    B: Backend + ?Sized,
{
    let encoded = encode_entry(entry);
    writes::write_if::<K, B>(backend, entry.entry_key(), encoded, Condition::Absent)
}

/// Stores an entry if there is a live one under its key, and says whether it did.
pub fn save_if_present<'b, K, B>(
    backend: &'b B,
    entry: &K,
) -> impl Future<Output = BackendResult<bool>> + Send + use<'b, K, B>
where
    K: Entry,
    B: Backend + ?Sized,
{
    let encoded = encode_entry(entry);
    writes::write_if::<K, B>(backend, entry.entry_key(), encoded, Condition::Present)
}

/// Removes the entry and returns its value, to at most one caller.
///
/// # Errors
///
/// `Decode` if the bytes are not a value of the keyspace; they are gone then.
pub fn take<'b, K, B>(
    backend: &'b B,
    key: Key,
) -> impl Future<Output = BackendResult<Option<K::Value>>> + Send + use<'b, K, B>
where
    K: Valued,
    B: Backend + ?Sized,
{
    async move {
        match writes::take::<K, B>(backend, &key).await? {
            Some((back, stored)) => decode::<K, B>(backend, &key, back, &stored),
            None => Ok(None),
        }
    }
}

/// Removes the entry and says whether there was a live one.
pub fn delete<'b, K, B>(
    backend: &'b B,
    key: Key,
) -> impl Future<Output = BackendResult<bool>> + Send + use<'b, K, B>
where
    K: Keyspace,
    B: Backend + ?Sized,
{
    async move { writes::remove::<K, B>(backend, &key).await }
}

/// Says whether there is a live entry.
pub fn exists<'b, K, B>(
    backend: &'b B,
    key: Key,
) -> impl Future<Output = BackendResult<bool>> + Send + use<'b, K, B>
where
    K: Keyspace,
    B: Backend + ?Sized,
{
    async move {
        for (_, key) in VersionedKeys::of::<K>(&key).search() {
            let life = plain::read_life(backend, key, K::INFO.reads_are_plain());
            if life.await?.is_some() {
                return Ok(true);
            }
        }
        Ok(false)
    }
}

/// Returns what is left of the entry's life; `None` if there is no live entry.
pub fn ttl<'b, K, B>(
    backend: &'b B,
    key: Key,
) -> impl Future<Output = BackendResult<Option<Expiry>>> + Send + use<'b, K, B>
where
    K: Keyspace,
    B: Backend + ?Sized,
{
    async move {
        for (_, key) in VersionedKeys::of::<K>(&key).search() {
            let life = plain::read_life(backend, key, K::INFO.reads_are_plain());
            if let Some(expiry) = life.await? {
                return Ok(Some(expiry));
            }
        }
        Ok(None)
    }
}

/// Starts the life of the entry over, leaves its value alone, and says whether there was a live
/// entry.
pub fn touch<'b, K, B>(
    backend: &'b B,
    key: Key,
) -> impl Future<Output = BackendResult<bool>> + Send + use<'b, K, B>
where
    K: Keyspace,
    B: Backend + ?Sized,
{
    async move {
        for (_, key) in VersionedKeys::of::<K>(&key).search() {
            if backend.expire(key, K::INFO.new_life()).await? {
                return Ok(true);
            }
        }
        Ok(false)
    }
}

/// Finds the newest version of an entry: how many versions back it is, and its bytes. Renews it in
/// a sliding keyspace.
pub(crate) async fn find<K, B>(backend: &B, key: &Key) -> BackendResult<Option<(usize, Stored)>>
where
    K: Keyspace,
    B: Backend + ?Sized,
{
    for (back, key) in VersionedKeys::of::<K>(key).search() {
        if let Some(stored) = fast_path::read_value(backend, key, K::INFO.touch()).await? {
            return Ok(Some((back, stored)));
        }
    }
    Ok(None)
}

/// Returns the entry that [`find`] finds, decoded, of a keyspace that migrates. The future is in a
/// box, which other keyspaces are spared.
pub(super) fn get_older<'a, K, B>(
    backend: &'a B,
    key: &'a Key,
) -> BoxFuture<'a, BackendResult<Option<K::Value>>>
where
    K: Valued,
    B: Backend + ?Sized,
{
    Box::pin(async move {
        match find::<K, B>(backend, key).await {
            Ok(Some((back, stored))) => decode::<K, B>(backend, key, back, &stored),
            Ok(None) => Ok(None),
            Err(error) => going_on::missed::<K, B, _>(backend, error),
        }
    })
}

/// Reads as [`get`] does, in a keyspace that goes on while its store is away. The future is in a
/// box, which other keyspaces are spared.
pub(super) fn get_or_miss<'a, K, B>(
    backend: &'a B,
    key: &'a Key,
) -> BoxFuture<'a, BackendResult<Option<K::Value>>>
where
    K: Valued,
    B: Backend + ?Sized,
{
    Box::pin(async move {
        let lookup = async {
            if const { K::INFO.migrates.is_some() } {
                return find::<K, B>(backend, key).await;
            }
            let (touch, is_plain) = (K::INFO.touch(), K::INFO.reads_are_plain());
            let stored = plain::read_value(backend, key, touch, is_plain).await?;
            Ok(stored.map(|stored| (0, stored)))
        };
        let found = going_on::read::<K, B, _>(
            backend,
            slice::from_ref(key),
            K::INFO.reads_are_plain(),
            lookup,
        )
        .await?;
        match found.flatten() {
            Some((back, stored)) => decode::<K, B>(backend, key, back, &stored),
            None => Ok(None),
        }
    })
}

/// Decodes the bytes that were found `back` versions ago for the entry under `key`, the newest
/// version's key. Returns `None` if they don't decode, or are those of an entry with another key,
/// and the keyspace takes that for a miss.
// Not inlined, the decoded value would be copied once more.
#[inline(always)]
pub(crate) fn decode<K, B>(
    backend: &B,
    key: &Key,
    back: usize,
    stored: &Stored,
) -> BackendResult<Option<K::Value>>
where
    K: Valued,
    B: Backend + ?Sized,
{
    let decoded = K::decode(key, back, stored.as_bytes());
    if let Ok(value) = &decoded
        && K::matches_key(key, value)
    {
        return decoded.map(Some);
    }
    refused::<K, B>(backend, key, decoded.err())
}

/// Decodes the value that is stored under a key, whatever reads of the keyspace make of one that
/// doesn't decode.
#[cfg(feature = "derive")]
pub(super) fn decode_or_fail<K: Valued>(key: &Key, bytes: &[u8]) -> BackendResult<K::Value> {
    let value = K::decode(key, 0, bytes)?;
    match K::matches_key(key, &value) {
        true => Ok(value),
        false => Err(of_another_key()),
    }
}

/// Returns the error of a value that didn't decode, or that did and is another key's.
#[cold]
fn refused<K, B>(
    backend: &B,
    key: &Key,
    error: Option<BackendError>,
) -> BackendResult<Option<K::Value>>
where
    K: Valued,
    B: Backend + ?Sized,
{
    let error = error.unwrap_or_else(of_another_key);
    tell_if_undecodable(backend, key, &error);
    match is_a_miss::<K>(error.kind()) {
        true => Ok(None),
        false => Err(error),
    }
}

fn of_another_key() -> BackendError {
    BackendError::new(
        ErrorKind::Decode,
        "the stored entry has other key fields than those that it was read by",
    )
}

fn is_a_miss<K: Keyspace>(kind: ErrorKind) -> bool {
    kind == ErrorKind::Decode && K::INFO.on_decode_error == OnDecodeError::Miss
}

/// Encodes a value that is to be stored under `key`.
///
/// # Errors
///
/// `Encode`; `InvalidKey` for an entry whose key isn't `key`.
pub(crate) fn encode<K, V>(key: &Key, value: &V) -> BackendResult<Vec<u8>>
where
    K: Valued,
    V: ValueArg<K::Value> + ?Sized,
{
    if let Some(value) = value.value() {
        check_key::<K>(key, value)?;
    }
    value.encode::<K::Codec>()
}

/// Refuses an entry whose key isn't `key`.
///
/// # Errors
///
/// `InvalidKey`.
pub(crate) fn check_key<K: Valued>(key: &Key, value: &K::Value) -> BackendResult<()> {
    if K::matches_key(key, value) {
        return Ok(());
    }
    Err(BackendError::new(
        ErrorKind::InvalidKey,
        "the key fields of an entry are not those that it was named by",
    ))
}

/// Encodes an entry that is to be stored under its own key.
pub(super) fn encode_entry<K: Entry>(entry: &K) -> BackendResult<Vec<u8>> {
    ValueArg::<K>::encode::<K::Codec>(entry)
}
