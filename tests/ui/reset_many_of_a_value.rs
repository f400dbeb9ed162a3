use reinhardt_backends::{BackendResult, Keyspace, MemoryBackend};

#[derive(Keyspace)]
#[keyspace(prefix = "page", ttl = "1m", value = String)]
struct Page {
    path: String,
}

async fn reset(backend: &MemoryBackend, page: Page) -> BackendResult<u64> {
    Page::reset_many(backend, [page]).await
}

fn main() {}
