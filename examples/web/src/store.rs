//! Where state is kept: in this process, or on a server that instances share.

use std::sync::Arc;

use reinhardt_backends::{Backend, BackendResult, MemoryBackend, RedisBackend};

/// The store, which knows how to close itself; all others see a [`Backend`].
pub(crate) enum Store {
    Memory(Arc<MemoryBackend>),
    Redis(Arc<RedisBackend>),
}

impl Store {
    /// Connects to the server at `url`; without one everything is kept in memory and ends with the process.
    pub(crate) async fn open(url: Option<&str>) -> BackendResult<Self> {
        let Some(url) = url else {
            tracing::info!("on memory: sessions end with this process");
            return Ok(Self::Memory(Arc::new(MemoryBackend::new())));
        };
        let backend = RedisBackend::builder().url(url).namespace("web");
        let backend = backend.build().await?;
        tracing::info!("on a Redis server, in the namespace \"web\"");
        Ok(Self::Redis(Arc::new(backend)))
    }

    /// Returns what handlers work with.
    pub(crate) fn backend(&self) -> Arc<dyn Backend> {
        match self {
            Self::Memory(backend) => backend.clone(),
            Self::Redis(backend) => backend.clone(),
        }
    }

    /// Waits for the calls under way and closes the connection.
    pub(crate) async fn close(self) {
        if let Self::Redis(backend) = self {
            backend.close().await;
        }
    }
}
