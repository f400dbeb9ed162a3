use reinhardt_backends::Keyspace;

const NUMBER: u64 = 7;

#[derive(Keyspace)]
#[keyspace(prefix = ["cached", NUMBER], ttl = "1m", counter)]
struct Cached {
    id: u64,
}

fn main() {}
