use reinhardt_backends::Keyspace;
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize, Keyspace)]
#[keyspace(prefix = "session", ttl = "30m", stale = "10m")]
struct Session {
    #[keyspace(key)]
    id: String,
}

fn main() {}
