use reinhardt_backends::Keyspace;
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize, Keyspace)]
#[keyspace = "session"]
struct Session {
    #[keyspace(key)]
    id: String,
}

fn main() {}
