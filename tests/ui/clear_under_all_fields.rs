use reinhardt_backends::{BackendResult, Keyspace, MemoryBackend};

#[derive(Keyspace)]
#[keyspace(prefix = "orders", ttl = "1m", value = String)]
struct Order {
    shop: String,
    user: u64,
    number: u64,
}

async fn clear(backend: &MemoryBackend) -> BackendResult<u64> {
    Order::clear_under(backend, ("shop", 7, 8)).await
}

fn main() {}
