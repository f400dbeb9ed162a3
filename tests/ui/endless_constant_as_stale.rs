use std::time::Duration;

use reinhardt_backends::Keyspace;

const LONG: Duration = Duration::MAX;

#[derive(Keyspace)]
#[keyspace(prefix = "page", ttl = "1m", value = String, stale = LONG)]
struct Page {
    path: String,
}

fn main() {}
