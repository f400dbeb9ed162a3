//! A key that is held under a token of one's own, and given back however the holder ends.

use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use tokio::runtime::Handle;

use crate::backend::{Backend, Condition, Life, NewEntry, Write};
use crate::codec::{Cbor, Codec};
use crate::error::{BackendError, BackendResult, ErrorKind};

/// A key of which this process believes that its token is there.
///
/// Nobody else writes the token: it is of 128 random bits, and written by [`Claim::take`] alone. So whenever a step finds
/// it under the key, it has been there all the time since it was taken.
pub(crate) struct Claim<B: Backend + Clone + 'static> {
    backend: B,
    key: Arc<str>,
    token: Arc<[u8]>,
    ttl: Duration,
    /// Whether the token may be there.
    is_open: bool,
}

impl<B: Backend + Clone + 'static> Claim<B> {
    /// Puts a new token under the key if nothing is there; `None` if something is. `ttl` is checked.
    ///
    /// # Cancel safety
    ///
    /// What a dropped future may have taken is given back in the background.
    pub(crate) async fn take(
        backend: &B,
        key: &Arc<str>,
        ttl: Duration,
    ) -> BackendResult<Option<Self>> {
        let mut claim = Self {
            backend: backend.clone(),
            key: key.clone(),
            token: token()?,
            ttl,
            is_open: true,
        };
        match claim.write(Condition::Absent).await {
            Ok(true) => Ok(Some(claim)),
            Ok(false) => {
                claim.is_open = false;
                Ok(None)
            }
            Err(error) => {
                claim.is_open = error.outcome_unknown();
                Err(error)
            }
        }
    }

    /// Lets the time begin anew if the token is still there, and says whether it is.
    pub(crate) async fn renew(&mut self) -> BackendResult<bool> {
        self.is_open = self.write(Condition::Equals(&self.token)).await?;
        Ok(self.is_open)
    }

    /// Removes the token, and says whether it was still there.
    pub(crate) async fn release(&mut self) -> BackendResult<bool> {
        if !self.is_open {
            return Ok(false);
        }
        let released = self.backend.remove(&self.key, Some(&self.token)).await;
        // Of an answer that was lost nothing is known: it is removed once more when this is dropped, which can't hurt.
        self.is_open = released.is_err();
        released
    }

    /// Removes the token and writes an entry in one step, if the token is still there and nothing is where the entry goes, or
    /// exactly `over`; says whether it did.
    pub(crate) async fn exchange(
        &mut self,
        to: NewEntry<'_>,
        over: Option<&[u8]>,
    ) -> BackendResult<bool> {
        if !self.is_open {
            return Ok(false);
        }
        let exchanged = (self.backend).move_entry(&self.key, &self.token, to, over);
        let exchanged = exchanged.await?;
        self.is_open = !exchanged;
        Ok(exchanged)
    }

    async fn write(&self, condition: Condition<'_>) -> BackendResult<bool> {
        let options = Write::new(Life::In(self.ttl)).when(condition);
        self.backend.write(&self.key, &self.token, options).await
    }
}

impl<B: Backend + Clone + 'static> Drop for Claim<B> {
    fn drop(&mut self) {
        if !self.is_open {
            return;
        }
        let (backend, key, token) = (self.backend.clone(), self.key.clone(), self.token.clone());
        let is_in_process = backend.in_process().is_some();
        let mut removal = Box::pin(async move {
            // It ends by itself if this fails.
            let _ = backend.remove(&key, Some(&token)).await;
        });
        // Such a backend mostly answers at once, and needs no runtime then. Others may need one to be asked at all.
        if is_in_process && (&mut removal).now_or_never().is_some() {
            return;
        }
        // Without a runtime nobody can wait for the answer: the token ends by itself.
        if let Ok(runtime) = Handle::try_current() {
            runtime.spawn(removal);
        }
    }
}

/// Returns 128 random bits as text, encoded, so that any tool reads what is stored.
fn token() -> BackendResult<Arc<[u8]>> {
    let mut bits = [0; 16];
    getrandom::fill(&mut bits).map_err(|error| {
        BackendError::new(ErrorKind::Other, "no random token").with_source(error)
    })?;
    let text = format!("{:032x}", u128::from_ne_bytes(bits));
    Cbor::encode(&text).map(Arc::from)
}
