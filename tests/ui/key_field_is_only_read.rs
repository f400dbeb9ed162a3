use reinhardt_backends::Keyspace;
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize, Keyspace)]
#[keyspace(prefix = "note", ttl = "1m")]
struct Note {
    #[keyspace(key)]
    #[serde(default, skip_serializing)]
    id: String,
    text: String,
}

fn main() {}
