mod pages {
    use reinhardt_backends::Keyspace;

    #[derive(Keyspace)]
    #[keyspace(prefix = "page", ttl = "1m", value = String)]
    pub struct Page<'a> {
        pub locale: &'a str,
        path: &'a str,
    }
}

fn main() {
    let _ = pages::Page::at("en", "/");
}
