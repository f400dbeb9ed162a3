use reinhardt_backends::Keyspace;

#[derive(Keyspace)]
#[keyspace(prefix = "Hits", ttl = "soon", value = , color, counter = 1)]
struct Hits {
    #[keyspace(segment)]
    route: String,
}

fn main() {}
