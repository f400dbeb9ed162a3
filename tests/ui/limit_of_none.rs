use reinhardt_backends::Keyspace;

#[derive(Keyspace)]
#[keyspace(prefix = "login", limit = [])]
struct Login {
    user: u64,
}

fn main() {}
