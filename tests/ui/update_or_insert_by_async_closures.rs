use reinhardt_backends::{BackendResult, Keyspace, MemoryBackend};

#[derive(Keyspace)]
#[keyspace(prefix = "visits", ttl = "30m", value = Vec<String>)]
struct Visits {
    route: String,
}

async fn change(backend: &MemoryBackend, visits: Visits) -> BackendResult<Vec<String>> {
    visits.update_or_insert_with(backend, async |all| all.push("ann".to_string()), Vec::new).await
}

async fn insert(backend: &MemoryBackend, visits: Visits) -> BackendResult<Vec<String>> {
    visits.update_or_insert_with(backend, |all| all.clear(), async || Vec::new()).await
}

fn main() {}
