use reinhardt_backends::{BackendResult, Keyspace, MemoryBackend};

#[derive(Keyspace)]
#[keyspace(prefix = "page", ttl = "5m", value = String)]
struct Page {
    path: String,
}

async fn set(page: Page, backend: &MemoryBackend) -> BackendResult<()> {
    page.set(backend, 7_u32).await
}

fn main() {}
