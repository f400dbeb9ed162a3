use reinhardt_backends::Keyspace;

#[derive(Keyspace)]
#[keyspace(prefix = "login", limit = "5/min", lease = "10s")]
struct Login {
    user: String,
}

fn main() {}
