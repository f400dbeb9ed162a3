//! What is sent to the server, as the server itself sees it.

use futures::StreamExt;
use reinhardt_backends_tests::Server;

use crate::{ann, sessions};

/// Returns the names of the commands that `calls` causes on the server, without those inside of scripts.
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
