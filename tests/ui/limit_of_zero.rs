use reinhardt_backends::Keyspace;

#[derive(Keyspace)]
#[keyspace(prefix = "login", limit = "0/min")]
struct Login {
    user: u64,
}

fn main() {}
