//! An operation sends as few commands as is documented, as the server itself sees them.

use std::time::Duration;

use futures::StreamExt;
use reinhardt_backends::{Backend, Life, RedisBackend};
use reinhardt_backends_tests::Server;

use super::connect;

/// Returns the commands that `calls` causes on the server, without those inside of scripts.
async fn sent(server: &Server, calls: impl Future<Output = ()>) -> Vec<String> {
    let client = redis::Client::open(server.url()).unwrap();
    let monitor = client.get_async_monitor().await.unwrap();
    let mut lines = monitor.into_on_message::<String>();
    calls.await;
    server.command("ECHO the-end");
    let mut commands = Vec::new();
    while let Some(line) = lines.next().await {
        if line.contains("the-end") {
            break;
        }
        let (from, command) = line.split_once("] ").unwrap();
        if !from.ends_with("lua") {
            commands.push(command.to_string());
        }
    }
    commands
}

fn name(command: &str) -> String {
    command.split('"').nth(1).unwrap().to_uppercase()
}

#[tokio::test]
async fn every_operation_is_one_command_or_one_script() {
    let server = Server::start();
    let backend = connect(&server.url()).await;
    let minute = Some(Duration::from_secs(60));
    let calls = async |backend: &RedisBackend| {
        backend.set("k", "v", minute).await.unwrap();
        backend.set_if_absent("k", "v", minute).await.unwrap();
        backend.set_if_present("k", "v", None).await.unwrap();
        let stored = backend.get_stored("k").await.unwrap().unwrap();
        backend
            .compare_and_set("k", &stored, "w", Life::Keep)
            .await
            .unwrap();
        backend.compare_and_delete("k", &stored).await.unwrap();
        backend.get::<String>("k").await.unwrap();
        backend.get_with_ttl::<String>("k").await.unwrap();
        backend.get_many::<String>(&["k", "l"]).await.unwrap();
        backend.exists("k").await.unwrap();
        backend.ttl("k").await.unwrap();
        backend
            .expire("k", Life::In(Duration::from_millis(1500)))
            .await
            .unwrap();
        backend.expire("k", Life::Never).await.unwrap();
        backend.take::<String>("k").await.unwrap();
        backend.delete("k").await.unwrap();
        backend.delete_many(&["k", "l"]).await.unwrap();
        backend.increment("hits", minute).await.unwrap();
        backend.increment_by("hits", -3, None).await.unwrap();
        backend.ping().await.unwrap();
    };
    // Once, so that the server knows the scripts.
    calls(&backend).await;
    let commands = sent(&server, calls(&backend)).await;
    let names: Vec<String> = commands.iter().map(|command| name(command)).collect();
    assert_eq!(
        names,
        [
            "SET", "SET", "SET", "GET", "EVALSHA", "EVALSHA", "GET", "EVALSHA", "MGET", "PTTL",
            "PTTL", "PEXPIRE", "EVALSHA", "GETDEL", "UNLINK", "UNLINK", "EVALSHA", "EVALSHA",
            "PING"
        ]
    );
    assert_eq!(
        commands[0].to_uppercase(),
        r#""SET" "REINHARDT:K" "AV" "PX" "60000""#
    );
    assert!(
        commands[1].ends_with(r#""PX" "60000" "NX""#),
        "{}",
        commands[1]
    );
    assert!(commands[2].ends_with(r#""XX""#), "{}", commands[2]);
}

#[tokio::test]
async fn scripts_are_loaded_when_the_server_has_lost_them() {
    let server = Server::start();
    let backend = connect(&server.url()).await;
    for sum in 1..=3 {
        assert_eq!(backend.increment("hits", None).await.unwrap(), sum);
        server.command("SCRIPT FLUSH");
    }
    let commands = sent(&server, async {
        backend.increment("hits", None).await.map(drop).unwrap()
    })
    .await;
    let names: Vec<String> = commands.iter().map(|command| name(command)).collect();
    assert_eq!(names, ["EVALSHA", "EVAL"]);
}

#[tokio::test]
async fn clear_scans_and_unlinks_in_batches_and_nothing_else() {
    let server = Server::start();
    let backend = connect(&server.url()).await;
    let other = RedisBackend::builder()
        .url(&server.url())
        .namespace("reinhardt*")
        .build()
        .await
        .unwrap();
    other.set("mine", 1, None).await.unwrap();
    server.command("SET reinhardt 1");
    let keys: Vec<String> = (0..3_500).map(|index| format!("k{index}")).collect();
    let entries: Vec<_> = keys.iter().map(|key| (key.as_str(), 1)).collect();
    backend.set_many(&entries, None).await.unwrap();
    let commands = sent(&server, async { backend.clear().await.unwrap() }).await;
    let mut unlinked = 0;
    for command in &commands {
        let arguments = command.split("\" \"").count() - 1;
        match name(command).as_str() {
            "SCAN" => assert!(command.contains(r#""MATCH" "reinhardt:*""#), "{command}"),
            "UNLINK" => {
                assert!(arguments <= 1_000, "{arguments} keys at once");
                unlinked += arguments;
            }
            _ => panic!("{command}"),
        }
    }
    assert_eq!(unlinked, keys.len());
    assert_eq!(other.get::<u8>("mine").await.unwrap(), Some(1));
    assert!(
        server.command("DBSIZE").starts_with(":2"),
        "the namespaces beside are untouched"
    );
    let commands = sent(&server, async {
        other.clear_prefix("mi*").await.map(drop).unwrap()
    })
    .await;
    assert!(
        commands[0].contains(r#""reinhardt%2A:mi\\**""#),
        "{commands:?}"
    );
    assert!(other.exists("mine").await.unwrap());
}

#[tokio::test]
async fn a_backend_shares_one_connection_with_its_clones() {
    let server = Server::start();
    let backend = connect(&server.url()).await;
    let clones: Vec<_> = (0..10).map(|_| backend.clone()).collect();
    futures::future::join_all(clones.iter().map(|clone| clone.set("k", 1, None))).await;
    let clients = server.command("CLIENT LIST");
    let library = clients
        .lines()
        .filter(|line| line.contains("resp=3") || line.contains("cmd=set"))
        .count();
    assert_eq!(library, 1, "{clients}");
}
