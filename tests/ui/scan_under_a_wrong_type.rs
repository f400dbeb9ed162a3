use reinhardt_backends::{Keyspace, MemoryBackend};

#[derive(Keyspace)]
#[keyspace(prefix = "orders", ttl = "1m", value = String)]
struct Order {
    shop: String,
    user: u64,
    number: u64,
}

fn scan(backend: &MemoryBackend) {
    let _stream = Order::scan_under(backend, 7);
}

fn main() {}
