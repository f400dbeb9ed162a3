//! A visitor logs in and out: a fresh id at login, requests at the same time, and "log out
//! everywhere".
//!
//! `cargo run --example logins` runs it in memory; `-- --redis redis://localhost:6379`, or
//! `REDIS_URL`, on a server.

use std::sync::Arc;
use std::time::Duration;

use reinhardt_backends::session::{SessionError, SessionStore};
use reinhardt_backends::{Backend, MemoryBackend, RedisBackend};
use serde::{Deserialize, Serialize};

#[derive(Debug, Default, Serialize, Deserialize)]
struct Visit {
    basket: Vec<u64>,
}

const USER: u64 = 7;

#[tokio::main]
async fn main() -> Result<(), SessionError> {
    let url = std::env::args().skip_while(|word| word != "--redis").nth(1);
    let backend: Arc<dyn Backend> = match url.or_else(|| std::env::var("REDIS_URL").ok()) {
        None => Arc::new(MemoryBackend::new()),
        Some(url) => Arc::new(RedisBackend::new(&url).await?),
    };
    let sessions: SessionStore<Visit> = SessionStore::builder(backend)
        .idle(Duration::from_secs(30 * 60))
        .absolute(Duration::from_secs(12 * 3600))
        .build()?;

    let mut session = sessions.create_anonymous(Visit::default()).await?;
    let planted = session.id().to_string();
    session.basket.push(1001);
    sessions.save(&mut session).await?;
    println!("a visitor's id has {} characters", planted.len());
    println!("and shows nothing in a log: {:?}", session.id());

    sessions.cycle(&mut session, &USER).await?;
    let cookie = session.id().to_string();
    println!(
        "logged in as {:?} with the basket {:?}; the id from before is alive: {}",
        session.owner(),
        session.basket,
        sessions.load(&planted).await?.is_some()
    );

    let add = |item| {
        let (sessions, cookie) = (sessions.clone(), cookie.clone());
        async move {
            sessions
                .update(&cookie, |visit| visit.basket.push(item))
                .await
        }
    };
    tokio::try_join!(add(1002), add(1003))?;
    let saved = sessions.save(&mut session).await;
    println!("two updates at once, and then a save of what was there before: {saved:?}");
    if let Some(loaded) = sessions.load(&cookie).await? {
        println!("so nothing is lost: {} items", loaded.basket.len());
        session = loaded;
    }

    sessions.create(&USER, Visit::default()).await?;
    println!(
        "logged out everywhere: {}",
        sessions.delete_all(&USER).await?
    );
    let saved = sessions.save(&mut session).await;
    println!("a request that still holds the session: {saved:?}");
    println!(
        "what a client makes up: {:?}",
        sessions.load("../admin").await?.is_some()
    );
    Ok(())
}
