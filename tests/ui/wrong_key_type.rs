use reinhardt_backends::{BackendResult, Keyspace, MemoryBackend};
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize, Keyspace)]
#[keyspace(prefix = "session", ttl = "30m")]
struct Session {
    #[keyspace(key)]
    id: String,
}

async fn get(backend: &MemoryBackend) -> BackendResult<Option<Session>> {
    Session::get(backend, 7_u32).await
}

fn main() {}
