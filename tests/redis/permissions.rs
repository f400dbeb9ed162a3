//! An operation that needs a command which its user may not run is refused, and has changed
//! nothing.

use std::time::{Duration, Instant};

use reinhardt_backends::store::{NewEntry, Store};
use reinhardt_backends::{Backend, ErrorKind, Expiry, Life, RedisBackend, Stored};
use reinhardt_backends_tests::{Server, StepwiseBackend};

use super::write_operations::{OPERATIONS, held, is_unchanged};
use super::{PATIENCE, connect};

/// Connects as a user who may run all but some commands.
async fn without(server: &Server, commands: &str) -> RedisBackend {
    let forbidden = commands.split(' ').map(|command| format!(" -{command}"));
    let forbidden: String = forbidden.collect();
    let set = server.command(&format!(
        "ACL SETUSER app reset on >pa55 ~* +@all{forbidden}"
    ));
    assert!(!set.starts_with('-'), "{set}");
    connect(&format!("redis://app:pa55@127.0.0.1:{}", server.port())).await
}

#[tokio::test]
async fn an_operation_without_one_of_its_commands_is_denied_and_changes_nothing() {
    let server = Server::on_tcp();
    let admin = connect(&server.url()).await;
    for operation in OPERATIONS {
        server.command("FLUSHALL");
        operation.prepare(&admin).await;
        for commands in operation.commands {
            let name = format!("{} without {commands}", operation.name);
            let backend = without(&server, commands).await;
            let before = held(&server).await;
            let error = operation.run(&backend).await.expect_err(&name);
            assert_eq!(error.kind(), ErrorKind::Denied, "{name}: {error}");
            assert!(!error.outcome_unknown(), "{name}: the server answered");
            let after = held(&server).await;
            assert!(
                is_unchanged(&before, &after),
                "{name}: {before:?} {after:?}"
            );
        }
        // The operation needs no other command than those that are listed.
        operation.run(&admin).await.unwrap();
    }
}

/// Removes in a script: by comparing, and by moving.
async fn removes_in_scripts(backend: &RedisBackend) {
    let seven = Stored::from(&b"7"[..]);
    backend.set("compared", 7, None).await.unwrap();
    assert!(
        backend
            .compare_and_delete("compared", &seven)
            .await
            .unwrap()
    );
    backend.set("from", 7, None).await.unwrap();
    let to = NewEntry {
        key: "to",
        value: b"8",
        life: Life::Keep,
    };
    assert!(backend.move_entry("from", b"7", to, None).await.unwrap());
    assert!(!backend.exists("compared").await.unwrap());
    assert!(!backend.exists("from").await.unwrap());
    assert_eq!(backend.get::<u8>("to").await.unwrap(), Some(8));
}

#[tokio::test]
async fn a_script_removes_by_del_where_unlink_is_forbidden() {
    let server = Server::on_tcp();
    removes_in_scripts(&without(&server, "unlink").await).await;
}

#[tokio::test]
async fn a_script_removes_by_del_where_there_is_no_unlink() {
    let server = Server::with_settings(&["--rename-command", "UNLINK", ""]);
    removes_in_scripts(&connect(&server.url()).await).await;
}

#[tokio::test]
async fn a_script_on_a_server_without_a_way_to_remove_is_unsupported() {
    let without = [
        "--rename-command",
        "UNLINK",
        "",
        "--rename-command",
        "DEL",
        "",
    ];
    let server = Server::with_settings(&without);
    let backend = connect(&server.url()).await;
    backend.set("k", 7, None).await.unwrap();
    let seven = Stored::from(&b"7"[..]);
    let error = backend.compare_and_delete("k", &seven).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unsupported, "{error}");
    assert!(backend.exists("k").await.unwrap());
}

#[tokio::test]
async fn a_user_without_a_key_of_a_script_is_denied() {
    let server = Server::on_tcp();
    server.command("ACL SETUSER app on >pa55 ~reinhardt:mine* +@all");
    let url = format!("redis://app:pa55@127.0.0.1:{}", server.port());
    let backend = connect(&url).await;
    backend.set("mine", 7, None).await.unwrap();
    let to = |key| NewEntry {
        key,
        value: b"8",
        life: Life::Keep,
    };
    let moved = backend.move_entry("mine", b"7", to("yours"), None).await;
    assert_eq!(moved.unwrap_err().kind(), ErrorKind::Denied);
    let moved = backend.move_entry("mine", b"7", to("mine too"), None).await;
    assert!(moved.unwrap());
}

#[tokio::test]
async fn a_move_in_the_steps_of_the_default_is_taken_back_where_the_old_entry_may_not_be_removed() {
    let server = Server::on_tcp();
    let admin = connect(&server.url()).await;
    admin.set("from", 7, None).await.unwrap();
    admin
        .set("over", 7, Some(Duration::from_secs(600)))
        .await
        .unwrap();
    let backend = StepwiseBackend(without(&server, "unlink del").await);
    let before = held(&server).await;
    for (key, over) in [("to", None), ("over", Some(&b"7"[..]))] {
        let to = NewEntry {
            key,
            value: b"8",
            life: Life::Never,
        };
        let error = backend
            .move_entry("from", b"7", to, over)
            .await
            .unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Denied, "{error}");
        assert!(!error.outcome_unknown());
        let deadline = Instant::now() + PATIENCE;
        while !is_unchanged(&before, &held(&server).await) {
            assert!(Instant::now() < deadline, "{:?}", held(&server).await);
        }
    }
}

#[tokio::test]
async fn a_counter_is_untouched_where_the_window_is_not_permitted() {
    let server = Server::on_tcp();
    server.command("ACL SETUSER app on >pa55 ~* +@all -pexpire");
    let url = format!("redis://app:pa55@127.0.0.1:{}", server.port());
    let backend = connect(&url).await;
    let minute = Some(Duration::from_secs(60));
    backend.set("immortal", 5, None).await.unwrap();
    let error = backend.increment("immortal", minute).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Denied, "{error}");
    assert_eq!(backend.get::<i64>("immortal").await.unwrap(), Some(5));
    assert_eq!(backend.increment("new", minute).await.unwrap(), 1);
    assert!(matches!(
        backend.ttl("new").await.unwrap(),
        Some(Expiry::In(_))
    ));
}
