use reinhardt_backends::{BackendResult, Keyspace, MemoryBackend};
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize, Keyspace)]
#[keyspace(prefix = "session", ttl = "30m")]
struct Session {
    #[keyspace(key)]
    id: String,
    roles: Vec<String>,
}

async fn leave(backend: &MemoryBackend) -> BackendResult<Option<Session>> {
    Session::update(backend, "abc", |session| session.roles.pop()).await
}

fn main() {}
