//! Reading a value without decoding it again.

use std::any::TypeId;
use std::future::Future;
use std::sync::Arc;

use super::Valued;
use super::key::Key;
use super::value::{decode, find};
use super::versions::Places;
use crate::backend::{Backend, Kept};
use crate::error::BackendResult;

/// Returns the live value, shared with others who read it; in a sliding keyspace its life starts over.
///
/// A backend in this process keeps what it decoded beside the bytes, for as long as the entry holds these bytes. It is what
/// [`get`](super::get) would return, because it is made of the same bytes: what the value lost when it was encoded (fields
/// that are skipped, say) isn't in it. Other backends decode it anew.
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
        let places = Places::of::<K>(key);
        let Some((back, stored)) = find::<K, B>(backend, &places).await? else {
            return Ok(None);
        };
        let codec = TypeId::of::<K::Codec>();
        // An older version may decode to something else under the same type.
        let is_newest = back == 0;
        if is_newest && let Some(value) = stored.kept().and_then(|kept| kept.value(codec)) {
            return Ok(Some(value));
        }
        let Some(value) = decode::<K>(back, &stored)?.map(Arc::new) else {
            return Ok(None);
        };
        if is_newest && let Some(backend) = backend.in_process() {
            let kept = Kept::new(value.clone(), codec, stored.as_bytes().len());
            backend.keep(places.newest(), &stored, kept);
        }
        Ok(Some(value))
    }
}
