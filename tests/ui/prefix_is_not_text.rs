use reinhardt_backends::Keyspace;

const PREFIX: &str = "hits";

#[derive(Keyspace)]
#[keyspace(prefix = PREFIX, ttl = "1m", counter)]
struct Hits {
    route: String,
}

fn main() {}
