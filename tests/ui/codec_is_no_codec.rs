use reinhardt_backends::Keyspace;

struct Yaml;

#[derive(Keyspace)]
#[keyspace(prefix = "page", ttl = "1m", value = String, codec = Yaml)]
struct Page {
    path: String,
}

fn main() {}
