use std::time::Duration;

use reinhardt_backends::Keyspace;

#[derive(Keyspace)]
#[keyspace(prefix = "hits", ttl = Duration::MAX, counter)]
struct Hits {
    route: String,
}

fn main() {}
