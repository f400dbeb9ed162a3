use reinhardt_backends::Keyspace;
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize, Keyspace)]
#[keyspace(prefix = "session", ttl = "30m")]
struct Session {
    #[keyspace(key)]
    id: String,
    #[keyspace("user")]
    user: String,
    #[keyspace]
    group: String,
    #[keyspace = "key"]
    team: String,
    #[keyspace(1)]
    place: u32,
    #[keyspace(key = true)]
    realm: String,
}

fn main() {}
