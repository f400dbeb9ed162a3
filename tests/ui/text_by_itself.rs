use reinhardt_backends::Keyspace;

#[derive(Keyspace)]
#[keyspace("hits", ttl = "1m", counter)]
struct Hits {
    route: String,
}

fn main() {}
