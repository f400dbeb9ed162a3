use reinhardt_backends::{BackendResult, Keyspace, MemoryBackend};
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize, Keyspace)]
#[keyspace(prefix = "session", ttl = "30m")]
struct Session {
    #[keyspace(key)]
    id: String,
}

async fn read(backend: &MemoryBackend, session: Session) -> BackendResult<()> {
    Session::get_many(backend, [&session]).await?;
    Ok(())
}

fn main() {}
