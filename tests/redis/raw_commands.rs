//! Every command of the crate redis works beside the keyspaces, or is refused.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use futures::TryStreamExt;
use futures::future::join_all;
use redis::aio::ConnectionLike;
use redis::{
    AsyncCommands, ErrorKind as RedisErrorKind, RedisError, RedisResult, Script, Value, cmd, pipe,
};
use reinhardt_backends::{Backend, BackendError, ErrorKind, RedisBackend, RedisConnection};
use reinhardt_backends_tests::{Answer, Authority, FakeServer, Proxy, Server, Service, command};

use super::{BRIEF, PATIENCE, builder, connect, eventually, runtime};

async fn connected(backend: &RedisBackend) -> RedisConnection {
    backend.connection().await.unwrap()
}

#[tokio::test]
async fn every_command_of_the_crate_redis_works() {
    let server = Server::start();
    let backend = builder(&server.url())
        .namespace("a shop")
        .build()
        .await
        .unwrap();
    let mut redis = connected(&backend).await;
    let leaders = backend.redis_key("leaders");
    assert_eq!(leaders, "a%20shop:leaders");
    let _: () = redis.zadd(&leaders, "ann", 120).await.unwrap();
    let _: () = redis.zadd(&leaders, "bob", 80).await.unwrap();
    assert_eq!(redis.zrevrank(&leaders, "ann").await, Ok(Some(0)));
    let best: Vec<(String, f64)> = redis.zrevrange_withscores(&leaders, 0, -1).await.unwrap();
    assert_eq!(
        best,
        [("ann".to_string(), 120.0), ("bob".to_string(), 80.0)]
    );

    let hash = backend.redis_key("hash");
    let _: () = redis
        .hset_multiple(&hash, &[("a", 1), ("b", 2)])
        .await
        .unwrap();
    let all: BTreeMap<String, u8> = redis.hgetall(&hash).await.unwrap();
    assert_eq!(
        all,
        BTreeMap::from([("a".to_string(), 1), ("b".to_string(), 2)])
    );

    let stream = backend.redis_key("stream");
    let mut add = cmd("XADD");
    add.arg(&stream).arg("1-1").arg("k").arg("v");
    assert_eq!(add.query_async(&mut redis).await, Ok("1-1".to_string()));
    let read: Value = cmd("XREAD")
        .arg("STREAMS")
        .arg(&stream)
        .arg("0")
        .query_async(&mut redis)
        .await
        .unwrap();
    assert!(format!("{read:?}").contains("1-1"), "{read:?}");

    // Everything is in the namespace, and nothing is a key of the raw API by accident.
    let keys: Vec<String> = backend.scan("").try_collect().await.unwrap();
    assert_eq!(keys.len(), 3, "{keys:?}");
    let mut iter: redis::AsyncIter<'_, String> = redis.scan_match("a%20shop:*").await.unwrap();
    let mut found = 0;
    while let Some(key) = iter.next_item().await {
        assert!(key.unwrap().starts_with("a%20shop:"));
        found += 1;
    }
    drop(iter);
    assert_eq!(found, 3);
    let wrong: RedisResult<i64> = redis.incr(&leaders, 1).await;
    let wrong = wrong.unwrap_err();
    assert_eq!(wrong.code(), Some("WRONGTYPE"));
    assert_eq!(BackendError::from_redis(wrong).kind(), ErrorKind::WrongType);
    backend.clear().await.unwrap();
    assert_eq!(redis.exists(&leaders).await, Ok(false));
}

#[tokio::test]
async fn pipelines_transactions_and_scripts_are_whole() {
    let server = Server::start();
    let backend = connect(&server.url()).await;
    let mut redis = connected(&backend).await;
    let (a, b): (i64, Vec<u8>) = pipe()
        .incr("n", 5)
        .set("k", "v")
        .ignore()
        .get("k")
        .query_async(&mut redis)
        .await
        .unwrap();
    assert_eq!((a, b), (5, b"v".to_vec()));
    let (a, b): (i64, i64) = pipe()
        .atomic()
        .incr("n", 1)
        .incr("n", 1)
        .query_async(&mut redis)
        .await
        .unwrap();
    assert_eq!((a, b), (6, 7));
    // The error of one command is returned, and the other commands have had their effect.
    let failed: RedisResult<(i64, i64)> = pipe()
        .incr("k", 1)
        .incr("n", 1)
        .query_async(&mut redis)
        .await;
    assert!(failed.is_err());
    assert_eq!(redis.get("n").await, Ok(8));
    // A transaction that the server doesn't take has had no effect.
    let refused: RedisResult<(i64,)> = pipe()
        .atomic()
        .incr("n", 1)
        .ignore()
        .cmd("NONESUCH")
        .arg("x")
        .query_async(&mut redis)
        .await;
    let refused = refused.unwrap_err();
    assert!(refused.to_string().contains("unknown command"), "{refused}");
    assert_eq!(redis.get("n").await, Ok(8));
    assert_eq!(pipe().query_async(&mut redis).await, Ok(()));
    assert_eq!(pipe().atomic().query_async(&mut redis).await, Ok(()));

    let script = Script::new("return redis.call('INCRBY', KEYS[1], ARGV[1])");
    for sum in [10, 12] {
        server.command("SCRIPT FLUSH");
        let added: RedisResult<i64> = script.key("n").arg(2).invoke_async(&mut redis).await;
        assert_eq!(added, Ok(sum));
    }
}

/// Every reply is the value that the crate's own connection gives.
#[tokio::test]
async fn replies_are_those_of_the_crate_redis() {
    let server = Server::on_tcp();
    let backend = connect(&server.url()).await;
    let mut ours = connected(&backend).await;
    let url = format!("{}?protocol=resp3", server.url());
    let client = redis::Client::open(url).unwrap();
    let mut theirs = client.get_multiplexed_async_connection().await.unwrap();
    let _: () = ours.zadd("z", "m", 1.5).await.unwrap();
    let _: () = ours.hset("h", "f", "v").await.unwrap();
    let _: () = ours.sadd("s", "m").await.unwrap();
    for line in [
        "GET none",
        "SET k v",
        "GET k",
        "TYPE k",
        "HGETALL h",
        "SMEMBERS s",
        "ZSCORE z m",
        "ZRANGE z 0 -1 WITHSCORES",
        "MGET k none",
        "LRANGE none 0 -1",
        "INCR h",
        "NONESUCH",
        "COMMAND COUNT",
        "CONFIG GET maxmemory",
        "EVAL redis.setresp(3)return{map={a=1}} 0",
        "EVAL redis.setresp(3)return{set={a=1}} 0",
        "EVAL return{double=1.5} 0",
        "EVAL redis.setresp(3)return(true) 0",
        "EVAL return{1,{2,{3,'x'}},false} 0",
        "EVAL return{err='OWN',1} 0",
    ] {
        let command = command(line);
        let by = async |connection: &mut dyn ConnectionLike| -> Result<Value, String> {
            let reply = connection.req_packed_command(&command).await;
            reply.map_err(|error| error.to_string())
        };
        // On one connection an error is a value, on the other it may not be.
        let told = |reply: Result<Value, String>| {
            reply.and_then(|value| value.extract_error().map_err(|error| error.to_string()))
        };
        let (ours, theirs) = (by(&mut ours).await, by(&mut theirs).await);
        assert_eq!(told(ours), told(theirs), "{line}");
    }
}

/// A server that answers `TYPED` so.
fn typed(reply: &'static str) -> FakeServer {
    let answer = || Answer::Say(reply.as_bytes().to_vec());
    FakeServer::start(move |_, command| (command[0] == "TYPED").then(answer))
}

#[tokio::test]
async fn every_type_of_the_protocol_is_handed_on() {
    let types = [
        ("+OK\r\n", Value::Okay),
        ("+PONG\r\n", Value::SimpleString("PONG".to_string())),
        (":-7\r\n", Value::Int(-7)),
        ("$3\r\na\r\n\r\n", Value::BulkString(b"a\r\n".to_vec())),
        ("$-1\r\n", Value::Nil),
        ("*-1\r\n", Value::Nil),
        ("_\r\n", Value::Nil),
        (
            "*2\r\n:1\r\n*1\r\n,2.5\r\n",
            Value::Array(vec![Value::Int(1), Value::Array(vec![Value::Double(2.5)])]),
        ),
        (
            "%1\r\n+k\r\n:1\r\n",
            Value::Map(vec![(Value::SimpleString("k".to_string()), Value::Int(1))]),
        ),
        ("~1\r\n:1\r\n", Value::Set(vec![Value::Int(1)])),
        (",inf\r\n", Value::Double(f64::INFINITY)),
        ("#t\r\n", Value::Boolean(true)),
        ("#f\r\n", Value::Boolean(false)),
        (
            "=5\r\ntxt:x\r\n",
            Value::VerbatimString {
                format: redis::VerbatimFormat::Text,
                text: "x".to_string(),
            },
        ),
        (
            "(12345678901234567890123\r\n",
            Value::BigNumber(b"12345678901234567890123".to_vec()),
        ),
        (
            "|1\r\n+k\r\n:3\r\n:5\r\n",
            Value::Attribute {
                data: Box::new(Value::Int(5)),
                attributes: vec![(Value::SimpleString("k".to_string()), Value::Int(3))],
            },
        ),
        // A message that nobody asked for comes before.
        (
            ">2\r\n+invalidate\r\n*1\r\n$1\r\nk\r\n:8\r\n",
            Value::Int(8),
        ),
    ];
    for (bytes, expected) in types {
        let server = typed(bytes);
        let backend = connect(&server.url()).await;
        let mut redis = connected(&backend).await;
        let reply: RedisResult<Value> = cmd("TYPED").query_async(&mut redis).await;
        assert_eq!(reply.unwrap(), expected, "{bytes:?}");
        let many: RedisResult<Vec<Value>> = pipe()
            .cmd("TYPED")
            .cmd("TYPED")
            .query_async(&mut redis)
            .await;
        assert_eq!(many.unwrap(), [expected.clone(), expected], "{bytes:?}");
    }
    for error in ["-ERR no\r\n", "!6\r\nERR no\r\n"] {
        let server = typed(error);
        let backend = connect(&server.url()).await;
        let mut redis = connected(&backend).await;
        let reply: RedisResult<Value> = cmd("TYPED").query_async(&mut redis).await;
        let reply = reply.unwrap_err();
        assert_eq!((reply.code(), reply.detail()), (Some("ERR"), Some("no")));
    }
}

/// The command, and the name that the sentence of the error has.
const REFUSED: &[(&str, &str)] = &[
    ("ASKING", "ASKING"),
    ("AUTH secret", "AUTH"),
    ("BLMOVE a b LEFT LEFT 0", "BLMOVE"),
    ("BLMPOP 0 1 k LEFT", "BLMPOP"),
    ("BLPOP k 0", "BLPOP"),
    ("brpop k 0", "BRPOP"),
    ("BRPOPLPUSH a b 0", "BRPOPLPUSH"),
    ("BZMPOP 0 1 k MIN", "BZMPOP"),
    ("BZPOPMAX k 0", "BZPOPMAX"),
    ("BZPOPMIN k 0", "BZPOPMIN"),
    ("CLIENT CACHING YES", "CLIENT CACHING"),
    ("CLIENT NO-EVICT ON", "CLIENT NO-EVICT"),
    ("CLIENT NO-TOUCH ON", "CLIENT NO-TOUCH"),
    ("client reply OFF", "CLIENT REPLY"),
    ("CLIENT SETINFO LIB-NAME x", "CLIENT SETINFO"),
    ("CLIENT SETNAME x", "CLIENT SETNAME"),
    ("CLIENT TRACKING ON", "CLIENT TRACKING"),
    ("CLIENT CAPA redirect", "CLIENT CAPA"),
    ("CLIENT IMPORT-SOURCE ON", "CLIENT IMPORT-SOURCE"),
    ("DISCARD", "DISCARD"),
    ("EXEC", "EXEC"),
    ("HELLO 2", "HELLO"),
    ("MONITOR", "MONITOR"),
    ("MULTI", "MULTI"),
    ("PSUBSCRIBE *", "PSUBSCRIBE"),
    ("PSYNC ? -1", "PSYNC"),
    ("PUNSUBSCRIBE", "PUNSUBSCRIBE"),
    ("QUIT", "QUIT"),
    ("READONLY", "READONLY"),
    ("READWRITE", "READWRITE"),
    ("REPLCONF ACK 1", "REPLCONF"),
    ("RESET", "RESET"),
    ("SCRIPT DEBUG YES", "SCRIPT DEBUG"),
    ("SELECT 1", "SELECT"),
    ("SSUBSCRIBE c", "SSUBSCRIBE"),
    ("SUBSCRIBE c", "SUBSCRIBE"),
    ("SUNSUBSCRIBE", "SUNSUBSCRIBE"),
    ("SYNC", "SYNC"),
    ("UNSUBSCRIBE", "UNSUBSCRIBE"),
    ("UNWATCH", "UNWATCH"),
    ("WAIT 1 0", "WAIT"),
    ("WAITAOF 1 0 0", "WAITAOF"),
    ("WATCH k", "WATCH"),
    ("XREAD BLOCK 0 STREAMS k $", "XREAD BLOCK"),
    (
        "XREADGROUP GROUP g c COUNT 1 BLOCK 0 STREAMS k >",
        "XREADGROUP BLOCK",
    ),
];

fn is_refused(error: &RedisError, name: &str) {
    assert_eq!(error.kind(), RedisErrorKind::Client, "{name}: {error}");
    let said = error.to_string();
    assert!(
        said.starts_with("refused before it was sent") && said.contains(&format!("`{name}`")),
        "{said}"
    );
    let ours = BackendError::from_redis(error.clone());
    assert_eq!(ours.kind(), ErrorKind::Unsupported);
    assert!(
        ours.to_string().contains(name) && !ours.outcome_unknown(),
        "{ours}"
    );
}

#[tokio::test]
async fn what_others_on_the_connection_would_suffer_from_is_refused() {
    let server = Server::start();
    let backend = connect(&server.url()).await;
    let mut redis = connected(&backend).await;
    let calls = |server: &Server| {
        let lines = server.command("INFO commandstats");
        let own = ["info", "config|resetstat", "set", "incr"];
        let is_other = |line: &&str| {
            line.starts_with("cmdstat_")
                && !own.iter().any(|own| line.contains(&format!("_{own}:")))
        };
        lines
            .lines()
            .filter(is_other)
            .map(str::to_string)
            .collect::<Vec<_>>()
    };
    server.command("CONFIG RESETSTAT");
    for (line, name) in REFUSED {
        let alone: RedisResult<Value> = command(line).query_async(&mut redis).await;
        is_refused(&alone.unwrap_err(), name);
        for is_atomic in [false, true] {
            let mut pipeline = pipe();
            if is_atomic {
                pipeline.atomic();
            }
            pipeline.incr("n", 1).add_command(command(line));
            let among: RedisResult<()> = pipeline.query_async(&mut redis).await;
            is_refused(&among.unwrap_err(), name);
        }
    }
    let nothing: RedisResult<Value> = redis::Cmd::new().query_async(&mut redis).await;
    assert!(nothing.unwrap_err().to_string().contains("without a name"));
    let mut silent = cmd("SET");
    silent.arg("n").arg(1).set_no_response(true);
    let silent: RedisResult<Value> = silent.query_async(&mut redis).await;
    assert_eq!(silent.unwrap_err().kind(), RedisErrorKind::Client);
    // Nothing was sent, of the pipelines neither.
    let quits = |line: &String| line.contains("cmdstat_quit");
    assert!(calls(&server).iter().all(quits), "{:?}", calls(&server));
    assert_eq!(redis.exists("n").await, Ok(false));
}

/// With another number of replies, a caller would get the replies of other callers, or leave some
/// to them.
#[tokio::test]
async fn a_pipeline_has_as_many_replies_as_it_has() {
    let server = Server::start();
    let backend = connect(&server.url()).await;
    let mut redis = connected(&backend).await;
    let mut other = redis.clone();
    for is_atomic in [false, true] {
        let mut pipeline = pipe();
        pipeline.cmd("ECHO").arg("x1").cmd("ECHO").arg("x2");
        if is_atomic {
            pipeline.atomic();
        }
        for (offset, count) in [(0, 0), (0, 1), (0, 3), (1, 2), (3, 2), (3, 0)] {
            let asked = redis.req_packed_commands(&pipeline, offset, count).await;
            assert_eq!(asked.unwrap_err().kind(), RedisErrorKind::Client);
        }
        let own: String = cmd("ECHO")
            .arg("own")
            .query_async(&mut other)
            .await
            .unwrap();
        assert_eq!(own, "own");
    }
}

#[tokio::test]
async fn the_meaning_of_an_error_is_that_of_this_library() {
    for (reply, kind) in [
        ("-MOVED 1 h:1", ErrorKind::Unavailable),
        ("-ASK 1 h:1", ErrorKind::Unavailable),
        (
            "-CROSSSLOT Keys in request don't hash to the same slot",
            ErrorKind::InvalidKey,
        ),
        (
            "-ERR unknown command 'X', with args beginning with: 'secret'",
            ErrorKind::Unsupported,
        ),
        ("-ERR max number of clients reached", ErrorKind::Unavailable),
        ("-NOPERM secret", ErrorKind::Denied),
        ("-LOADING secret", ErrorKind::Unavailable),
        ("-OOM secret", ErrorKind::Full),
        ("-WRONGTYPE secret", ErrorKind::WrongType),
        ("-OWN secret", ErrorKind::Other),
    ] {
        let line = format!("{reply}\r\n");
        let server = typed(line.leak());
        let backend = connect(&server.url()).await;
        let mut redis = connected(&backend).await;
        let alone: RedisResult<Value> = cmd("TYPED").query_async(&mut redis).await;
        let among: RedisResult<(Value, Value)> = pipe()
            .cmd("TYPED")
            .cmd("TYPED")
            .query_async(&mut redis)
            .await;
        for error in [alone.unwrap_err(), among.unwrap_err()] {
            let error = BackendError::from_redis(error);
            assert_eq!(error.kind(), kind, "{reply}: {error}");
            assert!(!error.to_string().contains("secret"), "{error}");
        }
    }
}

#[tokio::test]
async fn what_waits_is_bounded_while_nobody_answers() {
    let server = Server::on_tcp();
    let proxy = Proxy::start(server.port());
    let limited = builder(&proxy.url())
        .waiting_limit(100)
        .call_timeout(BRIEF * 5);
    let backend = limited.build().await.unwrap();
    let redis = connected(&backend).await;
    proxy.hold_answers();
    proxy.cut();
    let calls = (0..150).map(|_| {
        let mut redis = redis.clone();
        async move { redis.incr::<_, _, i64>("n", 1).await.unwrap_err() }
    });
    let failed = join_all(calls).await;
    let refused = failed
        .iter()
        .filter(|error| error.to_string().contains("calls are waiting already"));
    assert_eq!(refused.count(), 50);
    assert_eq!(backend.status().waiting_calls, 0);
}

/// Both clients end, whatever was begun and left on them.
#[tokio::test]
async fn closing_takes_no_longer_than_a_call() {
    let server = Server::start();
    let backend = builder(&server.url())
        .call_timeout(BRIEF * 5)
        .build()
        .await
        .unwrap();
    let mut redis = connected(&backend).await;
    let mut other = redis.clone();
    let mut begun = Box::pin(redis.set::<_, _, ()>("k", 1));
    let mut begun_too = Box::pin(async { backend.set("k", 1, None).await });
    // The calls are polled once, and never again.
    assert!(futures::poll!(&mut begun).is_pending());
    assert!(futures::poll!(&mut begun_too).is_pending());
    let closing = Instant::now();
    let (refused, ()) = tokio::join!(
        async {
            tokio::time::sleep(Duration::from_millis(50)).await;
            other.get::<_, Option<u8>>("k").await
        },
        backend.close(),
    );
    let took = closing.elapsed();
    assert!(
        refused
            .unwrap_err()
            .to_string()
            .contains("the backend was closed")
    );
    assert!(
        took < BRIEF * 5 * 2 - Duration::from_millis(100),
        "{took:?}"
    );
}

#[tokio::test]
async fn all_connections_are_one_which_sessions_do_not_use() {
    let server = Server::start();
    let backend = builder(&server.url())
        .client_name("shop")
        .build()
        .await
        .unwrap();
    let count = || server.command("CLIENT LIST").matches("name=shop").count();
    assert_eq!(count(), 1);
    let mut all = Vec::new();
    for _ in 0..10 {
        all.push(connected(&backend.clone()).await);
    }
    assert_eq!(count(), 2);
    assert_eq!(backend.status().nodes.len(), 1);
    assert_eq!(backend.status().nodes[0].connections, 2);
    // A command that is held up holds up no keyspace.
    backend.set("k", 1, None).await.unwrap();
    server.command("CLIENT PAUSE 60000 WRITE");
    let mut redis = all.pop().unwrap();
    let held = tokio::spawn(async move { redis.set::<_, _, ()>("k", 2).await });
    eventually(async || backend.status().waiting_calls == 1).await;
    assert_eq!(backend.get::<u8>("k").await.unwrap(), Some(1));
    server.command("CLIENT UNPAUSE");
    held.await.unwrap().unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_reply_reaches_the_wrong_caller() {
    let server = Server::start();
    let backend = connect(&server.url()).await;
    let redis = connected(&backend).await;
    let tasks = (0..64).map(|task| {
        let mut redis = redis.clone();
        tokio::spawn(async move {
            for round in 0..50 {
                let value = format!("{task}:{round}");
                let echo: String = cmd("ECHO")
                    .arg(&value)
                    .query_async(&mut redis)
                    .await
                    .unwrap();
                assert_eq!(echo, value);
                let key = format!("k{task}");
                let (hash, n): (Vec<String>, i64) = pipe()
                    .atomic()
                    .hset(&key, "f", &value)
                    .ignore()
                    .hvals(&key)
                    .incr(format!("n{task}"), 1)
                    .query_async(&mut redis)
                    .await
                    .unwrap();
                assert_eq!((hash, n), (vec![value], round + 1));
                // The reply of a dropped call goes to no other call.
                let mut left = redis.clone();
                let left = left.get::<_, Option<String>>("none");
                drop(tokio::time::timeout(Duration::ZERO, left).await);
            }
        })
    });
    for task in join_all(tasks).await {
        task.unwrap();
    }
}

#[tokio::test]
async fn what_fails_on_the_way_is_told() {
    let mut server = Server::start();
    let brief = builder(&server.url())
        .call_timeout(BRIEF)
        .build()
        .await
        .unwrap();
    let mut redis = connected(&brief).await;
    let _: () = redis.set("k", 1).await.unwrap();
    server.pause();
    let late: RedisResult<i64> = redis.incr("k", 1).await;
    server.resume();
    let late = late.unwrap_err();
    assert!(late.is_timeout(), "{late}");
    let late = BackendError::from_redis(late);
    assert!(
        late.kind() == ErrorKind::Timeout && late.outcome_unknown(),
        "{late}"
    );
    server.kill();
    let begun = Instant::now();
    let gone = loop {
        let gone: RedisResult<i64> = redis.incr("k", 1).await;
        let gone = gone.unwrap_err();
        if !BackendError::from_redis(gone.clone()).outcome_unknown() {
            break gone;
        }
        assert!(begun.elapsed() < PATIENCE);
    };
    assert!(gone.is_io_error(), "{gone}");
    assert!(BackendError::from_redis(gone).is_transient());
    server.restart();
    eventually(async || redis.incr::<_, _, i64>("k", 1).await.is_ok()).await;
    brief.close().await;
    let closed: RedisResult<i64> = redis.incr("k", 1).await;
    assert!(
        closed
            .unwrap_err()
            .to_string()
            .contains("the backend was closed")
    );
    let closed = brief.connection().await.unwrap_err();
    assert_eq!(closed.kind(), ErrorKind::Unavailable, "{closed}");
}

#[tokio::test]
async fn a_user_with_fewer_rights_is_told_so() {
    let server = Server::on_tcp();
    server.command("ACL SETUSER app reset on >pa55 ~* +@all -zadd");
    let url = format!("redis://app:pa55@127.0.0.1:{}", server.port());
    let mut redis = connected(&connect(&url).await).await;
    let denied: RedisResult<i64> = redis.zadd("z", "secret", 1).await;
    let denied = BackendError::from_redis(denied.unwrap_err());
    assert_eq!(denied.kind(), ErrorKind::Denied, "{denied}");
    assert!(!denied.to_string().contains("secret"), "{denied}");
}

#[test]
fn each_runtime_has_a_connection_of_its_own() {
    let server = Server::start();
    let runtimes = [runtime(), runtime()];
    let backend = runtimes[0].block_on(connect(&server.url()));
    let redis = runtimes[0].block_on(connected(&backend));
    for runtime in &runtimes {
        let mut redis = redis.clone();
        let _: () = runtime.block_on(redis.set("k", 1)).unwrap();
    }
    let [first, second] = runtimes;
    drop(first);
    let mut redis = redis.clone();
    let _: () = second.block_on(redis.set("k", 1)).unwrap();
}

#[tokio::test]
async fn the_rest_of_redis_goes_by_tls_too() {
    let authority = Authority::new();
    let server = Server::on_tls(&authority, &authority.certify(&["127.0.0.1"]), &[]);
    let tls = reinhardt_backends::Tls::ca_pem(authority.pem().as_bytes()).unwrap();
    let backend = builder(&server.url()).tls(tls).build().await.unwrap();
    let mut redis = connected(&backend).await;
    let _: () = redis.zadd("z", "m", 1).await.unwrap();
    assert_eq!(redis.zcard("z").await, Ok(1));
}

#[tokio::test]
async fn the_rest_of_redis_follows_a_failover_of_a_service() {
    let service = Service::start();
    let backend = connect(&service.url()).await;
    let mut redis = connected(&backend).await;
    let _: () = redis.zadd("z", "m", 1).await.unwrap();
    service.replicate(0);
    service.fail_over();
    eventually(async || redis.zadd::<_, _, _, ()>("z", "n", 1).await.is_ok()).await;
    assert_eq!(redis.zscore("z", "m").await, Ok(Some(1.0)));
}
