//! The store of all state: in this process, or on a server that instances share.

use std::sync::Arc;

use reinhardt_backends::inspector::Reads;
use reinhardt_backends::layer::Observe;
use reinhardt_backends::{Backend, BackendResult, MemoryBackend, RedisBackend};

/// Connects to the server at `url`. Without a URL everything is kept in memory and ends with the
/// process.
///
/// `reads` counts what is read, for the inspector.
pub(crate) async fn open(url: Option<&str>, reads: &Reads) -> BackendResult<Arc<dyn Backend>> {
    let Some(url) = url else {
        tracing::info!("on memory: sessions end with this process");
        let backend = MemoryBackend::new().layer(observed("memory"));
        return Ok(Arc::new(backend.layer(reads.clone())));
    };
    let backend = connect(url).await?;
    tracing::info!("on a Redis server, in the namespace \"web\"");
    let backend = backend.layer(observed("redis"));
    Ok(Arc::new(backend.layer(reads.clone())))
}

/// Connects to the server at `url`, without layers.
pub(crate) async fn connect(url: &str) -> BackendResult<RedisBackend> {
    let backend = RedisBackend::builder().url(url).namespace("web");
    backend.build().await
}

/// Every call of the store is a span, and counts in the metrics.
fn observed(system: &'static str) -> Observe {
    Observe::new()
        .with_metrics()
        .with_tracing()
        .with_system(system)
}
