use std::cell::Cell;

use reinhardt_backends::Keyspace;
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize, Keyspace)]
#[keyspace(prefix = "session", ttl = "30m", shared)]
struct Session {
    #[keyspace(key)]
    id: String,
    seen: Cell<u32>,
}

fn main() {}
