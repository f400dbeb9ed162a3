pub mod orders {
    use reinhardt_backends::Keyspace;
    use reinhardt_backends::keyspace::KeySegment;

    #[derive(KeySegment)]
    struct UserId(u64);

    #[derive(KeySegment)]
    pub(crate) struct ShopId(u64);

    #[derive(Keyspace)]
    #[keyspace(prefix = "orders", ttl = never, counter)]
    pub struct Orders {
        region: String,
        user: UserId,
    }

    #[derive(Keyspace)]
    #[keyspace(prefix = "sales", ttl = never, counter)]
    pub struct Sales<'a> {
        user: &'a UserId,
        region: String,
        shop: ShopId,
    }
}

fn main() {}
