use reinhardt_backends::{Keyspace, MemoryBackend};
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize, Keyspace)]
#[keyspace(prefix = "session", ttl = "30m")]
struct Session {
    #[keyspace(key)]
    id: String,
}

fn main() {
    let _ = Session::get_shared(&MemoryBackend::new(), "abc");
}
