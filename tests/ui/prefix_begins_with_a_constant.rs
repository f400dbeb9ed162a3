use reinhardt_backends::Keyspace;

const CACHED: &str = "cached";

#[derive(Keyspace)]
#[keyspace(prefix = [CACHED, "user"], ttl = "1m", counter)]
struct Cached {
    id: u64,
}

fn main() {}
