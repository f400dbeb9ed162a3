use reinhardt_backends::Keyspace;

#[derive(Keyspace)]
#[keyspace(prefix = "hits", ttl = 60, counter)]
struct Hits {
    route: String,
}

fn main() {}
