use reinhardt_backends::Keyspace;

#[derive(Keyspace)]
#[keyspace(prefix = "page", ttl = "1m", value = String)]
struct Old {
    path: String,
}

#[derive(Keyspace)]
#[keyspace(prefix = "page", ttl = "1m", value = String, version = 1, migrates = Old)]
struct Page {
    path: String,
}

fn main() {}
