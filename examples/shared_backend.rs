//! One backend under sessions, a throttle and a cache; none of them knows which backend it is.

use std::sync::Arc;
use std::time::Duration;

use reinhardt_backends::{Backend, BackendResult, Keyspace, MemoryBackend};
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize, Keyspace)]
#[keyspace(prefix = "session", ttl = "30m")]
struct Session {
    #[keyspace(key)]
    id: String,
    user: String,
}

/// Holds any backend, chosen when the service starts.
struct Throttle {
    backend: Arc<dyn Backend>,
    limit: i64,
}

impl Throttle {
    async fn allows(&self, client: &str) -> BackendResult<bool> {
        let key = format!("throttle:{client}");
        let window = Some(Duration::from_secs(60));
        Ok(self.backend.increment(&key, window).await? <= self.limit)
    }
}

#[tokio::main]
async fn main() -> BackendResult<()> {
    let backend: Arc<dyn Backend> = Arc::new(MemoryBackend::new());
    let throttle = Throttle {
        backend: backend.clone(),
        limit: 2,
    };

    for request in 1..=3 {
        println!(
            "request {request} is allowed: {}",
            throttle.allows("ann").await?
        );
    }

    let session = Session {
        id: "abc".to_string(),
        user: "ann".to_string(),
    };
    session.save(&backend).await?;
    backend.set("page:/", "<h1>hi</h1>", None).await?;
    println!(
        "logged in: {:?}",
        Session::get(&backend, "abc")
            .await?
            .map(|session| session.user)
    );

    println!("sessions cleared: {}", Session::clear(&backend).await?);
    println!("the page stays: {}", backend.exists("page:/").await?);
    println!(
        "and so does the limit: allowed: {}",
        throttle.allows("ann").await?
    );
    Ok(())
}
