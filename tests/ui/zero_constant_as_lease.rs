use std::time::Duration;

use reinhardt_backends::Keyspace;

const NONE: Duration = Duration::ZERO;

#[derive(Keyspace)]
#[keyspace(prefix = "page", ttl = "1m", value = String, lease = NONE)]
struct Page {
    path: String,
}

fn main() {}
