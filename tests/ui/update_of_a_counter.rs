use reinhardt_backends::{BackendResult, Keyspace, MemoryBackend};

#[derive(Keyspace)]
#[keyspace(prefix = "hits", ttl = "1m", counter)]
struct Hits {
    route: String,
}

async fn change(backend: &MemoryBackend, hits: Hits) -> BackendResult<()> {
    hits.update_or_insert_with(backend, |count| *count += 1, || 1)
        .await?;
    Ok(())
}

fn main() {}
