use reinhardt_backends::Keyspace;

#[derive(Keyspace)]
#[keyspace(prefix = "session", ttl = "30m")]
struct Session {
    #[keyspace(key)]
    id: String,
}

fn main() {}
