use reinhardt_backends::{BackendResult, Keyspace, MemoryBackend, keyspace};
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize, Keyspace)]
#[keyspace(prefix = "session")]
struct Session {
    #[keyspace(key)]
    id: String,
}

#[derive(Keyspace)]
#[keyspace(prefix = "hits", ttl = "1m", counter)]
enum Hits {
    Login,
}

#[derive(Keyspace)]
#[keyspace(prefix = "page", ttl = "1m", value = )]
struct Page {
    path: String,
}

fn is_entry<K: keyspace::Entry>() {}
fn is_counter<K: keyspace::Counter>() {}
fn is_valued<K: keyspace::Valued>() {}

async fn use_them(backend: &MemoryBackend) -> BackendResult<()> {
    let session = Session { id: "abc".to_string() };
    session.save(backend).await?;
    Session::get(backend, "abc").await?;
    Hits::Login.increment(backend).await?;
    Page { path: "/".to_string() }.delete(backend).await?;
    is_entry::<Session>();
    is_counter::<Hits>();
    is_valued::<Page>();
    Ok(())
}

fn main() {}
