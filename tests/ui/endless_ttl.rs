use reinhardt_backends::Keyspace;

#[derive(Keyspace)]
#[keyspace(prefix = "hits", ttl = "10001y", counter)]
struct Hits {
    route: String,
}

fn main() {}
