//! A leaderboard: a sorted set beside typed keyspaces, on the same server and by the same login.
//!
//! `cargo run --example leaderboard -- --redis redis://localhost:6379`, or `REDIS_URL`, keeps the
//! scores in a sorted set, which the server holds in order. Without a server the scores are a
//! keyspace in memory, which is read as a whole and sorted here: fine for a few hundred players.

use std::error::Error;

use futures::TryStreamExt;
use redis::{AsyncCommands, pipe};
use reinhardt_backends::{BackendResult, Keyspace, MemoryBackend, RedisBackend, redis};
use serde::{Deserialize, Serialize};

/// A player's page, which is read by its key alone.
#[derive(Serialize, Deserialize, Keyspace)]
#[keyspace(prefix = "player", ttl = never)]
struct Player {
    #[keyspace(key)]
    id: u32,
    name: String,
}

/// The scores, where there is no sorted set.
#[derive(Keyspace)]
#[keyspace(prefix = "score", ttl = "7d", counter)]
struct Score {
    player: u32,
}

/// The scores of a week are gone when it is over.
const WEEK: i64 = 7 * 24 * 3600;
const PLAYERS: [(u32, &str); 4] = [(1, "ann"), (2, "bob"), (3, "cyn"), (4, "dan")];
const GAMES: [(u32, i64); 6] = [(1, 30), (2, 50), (3, 20), (1, 40), (4, 10), (3, 15)];

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let url = std::env::args().skip_while(|word| word != "--redis").nth(1);
    match url.or_else(|| std::env::var("REDIS_URL").ok()) {
        Some(url) => on_server(&url).await?,
        None => in_memory().await?,
    }
    Ok(())
}

async fn on_server(url: &str) -> Result<(), Box<dyn Error>> {
    let backend = RedisBackend::new(url).await?;
    for (id, name) in PLAYERS {
        let name = name.to_string();
        Player { id, name }.save(&backend).await?;
    }
    // A name in the namespace of the backend. On a cluster one node has the whole board.
    let board = backend.redis_key("board:48");
    let mut redis = backend.connection().await?;
    for (player, points) in GAMES {
        // Both commands or neither: no board without an expiry is left behind.
        let mut both = pipe();
        both.atomic().zincr(&board, player, points).ignore();
        both.expire(&board, WEEK).ignore();
        both.exec_async(&mut redis).await?;
    }

    let best: Vec<(u32, f64)> = redis.zrevrange_withscores(&board, 0, 2).await?;
    let ids: Vec<u32> = best.iter().map(|(id, _)| *id).collect();
    let players = Player::get_many(&backend, ids).await?;
    for (place, ((_, points), player)) in (1..).zip(best.iter().zip(players)) {
        let name = player.map_or_else(|| "somebody".to_string(), |player| player.name);
        println!("{place}. {name}: {points}");
    }
    let rank: Option<u32> = redis.zrevrank(&board, 4).await?;
    println!("dan's place: {:?}", rank.map(|rank| rank + 1));

    // A command that blocks is refused, because other callers use the connection too.
    let blocked: Result<Option<(String, u32, f64)>, _> = redis.bzpopmax(&board, 0.0).await;
    if let Err(error) = blocked {
        println!("{error}");
    }
    let () = redis.del(&board).await?;
    Player::delete_many(&backend, PLAYERS.map(|(id, _)| id)).await?;
    backend.close().await;
    Ok(())
}

async fn in_memory() -> BackendResult<()> {
    println!("In memory. (`--redis URL` or REDIS_URL names a server.)");
    let backend = MemoryBackend::new();
    for (player, points) in GAMES {
        Score { player }.increment_by(&backend, points).await?;
    }
    let mut scores: Vec<(Score, i64)> = Score::scan(&backend).try_collect().await?;
    scores.sort_by_key(|(_, points)| std::cmp::Reverse(*points));
    for (place, (score, points)) in (1..).zip(scores.iter().take(3)) {
        let mut players = PLAYERS.iter();
        let name = players.find(|(id, _)| *id == score.player);
        println!(
            "{place}. {}: {points}",
            name.map_or("somebody", |(_, name)| name)
        );
    }
    Ok(())
}
