use reinhardt_backends::Keyspace;
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize, Keyspace)]
#[keyspace(prefix = "note", ttl = "1m")]
struct Note {
    #[keyspace(key)]
    #[serde(rename(serialize = "note_id"), default)]
    id: String,
    #[serde(rename(serialize = "text", deserialize = "body"))]
    content: String,
    #[serde(rename(deserialize = "by"))]
    author: String,
}

fn main() {}
