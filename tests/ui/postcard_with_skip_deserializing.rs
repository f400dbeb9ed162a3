use reinhardt_backends::Keyspace;
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize, Keyspace)]
#[keyspace(prefix = "session", ttl = "30m", codec = Postcard)]
struct Session {
    #[keyspace(key)]
    id: u64,
    #[serde(skip_deserializing)]
    rest: u8,
}

fn main() {}
