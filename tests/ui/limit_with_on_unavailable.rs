use reinhardt_backends::Keyspace;

#[derive(Keyspace)]
#[keyspace(prefix = "login", limit = "5/min", on_unavailable = "miss")]
struct Login {
    user: String,
}

fn main() {}
