//! A command of the crate redis goes to the node of its key, or is refused.

use std::time::{Duration, Instant};

use redis::{AsyncCommands, ErrorKind as RedisErrorKind, RedisResult, Script, Value, cmd, pipe};
use reinhardt_backends::{BackendError, ErrorKind, RedisBackend, RedisConnection};
use reinhardt_backends_tests::{Cluster, command};

use super::{PATIENCE, builder};

async fn connected(cluster: &Cluster) -> (RedisBackend, RedisConnection) {
    let backend = cluster.connect().await;
    let redis = backend.connection().await.unwrap();
    (backend, redis)
}

#[tokio::test]
async fn a_command_goes_to_the_node_of_its_key() {
    let cluster = Cluster::shared();
    let (backend, mut redis) = connected(&cluster).await;
    for index in 0..60 {
        let key = backend.redis_key(&format!("z{index}"));
        let _: () = redis.zadd(&key, "m", index).await.unwrap();
        assert_eq!(redis.zscore(&key, "m").await, Ok(Some(f64::from(index))));
        let encoding: RedisResult<String> = cmd("OBJECT")
            .arg("ENCODING")
            .arg(&key)
            .query_async(&mut redis)
            .await;
        assert!(encoding.is_ok(), "{encoding:?}");
        let stream = backend.redis_key(&format!("s{index}"));
        let add: RedisResult<String> = cmd("XADD")
            .arg(&stream)
            .arg("1-1")
            .arg("k")
            .arg("v")
            .query_async(&mut redis)
            .await;
        assert_eq!(add, Ok("1-1".to_string()));
        let read: RedisResult<Value> = cmd("XREAD")
            .arg("COUNT")
            .arg(1)
            .arg("STREAMS")
            .arg(&stream)
            .arg("0")
            .query_async(&mut redis)
            .await;
        assert!(matches!(read, Ok(Value::Map(_))), "{read:?}");
    }
    // Several keys in one slot, and in several.
    let tagged = |name: &str| backend.redis_key(&format!("{{t}}{name}"));
    let _: () = redis.zadd(tagged("a"), "m", 1).await.unwrap();
    let _: () = redis.zadd(tagged("b"), "n", 1).await.unwrap();
    let union: RedisResult<u64> = redis
        .zunionstore(tagged("c"), &[tagged("a"), tagged("b")])
        .await;
    assert_eq!(union, Ok(2));
    let several: RedisResult<u64> = redis.del(&["a", "b"]).await;
    assert_eq!(several.unwrap_err().code(), Some("CROSSSLOT"));
}

#[tokio::test]
async fn scripts_are_loaded_on_every_node() {
    let cluster = Cluster::shared();
    let (backend, mut redis) = connected(&cluster).await;
    let script = Script::new("return redis.call('INCRBY', KEYS[1], ARGV[1]) -- of a cluster");
    for index in 0..30 {
        let key = backend.redis_key(&format!("n{index}"));
        let added: RedisResult<i64> = script.key(key).arg(2).invoke_async(&mut redis).await;
        assert_eq!(added, Ok(2));
    }
    for node in 0..3 {
        let there = cluster.command(node, &format!("SCRIPT EXISTS {}", script.get_hash()));
        assert!(there.contains(":1"), "{there}");
    }
}

#[tokio::test]
async fn pipelines_are_for_one_slot() {
    let cluster = Cluster::shared();
    let (backend, mut redis) = connected(&cluster).await;
    for index in 0..20 {
        let key = |name: &str| backend.redis_key(&format!("{{p{index}}}{name}"));
        let sums: RedisResult<(i64, i64)> = pipe()
            .incr(key("a"), 1)
            .incr(key("b"), 2)
            .query_async(&mut redis)
            .await;
        assert_eq!(sums, Ok((1, 2)));
        let sums: RedisResult<(i64, i64)> = pipe()
            .atomic()
            .incr(key("a"), 1)
            .incr(key("b"), 2)
            .query_async(&mut redis)
            .await;
        assert_eq!(sums, Ok((2, 4)));
    }
    for is_atomic in [false, true] {
        let mut pipeline = pipe();
        if is_atomic {
            pipeline.atomic();
        }
        pipeline
            .incr(backend.redis_key("a"), 1)
            .incr(backend.redis_key("b"), 1);
        let several: RedisResult<()> = pipeline.query_async(&mut redis).await;
        let several = several.unwrap_err();
        assert_eq!(several.kind(), RedisErrorKind::Client);
        assert!(
            several.to_string().contains("several hash slots"),
            "{several}"
        );
    }
    assert_eq!(redis.exists(backend.redis_key("a")).await, Ok(false));
}

#[tokio::test]
async fn what_names_no_key_is_refused() {
    let cluster = Cluster::shared();
    let (_, mut redis) = connected(&cluster).await;
    for line in [
        "KEYS *",
        "flushall",
        "CONFIG GET maxmemory",
        "EVAL return(1) 0",
        "SCAN 0",
        "PING",
    ] {
        let command = command(line);
        let refused: RedisResult<Value> = command.query_async(&mut redis).await;
        let refused = BackendError::from_redis(refused.unwrap_err());
        assert_eq!(refused.kind(), ErrorKind::Unsupported, "{refused}");
        let name = line.split(' ').next().unwrap().to_ascii_uppercase();
        assert!(
            refused
                .to_string()
                .contains(&format!("`{name}` without a key")),
            "{refused}"
        );
    }
}

#[tokio::test]
async fn a_command_follows_a_slot_that_moves() {
    let cluster = Cluster::of_primaries(2, &[]);
    let backend = builder(&cluster.url(0)).build().await.unwrap();
    let mut redis = backend.connection().await.unwrap();
    let [there, here] = ["{t}there", "{t}here"].map(|key| backend.redis_key(key));
    let slot = cluster.slot_of(&there);
    let to = 1 - cluster.owner_of(slot);
    let _: () = redis.zadd(&there, "m", 1).await.unwrap();
    cluster.begin_move(slot, to);
    assert_eq!(cluster.move_keys(slot, to, 10), 1);
    // The command gets there by `ASK`.
    assert_eq!(redis.zscore(&there, "m").await, Ok(Some(1.0)));
    let _: () = redis.zadd(&here, "m", 2).await.unwrap();
    assert_eq!(redis.zscore(&here, "m").await, Ok(Some(2.0)));
    let script = Script::new("return redis.call('ZCARD', KEYS[1])");
    let refused: RedisResult<u64> = script.key(&there).invoke_async(&mut redis).await;
    assert_eq!(refused.unwrap_err().code(), Some("ASK"));
    cluster.finish_move(slot, to);
    // The script gets there by `MOVED`, which it meets once at most.
    let mut met = 0;
    let begun = Instant::now();
    loop {
        let card: RedisResult<u64> = script.key(&there).invoke_async(&mut redis).await;
        match card {
            Ok(card) => break assert_eq!(card, 1),
            Err(error) => assert_eq!(error.code(), Some("MOVED"), "{error}"),
        }
        met += 1;
        assert!(begun.elapsed() < PATIENCE);
    }
    assert!(met <= 1, "{met}");
    assert_eq!(redis.zcard(&here).await, Ok(1));
    cluster.move_slot(slot, 1 - to);
    assert_eq!(redis.zcard(&here).await, Ok(1));
    cluster.move_slot(slot, to);
    let sum: RedisResult<(u64, u64)> = pipe()
        .zcard(&here)
        .zcard(&there)
        .query_async(&mut redis)
        .await;
    assert!(sum.is_err());
    let sum: RedisResult<(u64, u64)> = pipe()
        .zcard(&here)
        .zcard(&there)
        .query_async(&mut redis)
        .await;
    assert_eq!(sum, Ok((1, 1)));
    assert!(backend.status().redirections > 0);
}

/// The map isn't right any more, and no key corrects it.
#[tokio::test]
async fn a_cluster_that_is_down_is_looked_at_again() {
    let cluster = Cluster::of_primaries(2, &["--cluster-require-full-coverage", "yes"]);
    let brief = builder(&cluster.url(0)).call_timeout(Duration::from_millis(400));
    let backend = brief.build().await.unwrap();
    let mut redis = backend.connection().await.unwrap();
    let key = (0..).map(|index| format!("k{index}")).find(|key| {
        let slot = cluster.slot_of(key);
        cluster.owner_of(slot) == 0
    });
    let key = key.unwrap();
    let _: () = redis.set(&key, 1).await.unwrap();
    let slot = cluster.slot_of(&key);
    for node in 0..2 {
        cluster.command(node, &format!("CLUSTER DELSLOTS {slot}"));
    }
    let before = backend.status().refreshes;
    let begun = Instant::now();
    while backend.status().refreshes < before + 2 {
        // Until the map is read the node itself says so.
        let refused: RedisResult<u8> = redis.get(&key).await;
        if let Err(refused) = refused {
            let refused = BackendError::from_redis(refused);
            assert_eq!(refused.kind(), ErrorKind::Unavailable, "{refused}");
        }
        assert!(begun.elapsed() < PATIENCE);
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// The server knows better where a command of the future has its key.
#[tokio::test]
async fn a_command_with_an_unexpected_key_finds_its_node() {
    let cluster = Cluster::shared();
    let (backend, mut redis) = connected(&cluster).await;
    for index in 0..20 {
        let key = backend.redis_key(&format!("s{index}"));
        let mut create = cmd("XGROUP");
        create
            .arg("CREATE")
            .arg(&key)
            .arg("STREAMS")
            .arg("$")
            .arg("MKSTREAM");
        let _: () = create.query_async(&mut redis).await.unwrap();
        // The second key stands where the first one does in other commands.
        let mut copy = cmd("SORT_RO");
        copy.arg(&key);
        let sorted: RedisResult<Value> = copy.query_async(&mut redis).await;
        assert_eq!(sorted.unwrap_err().code(), Some("WRONGTYPE"));
        let mut read = cmd("XREADGROUP");
        read.arg("GROUP")
            .arg("STREAMS")
            .arg("c")
            .arg("STREAMS")
            .arg(&key)
            .arg(">");
        assert_eq!(read.query_async(&mut redis).await, Ok(Value::Nil));
    }
}

#[tokio::test]
async fn a_script_is_loaded_while_a_primary_is_down() {
    let cluster = Cluster::of_primaries(2, &[]);
    let backend = builder(&cluster.url(0))
        .call_timeout(Duration::from_secs(4))
        .build();
    let backend = backend.await.unwrap();
    let mut redis = backend.connection().await.unwrap();
    let key = (0..).map(|index| format!("k{index}")).find(|key| {
        let slot = cluster.slot_of(key);
        cluster.owner_of(slot) == 0
    });
    let key = key.unwrap();
    let script = Script::new("return redis.call('INCR', KEYS[1]) -- while one is down");
    cluster.kill(1);
    let added: RedisResult<i64> = script.key(&key).invoke_async(&mut redis).await;
    assert_eq!(added, Ok(1));
    let told: RedisResult<u64> = redis.publish("channel", "text").await;
    assert_eq!(told, Ok(0));
}

#[tokio::test]
async fn the_rest_of_redis_goes_on_after_a_failover() {
    let cluster = Cluster::start();
    let backend = builder(&cluster.url(0)).build().await.unwrap();
    let mut redis = backend.connection().await.unwrap();
    let keys: Vec<String> = (0..30)
        .map(|index| backend.redis_key(&format!("z{index}")))
        .collect();
    for key in &keys {
        let _: () = redis.zadd(key, "m", 1).await.unwrap();
    }
    cluster.fail_over_to(cluster.replica_of(0));
    let begun = Instant::now();
    for key in &keys {
        while let Err(error) = redis.zadd::<_, _, _, ()>(key, "n", 1).await {
            assert!(begun.elapsed() < PATIENCE, "{error}");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        assert_eq!(redis.zcard(key).await, Ok(2));
    }
}
