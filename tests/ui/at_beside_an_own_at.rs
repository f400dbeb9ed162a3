use reinhardt_backends::Keyspace;

#[derive(Keyspace)]
#[keyspace(prefix = "page", ttl = "1m", value = String)]
struct Page<'a> {
    path: &'a str,
}

impl<'a> Page<'a> {
    fn at(path: &'a str) -> Self {
        Self { path }
    }
}

fn main() {}
