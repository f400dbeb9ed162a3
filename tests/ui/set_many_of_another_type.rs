use reinhardt_backends::{BackendResult, Keyspace, MemoryBackend};

#[derive(Keyspace)]
#[keyspace(prefix = "page", ttl = "1m", value = String)]
struct Page {
    path: String,
}

async fn write(backend: &MemoryBackend, page: &Page) -> BackendResult<()> {
    Page::set_many(backend, [(page, 7_u64)]).await
}

fn main() {}
