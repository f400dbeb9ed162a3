//! A key that is held under a token of one's own, and given back however the holder ends.

use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use tokio::runtime::Handle;

use crate::backend::store::{Event, NewEntry, Touch, tell};
use crate::backend::{Backend, Condition, Life, Write};
use crate::codec::{Cbor, Codec};
use crate::error::{BackendError, BackendResult, ErrorKind};
use crate::pending::{self, Token};

/// A key of which this process believes that its token is there.
///
/// Nobody else writes the token: it is of 128 random bits, and written by [`Claim::take`] alone. So
/// whenever a step finds it under the key, it has been there all the time since it was taken.
pub(crate) struct Claim<B: Backend + Clone + 'static> {
    backend: B,
    key: Arc<str>,
    token: Arc<[u8]>,
    ttl: Duration,
    /// True if the token may be under the key.
    is_open: bool,
}

impl<B: Backend + Clone + 'static> Claim<B> {
    /// Puts a new token under the key if nothing is there; `None` if something is. `ttl` is
    /// checked.
    ///
    /// # Cancel safety
    ///
    /// A key that a dropped future may have taken is given back in the background.
    pub(crate) async fn take(
        backend: &B,
        key: &Arc<str>,
        ttl: Duration,
    ) -> BackendResult<Option<Self>> {
        Self::new(backend, key, ttl)?.put().await
    }

    /// Makes a claim with a new token, for [`put`](Self::put); nothing is sent.
    pub(crate) fn new(backend: &B, key: &Arc<str>, ttl: Duration) -> BackendResult<Self> {
        Ok(Self {
            backend: backend.clone(),
            key: key.clone(),
            token: token()?,
            ttl,
            is_open: false,
        })
    }

    pub(crate) fn token(&self) -> Token {
        Token {
            key: self.key.clone(),
            bytes: self.token.clone(),
            ttl: self.ttl,
        }
    }

    /// Puts the token under the key if nothing is there, or a token that nobody holds any more;
    /// `None` if something else is.
    ///
    /// # Cancel safety
    ///
    /// As [`take`](Self::take).
    pub(crate) async fn put(mut self) -> BackendResult<Option<Self>> {
        let put = self.put_over_noted().await;
        if !self.is_open {
            self.close();
        }
        Ok(put?.then_some(self))
    }

    async fn put_over_noted(&mut self) -> BackendResult<bool> {
        Ok(self.try_put().await? || (self.remove_noted().await? && self.try_put().await?))
    }

    async fn try_put(&mut self) -> BackendResult<bool> {
        self.is_open = true;
        let put = self.write(Condition::Absent).await;
        self.is_open = match &put {
            Ok(put) => *put,
            Err(error) => error.outcome_unknown(),
        };
        put
    }

    /// Removes the token under the key if its release is pending, and says whether nothing is there
    /// then.
    async fn remove_noted(&self) -> BackendResult<bool> {
        if !pending::is_noted(&self.key) {
            return Ok(false);
        }
        let Some(held) = self.backend.read_value(&self.key, Touch::Keep).await? else {
            return Ok(true);
        };
        let held = held.as_bytes();
        if !pending::is_token_noted(&self.key, held) {
            return Ok(false);
        }
        self.backend.remove(&self.key, Some(held)).await?;
        pending::forget(&self.key, held);
        Ok(true)
    }

    /// Lets the time begin anew if the token is still there, and says whether it is.
    pub(crate) async fn renew(&mut self) -> BackendResult<bool> {
        self.is_open = self.write(Condition::Equals(&self.token)).await?;
        if !self.is_open {
            self.close();
        }
        Ok(self.is_open)
    }

    /// Removes the token, and says whether it was still there.
    pub(crate) async fn release(&mut self) -> BackendResult<bool> {
        if !self.is_open {
            self.close();
            return Ok(false);
        }
        let released = self.backend.remove(&self.key, Some(&self.token)).await;
        // If the reply was lost the token may still be there. It is removed once more when this
        // claim is dropped, which can't hurt.
        if released.is_ok() {
            self.close();
        }
        released
    }

    /// Removes the token and writes an entry in one step, if the token is still there and nothing
    /// is where the entry goes, or exactly `over`; says whether it did.
    pub(crate) async fn exchange(
        &mut self,
        to: NewEntry<'_>,
        over: Option<&[u8]>,
    ) -> BackendResult<bool> {
        if !self.is_open {
            self.close();
            return Ok(false);
        }
        let exchanged = (self.backend).move_entry(&self.key, &self.token, to, over);
        let exchanged = exchanged.await?;
        if exchanged {
            self.close();
        }
        Ok(exchanged)
    }

    /// Tells that the token was gone before its holder was done.
    pub(super) fn tell_lost(&self) {
        tell(&self.backend, &self.key, Event::LeaseLost);
    }

    /// Notes that the token isn't there, and forgets who has noted it: this caller may have been
    /// passed by meanwhile, or since it was found to be gone.
    fn close(&mut self) {
        self.is_open = false;
        pending::forget(&self.key, &self.token);
    }

    async fn write(&self, condition: Condition<'_>) -> BackendResult<bool> {
        let options = Write::new(Life::In(self.ttl)).when(condition);
        self.backend.put(&self.key, &self.token, options).await
    }
}

impl<B: Backend + Clone + 'static> Drop for Claim<B> {
    fn drop(&mut self) {
        if !self.is_open {
            return;
        }
        let (backend, key, token) = (self.backend.clone(), self.key.clone(), self.token.clone());
        let is_in_process = backend.as_sync().is_some();
        let mut removal = Box::pin(async move {
            // If this fails the token ends by itself, or is removed by the caller that finds it.
            if backend.remove(&key, Some(&token)).await.is_ok() {
                pending::forget(&key, &token);
            }
        });
        // Such a backend mostly answers at once, and needs no runtime then. Others may need one to
        // be asked at all.
        if is_in_process && (&mut removal).now_or_never().is_some() {
            return;
        }
        // Without a runtime nobody can wait for the answer: the token ends by itself.
        if let Ok(runtime) = Handle::try_current() {
            // Nobody may drive that runtime any more, or it ends and the task with it.
            pending::note(self.token());
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

#[cfg(all(test, feature = "memory"))]
mod tests {
    use async_trait::async_trait;

    use super::*;
    use crate::MemoryBackend;
    use crate::backend::store::Store;
    use crate::backend::{Counted, Expiry, KeyStream, Stored};

    /// A memory that isn't asked at once.
    #[derive(Clone)]
    struct Elsewhere(MemoryBackend);

    #[async_trait]
    impl Store for Elsewhere {
        async fn read(&self, key: &str) -> BackendResult<Option<(Stored, Expiry)>> {
            self.0.read(key).await
        }

        async fn put(&self, key: &str, value: &[u8], options: Write<'_>) -> BackendResult<bool> {
            self.0.put(key, value, options).await
        }

        async fn remove(&self, key: &str, expected: Option<&[u8]>) -> BackendResult<bool> {
            self.0.remove(key, expected).await
        }

        async fn add(
            &self,
            key: &str,
            delta: i64,
            ttl: Option<Duration>,
        ) -> BackendResult<Counted> {
            self.0.add(key, delta, ttl).await
        }

        async fn set_life(&self, key: &str, life: Life) -> BackendResult<bool> {
            self.0.set_life(key, life).await
        }

        fn keys<'a>(&'a self, prefix: &str) -> KeyStream<'a> {
            self.0.keys(prefix)
        }
    }

    #[tokio::test]
    async fn a_release_is_noted_until_it_is_done() {
        let backend = Elsewhere(MemoryBackend::new());
        let (key, hour) = (Arc::from("noted"), Duration::from_secs(3600));
        let claim = Claim::take(&backend, &key, hour).await.unwrap().unwrap();
        assert!(!pending::is_noted(&key));
        drop(claim);
        assert!(pending::is_noted(&key));
        while pending::is_noted(&key) {
            tokio::task::yield_now().await;
        }
        assert!(backend.0.is_empty());
    }

    const HOUR: Duration = Duration::from_secs(3600);

    /// A claim whose token was noted, as by a caller that passed its holder by.
    async fn passed_by(backend: &Elsewhere, key: &str) -> Claim<Elsewhere> {
        let claim = Claim::take(backend, &key.into(), HOUR).await;
        let claim = claim.unwrap().unwrap();
        pending::note(claim.token());
        assert!(pending::is_noted(key));
        claim
    }

    #[tokio::test]
    async fn a_token_that_its_holder_releases_is_noted_no_more() {
        let backend = Elsewhere(MemoryBackend::new());
        let mut claim = passed_by(&backend, "released").await;
        assert!(claim.release().await.unwrap());
        assert!(!pending::is_noted("released"));
    }

    #[tokio::test]
    async fn a_token_that_its_holder_exchanges_is_noted_no_more() {
        let backend = Elsewhere(MemoryBackend::new());
        let mut claim = passed_by(&backend, "exchanged").await;
        let to = NewEntry {
            key: "to",
            value: b"value",
            life: Life::In(HOUR),
        };
        assert!(claim.exchange(to, None).await.unwrap());
        assert!(!pending::is_noted("exchanged"));
    }

    #[tokio::test]
    async fn a_token_that_its_holder_finds_lost_is_noted_no_more() {
        let backend = Elsewhere(MemoryBackend::new());
        let mut claim = passed_by(&backend, "lost").await;
        backend.0.delete("lost").await.unwrap();
        assert!(!claim.renew().await.unwrap());
        assert!(!pending::is_noted("lost"));
        // A caller that passes the holder by later doesn't know that the token is lost.
        let to = NewEntry {
            key: "to",
            value: b"value",
            life: Life::In(HOUR),
        };
        pending::note(claim.token());
        assert!(!claim.exchange(to, None).await.unwrap());
        assert!(!pending::is_noted("lost"));
        pending::note(claim.token());
        assert!(!claim.release().await.unwrap());
        assert!(!pending::is_noted("lost"));
    }

    #[tokio::test]
    async fn a_token_that_is_refused_is_noted_no_more() {
        let backend = Elsewhere(MemoryBackend::new());
        backend.0.set("refused", "another's", None).await.unwrap();
        let claim = Claim::new(&backend, &"refused".into(), HOUR).unwrap();
        pending::note(claim.token());
        assert!(claim.put().await.unwrap().is_none());
        assert!(!pending::is_noted("refused"));
    }

    #[tokio::test]
    async fn a_release_that_somebody_else_did_is_noted_no_more() {
        let backend = Elsewhere(MemoryBackend::new());
        let (key, hour) = (Arc::from("done"), Duration::from_secs(3600));
        drop(Claim::take(&backend, &key, hour).await.unwrap().unwrap());
        // On this thread the release hasn't begun.
        let mut next = Claim::take(&backend, &key, hour).await.unwrap().unwrap();
        assert!(!pending::is_noted(&key));
        assert!(next.release().await.unwrap());
    }
}
