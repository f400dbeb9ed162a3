use reinhardt_backends::Keyspace;

#[derive(Keyspace)]
#[keyspace(prefix = "login", limit = "5/min", ttl = "1h")]
struct Login {
    user: u64,
}

fn main() {}
