//! Throttling: a client that tries too often waits, for exactly as long as it is told.

use std::net::IpAddr;

use reinhardt_backends::throttle::WhenDown;
use reinhardt_backends::{BackendResult, Keyspace, MemoryBackend};

/// Two attempts a second; up to four may have been saved up.
#[derive(Keyspace)]
#[keyspace(prefix = "login", limit = "2/s", burst = 4)]
struct LoginAttempts {
    client: IpAddr,
}

#[tokio::main]
async fn main() -> BackendResult<()> {
    let backend = MemoryBackend::new();
    let client = IpAddr::from([203, 0, 113, 9]);
    let attempts = LoginAttempts { client };

    for attempt in 1..=5 {
        let decision = attempts.check(&backend).await?;
        let what = if decision.allowed { "passes" } else { "waits" };
        println!(
            "attempt {attempt} {what}: {} of {} left",
            decision.remaining, decision.limit
        );
        if let Some(wait) = decision.retry_after {
            println!(
                "  again in {wait:.0?}; all are back in {:.1?}",
                decision.reset_after
            );
            tokio::time::sleep(wait).await;
            assert!(attempts.check(&backend).await?.allowed);
            println!("  after that time it passes");
        }
    }

    // Of any number of tasks at once, as many pass as the limit has room for.
    attempts.reset(&backend).await?;
    let tasks = (0..100).map(|_| {
        let backend = backend.clone();
        tokio::spawn(async move {
            let decided = LoginAttempts { client }.check(&backend).await;
            // This line chooses whether a call passes while the store is down.
            WhenDown::Refuse.allows(&decided)
        })
    });
    let mut passed = 0;
    for task in tasks.collect::<Vec<_>>() {
        passed += u32::from(task.await.expect("no task panics"));
    }
    println!("100 at once, {passed} pass");
    Ok(())
}
