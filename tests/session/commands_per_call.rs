//! A call of a session store sends as few commands as is documented, as the server itself sees
//! them.

use futures::StreamExt;
use redis::aio::MultiplexedConnection;
use reinhardt_backends_tests::Server;

use crate::{ann, sessions};

/// Returns the names of the commands that `calls` causes on the server, without those inside of
/// scripts.
async fn sent<T>(server: &Server, calls: impl Future<Output = T>) -> (T, Vec<String>) {
    let client = redis::Client::open(server.url()).unwrap();
    let monitor = client.get_async_monitor().await.unwrap();
    let mut lines = monitor.into_on_message::<String>();
    let answer = calls.await;
    server.command("ECHO the-end");
    let mut names = Vec::new();
    while let Some(line) = lines.next().await {
        if line.contains("the-end") {
            break;
        }
        let (from, command) = line.split_once("] ").unwrap();
        if !from.ends_with("lua") {
            names.push(command.split('"').nth(1).unwrap().to_uppercase());
        }
    }
    (answer, names)
}

#[tokio::test]
async fn a_read_is_one_round_trip() {
    let server = Server::start();
    let sessions = sessions(server.connect().await);
    let session = sessions.create("ann", ann()).await.unwrap();
    let (loaded, names) = sent(&server, sessions.load(session.id())).await;
    assert!(loaded.unwrap().is_some());
    assert_eq!(names, ["GETEX"]);
    let (loaded, names) = sent(&server, sessions.load("no id")).await;
    assert!(loaded.unwrap().is_none());
    assert_eq!(names, [""; 0]);
}

#[tokio::test]
async fn writes_are_one_round_trip_too() {
    let server = Server::start();
    let sessions = sessions(server.connect().await);
    let calls = async || {
        let mut session = sessions.create_anonymous(ann()).await.unwrap();
        sessions.save(&mut session).await.unwrap();
        sessions.cycle(&mut session, "ann").await.unwrap();
        sessions.touch(session.id()).await.unwrap();
        sessions.update(session.id(), |_| ()).await.unwrap();
        sessions.delete(session.id()).await.unwrap();
    };
    calls().await;
    let ((), names) = sent(&server, calls()).await;
    assert_eq!(
        names,
        [
            "SET", "EVALSHA", "EVALSHA", "PEXPIRE", "GET", "EVALSHA", "UNLINK"
        ]
    );
}

/// Returns how many `SCAN`s the server has answered.
async fn scans(raw: &mut MultiplexedConnection) -> u64 {
    let mut info = redis::cmd("INFO");
    let stats: String = info.arg("commandstats").query_async(raw).await.unwrap();
    let calls = stats.split_once("cmdstat_scan:calls=");
    let calls = calls.and_then(|(_, rest)| rest.split(',').next());
    calls.map_or(0, |calls| calls.parse().unwrap())
}

/// Twice, because the second walk finds the keys that came while the first one ran, for instance a
/// session that got another id.
#[tokio::test]
async fn logging_out_everywhere_walks_twice_over_all_keys_of_the_server() {
    let server = Server::start();
    let backend = server.connect().await;
    let foreign = "for i = 1, 5000 do redis.call('SET', 'other-program:' .. i, i) end";
    let client = redis::Client::open(server.url()).unwrap();
    let mut raw = client.get_multiplexed_async_connection().await.unwrap();
    let mut fill = redis::cmd("EVAL");
    fill.arg(foreign).arg(0).exec_async(&mut raw).await.unwrap();
    let sessions = sessions(backend);
    assert_eq!(sessions.delete_all("ann").await.unwrap(), 0);
    let walk = scans(&mut raw).await;
    assert!(walk >= 5, "{walk} pages of some 1,000 keys");
    for _ in 0..2 {
        sessions.create("ann", ann()).await.unwrap();
    }
    assert_eq!(sessions.delete_all("ann").await.unwrap(), 2);
    let twice = (2 * walk - 2)..=(2 * walk + 2);
    let walks = scans(&mut raw).await - walk;
    assert!(twice.contains(&walks), "{walks} pages, {walk} a walk");
    let kept = sessions.create("ann", ann()).await.unwrap();
    sessions.create("ann", ann()).await.unwrap();
    let before = scans(&mut raw).await;
    assert_eq!(sessions.delete_others(&kept).await.unwrap(), 1);
    let walks = scans(&mut raw).await - before;
    assert!(twice.contains(&walks), "{walks} pages, {walk} a walk");
}
