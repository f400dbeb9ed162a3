use std::time::Duration;

use reinhardt_backends::Keyspace;

#[derive(Keyspace)]
#[keyspace(prefix = "hits", ttl = Duration::from_secs(60), counter)]
struct Hits {
    route: String,
}

fn main() {}
