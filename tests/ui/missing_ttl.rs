use reinhardt_backends::Keyspace;

#[derive(Keyspace)]
#[keyspace(prefix = "hits", counter)]
struct Hits {
    route: String,
}

fn main() {}
