//! Clusters of which a part is missing, is moved, or announces addresses that are no use.

use std::sync::{Arc, Mutex};
use std::time::Instant;

use futures::TryStreamExt;
use reinhardt_backends::redis::{RedisResult, cmd, pipe};
use reinhardt_backends::{Backend, BackendError, RedisBackend};
use reinhardt_backends_tests::{Answer, Cluster, FakeServer, Server, command, eventually, patient};

use super::page::{Met, check, row};
use super::witness::Witness;
use super::{BRIEF, PATIENCE, connect, lazy, recovered, refused, shared};

/// Waits for an error that comes once a backend has heard of a change.
async fn soon<T>(
    mut call: impl AsyncFnMut() -> Result<T, BackendError>,
    is_it: impl Fn(&BackendError) -> bool,
) -> BackendError {
    let deadline = Instant::now() + PATIENCE;
    loop {
        match call().await {
            Err(error) if is_it(&error) => return error,
            outcome => assert!(Instant::now() < deadline, "{:?}", outcome.err()),
        }
    }
}

fn place(url: &str) -> (&str, u16) {
    let (_, place) = url.split_once("://").unwrap();
    let (host, port) = place.rsplit_once(':').unwrap();
    (host, port.parse().unwrap())
}

#[tokio::test]
async fn a_server_that_is_no_cluster_and_a_node_that_is_in_none() {
    let server = Server::on_tcp();
    let witness = Witness::of(connect(&server.url()).await).await;
    let url = format!("redis-cluster://127.0.0.1:{}", server.port());
    let none = row!(".. is no node of a cluster", InvalidConfig, NotSent);
    none.check(&refused(&url).await);
    witness.refuses(&shared(lazy(patient(&url))), &[none]).await;
    witness.sees_no_change().await;

    let alone = Server::on_tcp_with(&["--cluster-enabled", "yes"]);
    let knows_none = row!(
        ".. knows no node that serves a hash slot",
        Unavailable,
        NotSent
    );
    let database = row!(
        ".. is a node of a cluster, which has database 0 alone, ..",
        InvalidConfig,
        NotSent
    );
    for (end, claim) in [
        ("", knows_none),
        ("?protocol=2", knows_none),
        ("/1?protocol=2", database),
    ] {
        claim.check(&refused(&(alone.url() + end)).await);
    }
    let brief = lazy(patient(&alone.url()).call_timeout(BRIEF));
    let error = brief.set("hiddenkey", "topsecret", None).await.unwrap_err();
    knows_none.check(&error);
    assert!(alone.command("DBSIZE").starts_with(":0"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cluster_of_which_a_part_is_missing() {
    let cluster = Cluster::of_primaries(2, &[]);
    let backend = connect(&cluster.url(0)).await;
    let slot = cluster.slot_of("reinhardt:hiddenkey");
    let owner = cluster.owner_of(slot);

    let url = format!("{}/3", cluster.url(0));
    let database = row!(
        ".. is a node of a cluster, which has database 0 alone, ..",
        InvalidConfig,
        NotSent
    );
    database.check(&refused(&url).await);
    let error = lazy(patient(&url))
        .set("hiddenkey", "topsecret", None)
        .await;
    database.check(&error.unwrap_err());

    // Commands of a program's own, which are never sent again.
    let mut redis = backend.connection().await.unwrap();
    let several: RedisResult<u64> = cmd("DEL").arg(&["a", "b"]).query_async(&mut redis).await;
    row!(
        "the keys of a command are in several hash slots (CROSSSLOT)",
        InvalidKey,
        Refused
    )
    .check(&BackendError::from_redis(several.unwrap_err()));

    let several: RedisResult<()> = pipe()
        .incr("a", 1)
        .incr("b", 1)
        .query_async(&mut redis)
        .await;
    row!(
        "commands for several hash slots in one pipeline: ..",
        Unsupported,
        NotSent
    )
    .check(&BackendError::from_redis(several.unwrap_err()));
    let nowhere: RedisResult<()> = command("FLUSHDB").query_async(&mut redis).await;
    row!("`..` without a key on a cluster: ..", Unsupported, NotSent)
        .check(&BackendError::from_redis(nowhere.unwrap_err()));

    // A slot that is open, which is closed again later.
    let other = 1 - owner;
    backend.set("hiddenkey", 7, None).await.unwrap();
    cluster.begin_move(slot, other);
    let scanned: Result<Vec<String>, _> = backend.scan("").try_collect().await;
    row!(
        "hash slots of the cluster were moved again and again while keys were scanned",
        Unavailable,
        NoWrite
    )
    .check(&scanned.unwrap_err());
    let cleared = backend.clear_prefix("").await.unwrap_err();
    row!(
        "hash slots of the cluster were moved again and again while keys were scanned",
        Unavailable,
        NotSent
    )
    .check(&cleared);
    for node in 0..2 {
        cluster.command(node, &format!("CLUSTER SETSLOT {slot} STABLE"));
    }
    assert_eq!(backend.get::<u8>("hiddenkey").await.unwrap(), Some(7));

    // A slot that nobody serves.
    assert!(backend.delete("hiddenkey").await.unwrap());
    for node in 0..2 {
        cluster.command(node, &format!("CLUSTER DELSLOTS {slot}"));
    }
    let slots = row!(
        "no node of the cluster serves hash slots .. to ..",
        Unavailable,
        NotSent
    );
    slots.check(&refused(&cluster.url(0)).await);
    let brief = lazy(patient(&cluster.url(0)).call_timeout(BRIEF * 2));
    let unserved = row!(
        "no node of the cluster serves hash slot ..",
        Unavailable,
        NotSent
    );
    let error = soon(
        async || brief.set("hiddenkey", "topsecret", None).await,
        |error| error.to_string().contains("serves hash slot "),
    );
    unserved.check(&error.await);

    // With full coverage demanded the others are refused too.
    let lives = (0..)
        .map(|index| format!("k{index}"))
        .find(|key| cluster.owner_of(cluster.slot_of(&format!("reinhardt:{key}"))) == owner);
    let lives = lives.unwrap();
    backend.set(&lives, 7, None).await.unwrap();
    for node in 0..2 {
        cluster.command(node, "CONFIG SET cluster-require-full-coverage yes");
        // A node looks again at what it serves when that changes.
        cluster.command(node, &format!("CLUSTER ADDSLOTS {slot}"));
        cluster.command(node, &format!("CLUSTER DELSLOTS {slot}"));
    }
    let late = lazy(patient(&cluster.url(0)).call_timeout(BRIEF * 2));
    let error = soon(
        async || late.set(&lives, "topsecret", None).await,
        |error| error.to_string().contains("CLUSTERDOWN"),
    );
    let error = error.await;
    row!("the server answered CLUSTERDOWN", Unavailable, Refused).check(&error);
    let named = (0..2).any(|node| {
        error
            .to_string()
            .contains(&format!(":{})", cluster.port(node)))
    });
    assert!(named, "{error}");
    for node in 0..2 {
        cluster.command(node, "CONFIG SET cluster-require-full-coverage no");
    }
    eventually(async || backend.get::<u8>(&lives).await.is_ok()).await;
    assert_eq!(backend.get::<u8>(&lives).await.unwrap(), Some(7));
    cluster.command(owner, &format!("CLUSTER ADDSLOTS {slot}"));

    // A node that stands still, and one that is gone.
    cluster.await_ok();
    let names_it = |error: &BackendError| error.to_string().contains("announces this address");
    let late = lazy(
        patient(&cluster.url(other))
            .connect_timeout(BRIEF)
            .call_timeout(BRIEF * 4),
    );
    recovered(&late).await;
    cluster.pause(owner);
    let error = soon(
        async || late.set("hiddenkey", "topsecret", None).await,
        names_it,
    )
    .await;
    row!("..: the cluster announces this address", Timeout, NotSent).check(&error);
    cluster.resume(owner);
    eventually(async || late.get::<u8>("hiddenkey").await.is_ok()).await;
    assert_eq!(late.get::<u8>("hiddenkey").await.unwrap(), None);
    cluster.kill(owner);
    let error = soon(
        async || late.set("hiddenkey", "topsecret", None).await,
        |error| names_it(error) && error.kind() == reinhardt_backends::ErrorKind::Unavailable,
    );
    row!(
        "..: the cluster announces this address",
        Unavailable,
        NotSent
    )
    .check(&error.await);
    cluster.restart(owner);
    eventually(async || late.get::<u8>("hiddenkey").await.is_ok()).await;
    assert_eq!(late.get::<u8>("hiddenkey").await.unwrap(), None);
}

/// As where nodes announce the addresses of their containers.
#[tokio::test]
async fn an_announced_address_that_can_not_be_reached() {
    let cluster = Cluster::of_primaries(2, &[]);
    if !cluster.announce(&[1, 1]) {
        return;
    }
    let announced = row!(
        "..: the cluster announces this address",
        Unavailable,
        NotSent
    );
    let error = refused(&cluster.url(0)).await;
    announced.check(&error);
    assert!(error.to_string().contains("127.0.0.1:1 "), "{error}");
}

/// The nodes tell neither in the greeting nor by `INFO` what they are.
#[tokio::test]
async fn a_cluster_that_does_not_tell_that_it_is_one() {
    let unknown = ["HELLO", "INFO"].map(|command| ["--rename-command", command, ""]);
    let cluster = Cluster::of_primaries(2, unknown.as_flattened());
    let far = connect(&cluster.url_of_all()).await;
    let near = connect(&cluster.url(0)).await;
    let elsewhere = (0..)
        .map(|index| format!("hiddenkey{index}"))
        .find(|key| cluster.owner_of(cluster.slot_of(&format!("reinhardt:{key}"))) == 1);
    let elsewhere = elsewhere.unwrap();
    let error = near.set(&elsewhere, "topsecret", None).await.unwrap_err();
    row!(
        "the server is a node of a cluster and doesn't tell so when it is greeted: ..",
        InvalidConfig,
        Refused
    )
    .check(&error);
    assert!(!far.exists(&elsewhere).await.unwrap());

    // A pipeline of a program's own isn't sent on to another node.
    let mut redis = far.connection().await.unwrap();
    let slot = cluster.slot_of("{t}");
    cluster.move_slot(slot, 1 - cluster.owner_of(slot));
    let mut pipeline = pipe();
    pipeline.atomic().incr("{t}a", 1).incr("{t}b", 1);
    let moved: RedisResult<()> = pipeline.query_async(&mut redis).await;
    row!(
        "the hash slot of a key is on another node (..)",
        Unavailable,
        Refused
    )
    .check(&BackendError::from_redis(moved.unwrap_err()));
    let there: RedisResult<u64> = command("EXISTS {t}a {t}b").query_async(&mut redis).await;
    assert_eq!(there.unwrap(), 0);
}

/// Two nodes whose maps name each other, and what else made-up nodes say.
#[tokio::test]
async fn nodes_that_do_not_agree() {
    let ports: Arc<Mutex<[u16; 2]>> = Arc::default();
    let node = |own: usize| {
        let ports = ports.clone();
        FakeServer::start(move |_, command| {
            let ports = *ports.lock().unwrap();
            Some(match command[0].as_str() {
                "HELLO" => Answer::line("%2\r\n$5\r\nproto\r\n:3\r\n$4\r\nmode\r\n$7\r\ncluster"),
                "CLUSTER" => Answer::line(&format!(
                    "*1\r\n*3\r\n:0\r\n:16383\r\n*2\r\n$9\r\n127.0.0.1\r\n:{}",
                    ports[0]
                )),
                "SET" => Answer::line(&format!("-MOVED 5 127.0.0.1:{}", ports[1 - own])),
                "INCRBY" | "EVALSHA" => Answer::line("-TRYAGAIN Multiple keys request"),
                _ => return None,
            })
        })
    };
    let nodes = [node(0), node(1)];
    *ports.lock().unwrap() = [place(&nodes[0].url()).1, place(&nodes[1].url()).1];
    let backend: RedisBackend = lazy(patient(&nodes[0].url()).call_timeout(BRIEF * 4));
    let error = backend
        .set("hiddenkey", "topsecret", None)
        .await
        .unwrap_err();
    row!(
        made up,
        "the nodes of the cluster disagree about who serves hash slot ..",
        Unavailable,
        Refused
    )
    .check(&error);
    let error = backend.increment("hiddenkey", None).await.unwrap_err();
    row!(made up, "the server answered TRYAGAIN", Unavailable, Refused).check(&error);
}

#[tokio::test]
async fn a_cluster_that_stands_still() {
    let node = Server::on_tcp_with(&["--cluster-enabled", "yes"]);
    node.pause();
    let url = format!("redis-cluster://127.0.0.1:{}", node.port());
    let brief = lazy(patient(&url).call_timeout(BRIEF));
    let error = brief.set("hiddenkey", "topsecret", None).await.unwrap_err();
    row!(
        "no node of the cluster has told its map yet",
        Unavailable,
        NotSent
    )
    .check(&error);
    node.resume();
    assert!(node.command("DBSIZE").starts_with(":0"));
}

#[tokio::test]
async fn nodes_that_never_tell_their_map() {
    let silent = FakeServer::start(|_, command| match command[0].as_str() {
        "HELLO" => Some(Answer::line(
            "%2\r\n$5\r\nproto\r\n:3\r\n$4\r\nmode\r\n$7\r\ncluster",
        )),
        "CLUSTER" => Some(Answer::Silence),
        _ => None,
    });
    let builder = patient(&silent.url()).connect_timeout(BRIEF);
    let silence = row!(made up, "no node of the cluster told its map within ..", Timeout, NotSent);
    silence.check(&builder.clone().build().await.unwrap_err());
    let late = lazy(builder.clone().call_timeout(BRIEF * 3));
    let error = late.set("hiddenkey", "topsecret", None).await.unwrap_err();
    silence.check(&error);
    let brief = lazy(builder.call_timeout(BRIEF / 2));
    let error = brief.set("hiddenkey", "topsecret", None).await.unwrap_err();
    // The connection is given up as silent, or the limit passes just before.
    let given_up = row!(made up, "the connection to .. was lost", Unavailable, NotSent);
    let limit = row!(
        "no node of the cluster has told its map yet",
        Unavailable,
        NotSent
    );
    check(&[given_up, limit], Met::of(&error));
    assert_eq!(silent.count("SET"), 0);
}
