use reinhardt_backends::Keyspace;
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize, Keyspace)]
#[keyspace(prefix = "session", ttl = "30m")]
struct Session {
    #[keyspace(key)]
    id: u64,
    #[serde(skip_serializing)]
    seen: Vec<u8>,
    #[serde(skip_serializing)]
    note: Option<String>,
    #[serde(skip_serializing, default)]
    hits: u64,
    #[serde(skip)]
    cached: u64,
}

fn main() {}
