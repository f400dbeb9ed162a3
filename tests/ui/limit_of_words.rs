use reinhardt_backends::Keyspace;

#[derive(Keyspace)]
#[keyspace(prefix = "login", limit = "five/min")]
struct Login {
    user: u64,
}

fn main() {}
