use reinhardt_backends::{BackendResult, Keyspace, MemoryBackend};
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize, Keyspace)]
#[keyspace(prefix = "session", ttl = "30m")]
struct Session {
    #[keyspace(key)]
    id: String,
    visits: u32,
}

async fn visit(backend: &MemoryBackend) -> BackendResult<Option<Session>> {
    Session::try_update(backend, "abc", async |session| { session.visits += 1; Ok(()) }).await
}

fn main() {}
