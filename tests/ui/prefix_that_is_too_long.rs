use reinhardt_backends::Keyspace;

const LONG: &str = "a23456789_123456789_123456789_123456789_123456789_123456789_1234";

#[derive(Keyspace)]
#[keyspace(prefix = ["cached", LONG, LONG], ttl = "1m", counter)]
struct Cached {
    id: u64,
}

fn main() {}
