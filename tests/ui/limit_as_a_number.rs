use reinhardt_backends::Keyspace;

#[derive(Keyspace)]
#[keyspace(prefix = "login", limit = 5)]
struct Login {
    user: u64,
}

fn main() {}
