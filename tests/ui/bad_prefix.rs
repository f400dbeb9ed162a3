use reinhardt_backends::Keyspace;

#[derive(Keyspace)]
#[keyspace(prefix = "user:hits", ttl = "1m", counter)]
struct Separator {
    route: String,
}

#[derive(Keyspace)]
#[keyspace(prefix = "Hits", ttl = "1m", counter)]
struct UpperCase {
    route: String,
}

#[derive(Keyspace)]
#[keyspace(prefix = "", ttl = "1m", counter)]
struct Empty {
    route: String,
}

#[derive(Keyspace)]
#[keyspace(prefix = "1st", ttl = "1m", counter)]
struct Digit {
    route: String,
}

fn main() {}
