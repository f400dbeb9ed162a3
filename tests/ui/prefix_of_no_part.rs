use reinhardt_backends::Keyspace;

#[derive(Keyspace)]
#[keyspace(prefix = [], ttl = "1m", counter)]
struct Cached {
    id: u64,
}

fn main() {}
