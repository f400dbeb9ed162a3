pub mod pages {
    use reinhardt_backends::Keyspace;
    use serde::{Deserialize, Serialize};

    #[derive(Serialize, Deserialize)]
    struct Html(String);

    #[derive(Keyspace)]
    #[keyspace(prefix = "page", ttl = "1m", value = Html)]
    pub struct Page {
        path: String,
    }
}

fn main() {}
