use reinhardt_backends::Keyspace;

#[derive(Keyspace)]
#[keyspace(prefix = "hits", ttl = "1m", counter = u64)]
struct Hits {
    route: String,
}

fn main() {}
