use reinhardt_backends::{BackendResult, Keyspace, MemoryBackend};
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize, Keyspace)]
#[keyspace(prefix = "session", ttl = "30m")]
struct Session {
    #[keyspace(key)]
    id: String,
}

#[derive(Keyspace)]
#[keyspace(prefix = "page", ttl = "1m", value = String)]
struct Page {
    path: String,
}

async fn write(backend: &MemoryBackend, page: Page) -> BackendResult<()> {
    Session::save_many(backend, [page]).await
}

fn main() {}
