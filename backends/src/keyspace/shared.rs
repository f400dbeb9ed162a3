//! Reading a value without decoding it again.

use std::any::TypeId;
use std::future::Future;
use std::sync::Arc;

use super::key::Key;
use super::value::{decode, get_older, get_or_miss};
use super::{Valued, going_on};
use crate::backend::store::{Decoded, DecodedOrBytes, Touch};
use crate::backend::{Backend, plain};
use crate::error::BackendResult;

/// Returns the live value, shared with other readers; in a sliding keyspace its life starts over.
///
/// A backend in this process keeps the decoded value beside the bytes, for as long as the entry
/// holds these bytes. The decoded value is the one that [`get`](super::get) would return, because
/// it is made of the same bytes: data that the value lost when it was encoded (fields that are
/// skipped, say) isn't in it. Other backends decode the value anew.
///
/// A keyspace with [`OnUnavailable::Miss`](super::OnUnavailable::Miss) finds nothing while the
/// store is away.
///
/// # Errors
///
/// `Decode` if the bytes are not a value of the keyspace; they stay.
pub fn get_shared<'b, K, B>(
    backend: &'b B,
    key: Key,
) -> impl Future<Output = BackendResult<Option<Arc<K::Value>>>> + Send + use<'b, K, B>
where
    K: Valued,
    K::Value: Send + Sync + 'static,
    B: Backend + ?Sized,
{
    async move {
        if const { K::INFO.goes_on() } && backend.as_sync().is_none() {
            let value = get_or_miss::<K, B>(backend, &key).await?;
            return Ok(value.map(Arc::new));
        }
        let decoded_as = TypeId::of::<fn(K::Codec) -> K::Value>();
        let touch = K::INFO.touch();
        let read = match backend.as_sync() {
            Some(store) if touch == Touch::Keep => store.read_decoded(&key, decoded_as),
            Some(store) => store
                .read_value(&key, touch)
                .map(|stored| stored.map(|stored| DecodedOrBytes::of(stored, decoded_as))),
            None => plain::read_value(backend, &key, touch, K::INFO.reads_are_plain())
                .await
                .map(|stored| stored.map(|stored| DecodedOrBytes::of(stored, decoded_as))),
        };
        let stored = match read {
            Ok(Some(DecodedOrBytes::Decoded(value))) => {
                let value = value.downcast();
                return Ok(Some(
                    value.expect("a value is of the type it was decoded as"),
                ));
            }
            Ok(Some(DecodedOrBytes::Bytes(stored))) => stored,
            // An older version may decode to something else under the same type, and isn't kept.
            Ok(None) if K::INFO.migrates.is_some() => {
                let older = get_older::<K, B>(backend, &key).await?;
                return Ok(older.map(Arc::new));
            }
            Ok(None) => return Ok(None),
            Err(error) => return going_on::missed::<K, B, _>(backend, error),
        };
        let Some(value) = decode::<K, B>(backend, &key, 0, &stored)?.map(Arc::new) else {
            return Ok(None);
        };
        if let Some(store) = backend.as_sync() {
            let decoded = Decoded::new(value.clone(), decoded_as, stored.as_bytes().len());
            store.attach_decoded(&key, &stored, decoded);
        }
        Ok(Some(value))
    }
}
