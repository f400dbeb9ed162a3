use reinhardt_backends::Keyspace;
use reinhardt_backends::keyspace::KeySegment;
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize, KeySegment)]
struct UserId {
    id: u64,
}

#[derive(Serialize, Deserialize, Keyspace)]
#[keyspace(prefix = "session", ttl = "30m", codec = Postcard)]
struct Session {
    #[keyspace(key)]
    #[serde(flatten)]
    user: UserId,
}

fn main() {}
