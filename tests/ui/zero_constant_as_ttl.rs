use std::time::Duration;

use reinhardt_backends::Keyspace;

const WINDOW: Duration = Duration::ZERO;

#[derive(Keyspace)]
#[keyspace(prefix = "hits", ttl = WINDOW, counter)]
struct Hits<'a> {
    route: &'a str,
}

fn main() {}
