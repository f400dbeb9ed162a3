use reinhardt_backends::Keyspace;

#[derive(Keyspace)]
#[keyspace(prefix = "hits", ttl = "1m", counter)]
enum Hits {
    Login,
    Logout,
}

fn main() {}
