use reinhardt_backends::Keyspace;

#[derive(Keyspace)]
#[keyspace(prefix = "page", ttl = "1m", value = String)]
struct Old {
    path: String,
}

#[derive(Keyspace)]
#[keyspace(prefix = "page", ttl = "1m", value = String, migrates = Old)]
struct Page {
    path: String,
}

fn main() {}
