use std::borrow::Cow;

use reinhardt_backends::Keyspace;
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize, Keyspace)]
#[keyspace(prefix = "session", ttl = "30m")]
struct Session<'a> {
    #[keyspace(key)]
    id: String,
    #[serde(borrow)]
    name: Cow<'a, str>,
}

fn main() {}
