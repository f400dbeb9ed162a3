use reinhardt_backends::Keyspace;
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize, Keyspace)]
#[keyspace(prefix = "note", ttl = "1m", codec = Postcard)]
struct Note {
    #[keyspace(key)]
    #[serde(skip_deserializing)]
    id: String,
    text: String,
}

fn main() {}
