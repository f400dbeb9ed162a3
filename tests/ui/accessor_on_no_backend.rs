use reinhardt_backends::{BackendResult, Keyspace, MemoryBackend};
use serde::{Deserialize, Serialize};

struct Application {
    backend: MemoryBackend,
}

#[derive(Serialize, Deserialize, Keyspace)]
#[keyspace(prefix = "session", ttl = "30m")]
struct Session {
    #[keyspace(key)]
    id: String,
}

async fn get(application: &Application) -> BackendResult<Option<Session>> {
    Session::get(application, "abc").await
}

fn main() {}
