use reinhardt_backends::{BackendResult, Keyspace, MemoryBackend};
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize, Keyspace)]
#[keyspace(prefix = "membership", ttl = never)]
struct Membership {
    #[keyspace(key)]
    org: u32,
    #[keyspace(key)]
    user: String,
}

async fn get(backend: &MemoryBackend) -> BackendResult<Option<Membership>> {
    Membership::get(backend, "ann", 3).await
}

fn main() {}
