use reinhardt_backends::{BackendResult, Keyspace, MemoryBackend};
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize, Keyspace)]
#[keyspace(prefix = "session", ttl = "30m")]
struct Session {
    #[keyspace(key)]
    id: String,
}

async fn count(session: Session, backend: &MemoryBackend) -> BackendResult<i64> {
    session.increment(backend).await
}

fn main() {}
