use reinhardt_backends::Keyspace;
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize, Keyspace)]
#[keyspace(prefix = "session", ttl = "30m")]
struct SessionV1 {
    #[keyspace(key)]
    id: String,
}

#[derive(Serialize, Deserialize, Keyspace)]
#[keyspace(prefix = "session", ttl = "30m", version = 2, migrates = SessionV1)]
struct Session {
    #[keyspace(key)]
    id: String,
    user: u64,
}

fn main() {}
