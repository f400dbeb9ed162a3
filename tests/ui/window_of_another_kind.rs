use reinhardt_backends::Keyspace;

#[derive(Keyspace)]
#[keyspace(prefix = "login", limit = "5/min", window = "rolling")]
struct Login {
    user: u64,
}

fn main() {}
