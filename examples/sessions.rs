//! The life of a login session: create without collision, read, touch, change, log out.

use std::time::Duration;

use futures::TryStreamExt;
use reinhardt_backends::{BackendResult, ErrorKind, Expiry, Keyspace, MemoryBackend};
use serde::{Deserialize, Serialize};

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Keyspace)]
#[keyspace(prefix = "session", ttl = "30m")]
struct Session {
    #[keyspace(key)]
    id: String,
    user: String,
    visits: u32,
}

#[tokio::main]
async fn main() -> BackendResult<()> {
    let backend = MemoryBackend::new();
    let session = Session {
        id: "4f1c".to_string(),
        user: "ann".to_string(),
        visits: 0,
    };

    println!(
        "a fresh id is free: {}",
        session.save_if_absent(&backend).await?
    );
    println!(
        "the same id again: {}",
        session.save_if_absent(&backend).await?
    );

    session.save_for(&backend, Duration::from_secs(5)).await?;
    Session::touch(&backend, "4f1c").await?;
    if let Some(Expiry::In(left)) = Session::ttl(&backend, "4f1c").await? {
        println!(
            "touched: {} minutes left, the value as it was",
            left.as_secs_f64().ceil() / 60.0
        );
    }

    let visit = |session: &mut Session| session.visits += 1;
    let (one, two) = tokio::try_join!(
        Session::update(&backend, "4f1c", visit),
        Session::update(&backend, "4f1c", visit),
    )?;
    let visits = [one, two].map(|session| session.map_or(0, |session| session.visits));
    println!("two updates at once lose nothing: {visits:?}");

    let stolen = Session::update(&backend, "4f1c", |session| session.id = "other".to_string());
    let refused = stolen
        .await
        .is_err_and(|error| error.kind() == ErrorKind::InvalidKey);
    println!("an update can't move it to another key: refused: {refused}");

    let users: Vec<Session> = Session::scan(&backend).try_collect().await?;
    println!(
        "logged in: {:?}",
        users
            .iter()
            .map(|session| &session.user)
            .collect::<Vec<_>>()
    );

    println!("logged out: {}", Session::delete(&backend, "4f1c").await?);
    println!(
        "a request that still holds it can't save it: {}",
        session.save_if_present(&backend).await?
    );
    Ok(())
}
