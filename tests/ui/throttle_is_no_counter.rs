use reinhardt_backends::{Keyspace, MemoryBackend};

#[derive(Keyspace)]
#[keyspace(prefix = "login", limit = "5/min")]
struct Login {
    user: u64,
}

fn main() {
    let _ = Login { user: 7 }.increment(&MemoryBackend::new());
}
