use reinhardt_backends::Keyspace;
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize, Keyspace)]
#[keyspace]
struct Session {
    #[keyspace(key)]
    id: String,
}

#[derive(Serialize, Deserialize, Keyspace)]
#[keyspace()]
struct Login {
    #[keyspace(key)]
    id: String,
}

fn main() {}
