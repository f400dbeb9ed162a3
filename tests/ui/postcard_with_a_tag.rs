use reinhardt_backends::Keyspace;
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize, Keyspace)]
#[serde(tag = "kind")]
#[keyspace(prefix = "session", ttl = "30m", codec = Postcard)]
struct Session {
    #[keyspace(key)]
    id: u64,
}

fn main() {}
