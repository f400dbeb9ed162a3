use reinhardt_backends::Keyspace;

#[derive(Keyspace)]
#[keyspace(prefix = "login", limit = "5/min", counter)]
struct Login {
    user: u64,
}

fn main() {}
