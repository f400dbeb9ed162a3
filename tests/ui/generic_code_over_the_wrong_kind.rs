use reinhardt_backends::{Backend, BackendResult, Keyspace, MemoryBackend, keyspace};

#[derive(Keyspace)]
#[keyspace(prefix = "hits", ttl = "1m", counter)]
struct Hits {
    route: String,
}

async fn read<K: keyspace::Valued>(
    backend: &impl Backend,
    key: keyspace::Key,
) -> BackendResult<Option<K::Value>> {
    keyspace::get::<K, _>(backend, key).await
}

async fn read_hits(backend: &MemoryBackend, hits: Hits) -> BackendResult<()> {
    read::<Hits>(backend, hits.key()).await?;
    Ok(())
}

fn main() {}
