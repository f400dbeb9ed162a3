//! Counting in windows: the number of calls of each client, without counters that stay for ever.

use std::net::IpAddr;

use reinhardt_backends::{BackendResult, Expiry, Keyspace, MemoryBackend};

#[derive(Keyspace)]
#[keyspace(prefix = "rate", ttl = "60s", counter)]
struct RateCounter<'a> {
    route: &'a str,
    client: IpAddr,
}

#[tokio::main]
async fn main() -> BackendResult<()> {
    let backend = MemoryBackend::new();
    let client = IpAddr::from([0x2001, 0xdb8, 0, 0, 0, 0, 0, 1]);
    let login = RateCounter {
        route: "/login",
        client,
    };
    println!("counted under \"{}\"", login.key());

    // Tasks on several threads, all with one counter.
    let tasks = (0..4).map(|_| {
        let backend = backend.clone();
        tokio::spawn(async move {
            for _ in 0..250 {
                RateCounter {
                    route: "/login",
                    client,
                }
                .increment(&backend)
                .await?;
            }
            BackendResult::Ok(())
        })
    });
    for task in tasks.collect::<Vec<_>>() {
        task.await.expect("no task panics")?;
    }
    println!("4 tasks, 250 hits each: {}", login.get(&backend).await?);

    let counted = login.hit(&backend).await?;
    if let Expiry::In(left) = counted.expiry {
        println!(
            "hit {}: the window that the first one opened closes in {left:.0?}",
            counted.value
        );
    }

    println!(
        "10 taken back: {}",
        login.increment_by(&backend, -10).await?
    );
    let other = RateCounter { route: "/", client };
    println!(
        "another route counts by itself: {}",
        other.get(&backend).await?
    );
    println!(
        "reset: {}, then {}",
        login.reset(&backend).await?,
        login.get(&backend).await?
    );
    Ok(())
}
