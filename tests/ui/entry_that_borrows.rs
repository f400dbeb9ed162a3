use reinhardt_backends::{BackendResult, Keyspace, MemoryBackend};
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize, Keyspace)]
#[keyspace(prefix = "session", ttl = "30m")]
struct Session<'a> {
    #[keyspace(key)]
    id: &'a str,
    avatar: Option<&'a [u8]>,
}

// One mistake is one error: no call is told of it again.
async fn use_it(backend: &MemoryBackend) -> BackendResult<()> {
    Session::get(backend, "abc").await?;
    Session { id: "abc", avatar: None }.save(backend).await?;
    Session::update(backend, "abc", |session| session.avatar = None).await?;
    let _entries = Session::scan(backend);
    Ok(())
}

fn main() {}
