//! An error of a server keeps its meaning, and the parts that are secret aren't shown.

use std::sync::Arc;
use std::time::{Duration, Instant};

use reinhardt_backends::store::{Store, Touch};
use reinhardt_backends::{Backend, ErrorKind, Life, RedisBackend};
use reinhardt_backends_tests::Server;

use super::{BRIEF, PATIENCE, builder, connect, impatient, said};

#[tokio::test]
async fn a_login_that_is_missing_or_wrong_is_denied() {
    let server = Server::on_tcp_with(&["--requirepass", "right-password"]);
    let error = RedisBackend::new(&server.url()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Denied, "{error}");
    let wrong = format!("redis://:wrong-password@127.0.0.1:{}", server.port());
    let error = RedisBackend::new(&wrong).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Denied, "{error}");
    assert!(!said(&error).contains("wrong-password"), "{}", said(&error));
    let right = format!("redis://:right-password@127.0.0.1:{}", server.port());
    let backend = RedisBackend::new(&right).await.unwrap();
    backend.set("k", 1, None).await.unwrap();
    assert!(!format!("{backend:?}").contains("password"));
}

#[tokio::test]
async fn a_missing_permission_is_denied() {
    let server = Server::on_tcp();
    server.command("ACL SETUSER reader on >secret ~* +@read +@connection");
    let url = format!("redis://reader:secret@127.0.0.1:{}", server.port());
    let backend = connect(&url).await;
    assert_eq!(backend.get::<u8>("k").await.unwrap(), None);
    for error in [
        backend.set("k", "topsecret", None).await.unwrap_err(),
        backend.increment("k", None).await.unwrap_err(),
        backend.delete("k").await.unwrap_err(),
    ] {
        assert_eq!(error.kind(), ErrorKind::Denied, "{error}");
        assert!(!error.outcome_unknown(), "the server answered");
        assert!(!said(&error).contains("secret"));
    }
}

#[tokio::test]
async fn a_server_that_became_a_replica_is_read_and_unavailable_for_writes() {
    let server = Server::start();
    let backend = impatient(&server.url()).await;
    server.command("REPLICAOF 127.0.0.1 1");
    assert_eq!(backend.get::<u8>("k").await.unwrap(), None);
    let stored = reinhardt_backends::Stored::from(&b"1"[..]);
    for error in [
        backend.set("k", 1, None).await.unwrap_err(),
        backend.increment("k", None).await.unwrap_err(),
        backend.take::<u8>("k").await.unwrap_err(),
    ] {
        assert_eq!(error.kind(), ErrorKind::Unavailable, "{error}");
        assert!(error.to_string().contains("READONLY"), "{error}");
        assert!(!error.outcome_unknown());
    }
    assert!(
        !backend.compare_and_delete("k", &stored).await.unwrap(),
        "there is nothing to compare with"
    );
}

#[tokio::test]
async fn a_replica_that_lost_its_master_may_refuse_reads() {
    let server = Server::with_settings(&["--replica-serve-stale-data", "no"]);
    let backend = impatient(&server.url()).await;
    server.command("REPLICAOF 127.0.0.1 1");
    let error = backend.get::<u8>("k").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable);
    assert!(error.to_string().contains("MASTERDOWN"), "{error}");
}

#[tokio::test]
async fn a_full_server_is_full_and_keeps_what_it_has() {
    let server = Server::start();
    let backend = connect(&server.url()).await;
    backend.set("k", 1, None).await.unwrap();
    let stored = backend.get_stored("k").await.unwrap().unwrap();
    server.command("CONFIG SET maxmemory 1");
    for error in [
        backend.set("l", 1, None).await.unwrap_err(),
        backend.increment("k", None).await.unwrap_err(),
        backend
            .compare_and_set("k", &stored, 2, Life::Keep)
            .await
            .unwrap_err(),
    ] {
        assert_eq!(error.kind(), ErrorKind::Full, "{error}");
        assert!(!error.outcome_unknown());
    }
    let error = backend
        .set_many(&[("l", 1), ("m", 2)], None)
        .await
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Full);
    assert_eq!(error.failed_indices(), [0, 1]);
    assert_eq!(backend.get::<u8>("k").await.unwrap(), Some(1));
    assert!(
        backend.delete("k").await.unwrap(),
        "a full server can be emptied"
    );
}

#[tokio::test]
async fn a_server_that_can_not_save_is_unavailable_for_writes() {
    let server = Server::with_settings(&["--save", "3600", "1", "--dir", "/proc"]);
    let backend = connect(&server.url()).await;
    backend.set("k", 1, None).await.unwrap();
    server.command("BGSAVE");
    let deadline = Instant::now() + PATIENCE;
    let error = loop {
        match backend.set("k", 2, None).await {
            Err(error) => break error,
            Ok(()) => assert!(Instant::now() < deadline),
        }
    };
    assert_eq!(error.kind(), ErrorKind::Unavailable);
    assert!(error.to_string().contains("MISCONF"), "{error}");
    let error = backend.increment("k", None).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable, "{error}");
}

#[tokio::test]
async fn a_server_busy_with_a_script_is_unavailable() {
    let server = Server::start();
    server.command("CONFIG SET lua-time-limit 1");
    let backend = connect(&server.url()).await;
    let server = Arc::new(server);
    let busy = server.clone();
    let script = std::thread::spawn(move || busy.command(r#"EVAL "while true do end" 0"#));
    let deadline = Instant::now() + PATIENCE;
    let error = loop {
        match backend.get::<u8>("k").await {
            Err(error) => break error,
            Ok(_) => assert!(Instant::now() < deadline),
        }
    };
    server.command("SCRIPT KILL");
    script.join().unwrap();
    assert_eq!(error.kind(), ErrorKind::Unavailable);
    assert!(error.to_string().contains("BUSY"), "{error}");
    assert_eq!(backend.get::<u8>("k").await.unwrap(), None);
}

#[tokio::test]
async fn a_server_that_loads_is_unavailable() {
    // While it loads a server looks at its sockets once every 2 MiB, which are some forty values.
    let mut server = Server::with_settings(&["--key-load-delay", "8000", "--rdbcompression", "no"]);
    let backend = connect(&server.url()).await;
    let text = "x".repeat(50_000);
    let keys: Vec<String> = (0..500).map(|index| format!("k{index}")).collect();
    let entries: Vec<_> = keys.iter().map(|key| (key.as_str(), &text)).collect();
    backend.set_many(&entries, None).await.unwrap();
    server.command("SAVE");
    server.kill();
    server.restart();
    let brief = builder(&server.url()).call_timeout(BRIEF * 6);
    let error = brief.build_lazy().unwrap().get::<String>("k1").await;
    let error = error.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable, "{error}");
    assert!(error.to_string().contains("LOADING"), "{error}");
    assert!(!error.outcome_unknown());
    // Whoever has the time is answered when the server is ready.
    let value = connect(&server.url()).await.get::<String>("k1").await;
    assert_eq!(value.unwrap(), Some(text));
}

#[tokio::test]
async fn a_server_with_too_many_clients_is_unavailable() {
    let server = Server::start();
    let _backend = connect(&server.url()).await;
    server.command("CONFIG SET maxclients 1");
    let error = RedisBackend::new(&server.url()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable, "{error}");
}

#[tokio::test]
async fn a_server_too_old_for_a_command_keeps_the_value() {
    let unknown = ["GETDEL", "EVALSHA"].map(|command| ["--rename-command", command, ""]);
    let server = Server::with_settings(unknown.as_flattened());
    let backend = connect(&server.url()).await;
    backend.set("k", "topsecret", None).await.unwrap();
    let error = backend.take::<String>("k").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unsupported, "{error}");
    assert!(!error.outcome_unknown());
    assert!(backend.exists("k").await.unwrap());
}

#[tokio::test]
async fn arguments_that_an_error_repeats_are_not_shown() {
    let server = Server::with_settings(&["--rename-command", "SET", ""]);
    let backend = connect(&server.url()).await;
    let error = backend
        .set("secret-key", "secret-value", None)
        .await
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unsupported);
    assert!(!said(&error).contains("secret"), "{}", said(&error));
}

#[tokio::test]
async fn a_key_of_a_foreign_type_is_the_wrong_type() {
    let server = Server::start();
    let backend = connect(&server.url()).await;
    server.command("LPUSH reinhardt:list x");
    backend.set("k", 1, None).await.unwrap();
    let stored = backend.get_stored("k").await.unwrap().unwrap();
    for error in [
        backend.get::<u8>("list").await.unwrap_err(),
        backend.get_with_ttl::<u8>("list").await.unwrap_err(),
        backend.take::<u8>("list").await.unwrap_err(),
        backend.increment("list", None).await.unwrap_err(),
        backend
            .compare_and_set("list", &stored, 1, Life::Keep)
            .await
            .unwrap_err(),
        backend
            .compare_and_delete("list", &stored)
            .await
            .unwrap_err(),
    ] {
        assert_eq!(error.kind(), ErrorKind::WrongType, "{error}");
    }
    let minute = Duration::from_secs(60);
    for touch in [Touch::Keep, Touch::Extend(minute), Touch::Restart(minute)] {
        let error = backend.read_value("list", touch).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::WrongType, "{error}");
        // Among many keys this key is absent.
        let read = backend.read_values(&["list", "k"], touch).await.unwrap();
        assert_eq!(read, [None, Some(stored.clone())], "{touch:?}");
    }
    assert!(
        backend
            .expire("list", Life::In(Duration::from_secs(60)))
            .await
            .unwrap()
    );
    assert!(backend.delete("list").await.unwrap());
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
        Some(reinhardt_backends::Expiry::In(_))
    ));
}
