use reinhardt_backends::{BackendResult, Keyspace, MemoryBackend};

#[derive(Keyspace)]
#[keyspace(prefix = "page", ttl = "1m", value = String)]
struct Page {
    path: String,
}

async fn read(backend: &MemoryBackend) -> BackendResult<()> {
    Page::get_many(backend, ["/", "/about"]).await?;
    Ok(())
}

fn main() {}
