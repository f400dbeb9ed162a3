use reinhardt_backends::Keyspace;

#[derive(Keyspace)]
#[keyspace(prefix = "page", ttl = "1m", value = String)]
struct Page {
    size: f64,
}

fn main() {}
