use reinhardt_backends::Keyspace;

#[derive(Keyspace)]
#[keyspace(prefix = "hits", ttl = "soon", counter)]
struct Hits {
    route: String,
}

fn main() {}
