use reinhardt_backends::Keyspace;
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize, Keyspace)]
#[keyspace(prefix = "session", ttl = "30m")]
struct Session {
    #[keyspace(key)]
    id: String,
    #[keyspace(tag)]
    user: String,
}

fn main() {}
