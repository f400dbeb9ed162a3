use reinhardt_backends::Keyspace;
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize, Keyspace)]
#[keyspace(prefix = "note", ttl = "1m", codec = Json)]
#[serde(rename_all(serialize = "camelCase", deserialize = "kebab-case"))]
struct Note {
    #[keyspace(key)]
    id: String,
    written_by: String,
    #[serde(rename = "at")]
    written_at: u64,
    #[serde(alias = "readBy")]
    read_by: String,
}

fn main() {}
