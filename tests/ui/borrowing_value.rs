use reinhardt_backends::Keyspace;

#[derive(Keyspace)]
#[keyspace(prefix = "page", ttl = "5m", value = std::borrow::Cow<'a, str>)]
struct Page<'a> {
    path: &'a str,
}

fn main() {}
