//! A server that answers with an error has executed nothing, and nothing is executed later.

use std::sync::Arc;
use std::time::{Duration, Instant};

use futures::future::join_all;
use reinhardt_backends::store::{Store, Touch};
use reinhardt_backends::throttle::{Attempt, Quota};
use reinhardt_backends::{Backend, ErrorKind, Eviction, Life, MemoryBackend, Stored};
use reinhardt_backends_tests::{Answer, FakeServer, Server, patient};

use super::page::row;
use super::witness::{WRITES, Witness, Write};
use super::{BRIEF, PATIENCE, as_user, connect, lazy, shared};

const MINUTE: Duration = Duration::from_secs(60);

/// A backend with a brief limit: what is refused because the server isn't ready is sent again until
/// the limit has passed.
fn brief(url: &str) -> Arc<dyn Backend> {
    shared(lazy(patient(url).call_timeout(BRIEF)))
}

#[tokio::test]
async fn a_server_that_became_a_replica() {
    let server = Server::start();
    let witness = Witness::of(connect(&server.url()).await).await;
    let backend = brief(&server.url());
    backend.ping().await.unwrap();
    server.command("REPLICAOF 127.0.0.1 1");
    let read_only = row!("the server answered READONLY", Unavailable, Refused);
    witness.refuses(&backend, &[read_only]).await;
    let late = brief(&format!("{}?protocol=2", server.url()));
    let is_one = row!(
        ".. is a replica, which takes no writes",
        Unavailable,
        NotSent
    );
    for late in [&late, &brief(&server.url())] {
        witness.refuses(late, &[is_one]).await;
    }
    assert_eq!(backend.get::<u8>("hiddenkey:set").await.unwrap(), Some(7));
    server.command("REPLICAOF NO ONE");
    witness.sees_no_change_later(&backend).await;
    witness.sees_no_change_later(&late).await;
}

#[tokio::test]
async fn a_replica_that_lost_its_primary_and_may_not_answer() {
    let server = Server::with_settings(&["--replica-serve-stale-data", "no"]);
    let witness = Witness::of(connect(&server.url()).await).await;
    let backend = brief(&server.url());
    backend.increment("known", None).await.unwrap();
    backend.delete("known").await.unwrap();
    server.command("REPLICAOF 127.0.0.1 1");
    let stale = row!("the server answered MASTERDOWN", Unavailable, Refused);
    let read_only = row!("the server answered READONLY", Unavailable, Refused);
    let error = backend.get::<u8>("hiddenkey:set").await.unwrap_err();
    stale.check(&error);
    witness.refuses(&backend, &[stale, read_only]).await;
    server.command("REPLICAOF NO ONE");
    witness.sees_no_change_later(&backend).await;
}

/// While it loads a server looks at its sockets once every 2 MiB, which are some ten values. A
/// write whose limit passes between two looks is of unknown outcome.
#[tokio::test]
async fn a_server_that_loads() {
    let mut server = Server::with_settings(&["--key-load-delay", "8000", "--rdbcompression", "no"]);
    let direct = connect(&server.url()).await;
    let text = "x".repeat(200_000);
    let keys: Vec<String> = (0..250).map(|index| format!("k{index}")).collect();
    let entries: Vec<_> = keys.iter().map(|key| (key.as_str(), &text)).collect();
    direct.set_many(&entries, None).await.unwrap();
    server.command("SAVE");
    server.kill();
    server.restart();
    let loads = row!("the server answered LOADING", Unavailable, Refused);
    let refused = (1..=16).map(async |index| {
        let backend = lazy(patient(&server.url()).call_timeout(BRIEF / 4 * index));
        let key = format!("hiddenkey:{index}");
        let set = backend.set(&key, "topsecret", None).await;
        let error = set.expect_err("the server loads");
        (!error.outcome_unknown()).then_some((key, error))
    });
    let mut count = 0;
    for (key, error) in join_all(refused).await.into_iter().flatten() {
        if error.kind() == ErrorKind::Unavailable {
            loads.check(&error);
            count += 1;
        }
        // Whoever has the time is answered when the server is ready.
        assert!(!direct.exists(&key).await.unwrap(), "{error}");
    }
    assert!(count > 0, "no answer came while the server was loading");
    assert_eq!(direct.get::<String>("k1").await.unwrap(), Some(text));
}

#[tokio::test]
async fn a_server_that_can_not_save() {
    let server = Server::with_settings(&["--save", "3600", "1", "--dir", "/proc"]);
    let witness = Witness::of(connect(&server.url()).await).await;
    let backend = shared(connect(&server.url()).await);
    server.command("BGSAVE");
    let deadline = Instant::now() + PATIENCE;
    while backend.expire("absent", Life::Never).await.is_ok() {
        assert!(Instant::now() < deadline);
        if server.command("SET odd 1").starts_with("-MISCONF") {
            break;
        }
    }
    let full = row!("the server answered MISCONF", Unavailable, Refused);
    witness.refuses(&backend, &[full]).await;
    assert_eq!(backend.get::<u8>("hiddenkey:set").await.unwrap(), Some(7));
    server.command("CONFIG SET stop-writes-on-bgsave-error no");
    witness.sees_no_change_later(&backend).await;
}

#[tokio::test]
async fn a_server_that_is_busy_with_a_script() {
    let server = Arc::new(Server::start());
    server.command("CONFIG SET lua-time-limit 1");
    let witness = Witness::of(connect(&server.url()).await).await;
    let backend = shared(connect(&server.url()).await);
    let busy = server.clone();
    let script = std::thread::spawn(move || busy.command(r#"EVAL "while true do end" 0"#));
    let is_busy = row!("the server answered BUSY", Unavailable, Refused);
    let deadline = Instant::now() + PATIENCE;
    let error = loop {
        match backend.get::<u8>("hiddenkey:set").await {
            Err(error) => break error,
            Ok(_) => assert!(Instant::now() < deadline),
        }
    };
    is_busy.check(&error);
    witness.refuses(&backend, &[is_busy]).await;
    server.command("SCRIPT KILL");
    script.join().unwrap();
    witness.sees_no_change_later(&backend).await;
}

#[tokio::test]
async fn a_primary_without_the_replicas_that_it_must_have() {
    let server = Server::start();
    let witness = Witness::of(connect(&server.url()).await).await;
    let backend = shared(connect(&server.url()).await);
    server.command("CONFIG SET min-replicas-to-write 1");
    let alone = row!("the server answered NOREPLICAS", Unavailable, Refused);
    // Redis 6.2 lets scripts write all the same.
    let is_old = server.command("INFO server").contains("redis_version:6.");
    let is_refused = |write: &Write| !is_old || !write.is_script;
    witness.refuses_those(&backend, &[alone], is_refused).await;
    assert_eq!(backend.get::<u8>("hiddenkey:set").await.unwrap(), Some(7));
    server.command("CONFIG SET min-replicas-to-write 0");
    witness.sees_no_change_later(&backend).await;
}

/// Gives a server more and more room, until it is enough for some of the entries of one call.
async fn is_full_in_the_middle(server: &Server, backend: &impl Backend) {
    let value = "topsecret".repeat(2_000);
    let keys: Vec<String> = (0..40).map(|index| format!("many:{index}")).collect();
    let entries: Vec<(&str, &str)> = keys.iter().map(|key| (&**key, &*value)).collect();
    let memory = server.command("INFO memory");
    let used = memory
        .lines()
        .find_map(|line| line.strip_prefix("used_memory:"));
    let used: usize = used.unwrap().trim().parse().unwrap();
    for room in 1.. {
        let most = used + room * value.len();
        server.command(&format!("CONFIG SET maxmemory {most}"));
        let error = backend.set_many(&entries, Some(MINUTE)).await;
        let error = error.expect_err("less room than for some was found before");
        let failed = error.failed_indices().len();
        if failed < entries.len() {
            row!("the server answered OOM", Full, Part).check(&error);
            let stored = backend.clear_prefix("many:").await.unwrap();
            assert_eq!(stored as usize, entries.len() - failed);
            return;
        }
    }
}

#[tokio::test]
async fn a_full_server() {
    let server = Server::start();
    let witness = Witness::of(connect(&server.url()).await).await;
    let backend = shared(connect(&server.url()).await);
    server.command("CONFIG SET maxmemory 1");
    let full = row!("the server answered OOM", Full, Refused);
    let grow = |write: &Write| write.grows;
    witness.refuses_those(&backend, &[full], grow).await;
    let entries = [("hiddenkey:set_many", 8), ("hiddenkey:many", 8)];
    let error = backend.set_many(&entries, None).await.unwrap_err();
    assert_eq!(error.failed_indices(), [0, 1]);
    witness.sees_no_change().await;
    server.command("CONFIG SET maxmemory 0");
    witness.sees_no_change_later(&backend).await;
    is_full_in_the_middle(&server, &backend).await;
    server.command("CONFIG SET maxmemory 1");
    let empties = backend.delete("hiddenkey:delete").await;
    assert!(empties.unwrap(), "a full server can be emptied");
}

#[tokio::test]
async fn a_full_memory() {
    let entries = WRITES.iter().filter(|write| !write.begins).count();
    let builder = MemoryBackend::builder().max_entries(entries);
    let memory = builder.eviction(Eviction::Off).build();
    let witness = Witness::of(memory.clone()).await;
    let backend: Arc<dyn Backend> = Arc::new(memory);
    let full = row!("the limit is ..", Full, Refused);
    let begins = |write: &Write| write.begins;
    witness.refuses_those(&backend, &[full], begins).await;
    witness.sees_no_change().await;
    // Of several entries those are stored that there is room for.
    let entries = [("hiddenkey:set_many", 8), ("hiddenkey:many", 8)];
    let error = backend.set_many(&entries, None).await.unwrap_err();
    row!("the limit is ..", Full, Part).check(&error);
    assert_eq!(error.failed_indices(), [1]);
    let stored = backend.get::<u8>("hiddenkey:set_many").await.unwrap();
    assert_eq!(stored, Some(8));
}

#[tokio::test]
async fn a_user_without_a_right() {
    let server = Server::on_tcp();
    let witness = Witness::of(connect(&server.url()).await).await;
    let reader = shared(as_user(&server, "~* +@read +@connection"));
    let denied = row!("the server answered NOPERM", Denied, Refused);
    witness.refuses(&reader, &[denied]).await;
    witness.sees_no_change().await;
    // Inside of a script there is no code word for it.
    let rights = "~* +@all -set -incrby -pexpire -getdel -unlink -del";
    let writer = shared(as_user(&server, rights));
    let in_script = row!("the server answered ERR", Denied, Refused);
    let on_6_2 = row!(made up, "the server answered an error", Denied, Refused);
    let is_6_2 = server.command("INFO server").contains("redis_version:6.");
    let says = if is_6_2 { on_6_2 } else { in_script };
    let is_script = |write: &Write| write.is_script;
    witness.refuses_those(&writer, &[says], is_script).await;
    witness.sees_no_change().await;
    as_user(&server, "~* +@all");
    witness.sees_no_change_later(&reader).await;
    witness.sees_no_change_later(&writer).await;
}

/// A call on several keys may be allowed some of them.
#[tokio::test]
async fn a_user_with_a_right_to_some_keys() {
    let server = Server::on_tcp();
    let direct = connect(&server.url()).await;
    let backend = as_user(&server, "~reinhardt:mine* +@all");
    let part = row!("the server answered NOPERM", Denied, Part);
    let entries = [("mine", 1), ("hiddenkey", 1)];
    let error = backend.set_many(&entries, None).await.unwrap_err();
    part.check(&error);
    assert_eq!(error.failed_indices(), [1]);
    assert_eq!(direct.get::<u8>("mine").await.unwrap(), Some(1));
    let touch = Touch::Restart(MINUTE);
    let error = backend.read_values(&["mine", "hiddenkey"], touch).await;
    part.check(&error.unwrap_err());
    assert!(direct.ttl("mine").await.unwrap().is_some());
}

/// As Redis 6.2 spells it, and a connection that isn't logged in any more.
#[tokio::test]
async fn a_server_that_denies_in_other_words() {
    let server = FakeServer::start(|_, command| match command[0].as_str() {
        "SET" => Some(Answer::line(
            "-@user_script: 1: The user executing the script can't run this command",
        )),
        "GETDEL" => Some(Answer::line("-NOAUTH Authentication required.")),
        "UNLINK" => Some(Answer::line("-ERR hiddenkey topsecret")),
        _ => None,
    });
    let backend = connect(&server.url()).await;
    let error = backend.set("hiddenkey", "topsecret", None).await;
    row!(made up, "the server answered an error", Denied, Refused).check(&error.unwrap_err());
    let error = backend.take::<u8>("hiddenkey").await.unwrap_err();
    row!(made up, "the server answered NOAUTH", Denied, Refused).check(&error);
    let error = backend.delete("hiddenkey").await.unwrap_err();
    row!(made up, "the server answered ..", Other, Refused).check(&error);
    for command in ["SET", "GETDEL", "UNLINK"] {
        assert_eq!(server.count(command), 1, "{command}");
    }
}

#[tokio::test]
async fn a_command_that_the_server_does_not_know() {
    let unknown = ["SET", "EVALSHA", "GETDEL", "UNLINK", "DEL", "PEXPIRE"]
        .map(|command| ["--rename-command", command, ""]);
    let server = Server::with_settings(unknown.as_flattened());
    server.command("MSET reinhardt:hiddenkey:set 7 reinhardt:hiddenkey:take 7");
    let backend = connect(&server.url()).await;
    let unsupported = row!("the server doesn't know `..` (..)", Unsupported, Refused);
    for error in [
        backend
            .set("hiddenkey:set", "topsecret", None)
            .await
            .unwrap_err(),
        backend.increment("hiddenkey:set", None).await.unwrap_err(),
        backend.take::<u8>("hiddenkey:take").await.unwrap_err(),
        backend.delete("hiddenkey:take").await.unwrap_err(),
        backend
            .expire("hiddenkey:set", Life::In(MINUTE))
            .await
            .unwrap_err(),
    ] {
        unsupported.check(&error);
    }
    let held = server.command("MGET reinhardt:hiddenkey:set reinhardt:hiddenkey:take");
    assert_eq!(held, "*2\r\n$1\r\n7\r\n$1\r\n7\r\n");
    assert!(
        server
            .command("TTL reinhardt:hiddenkey:set")
            .starts_with(":-1")
    );
}

#[tokio::test]
async fn a_script_that_needs_a_command_that_the_server_does_not_know() {
    let unknown = ["INCRBY", "UNLINK", "DEL"].map(|command| ["--rename-command", command, ""]);
    let server = Server::with_settings(unknown.as_flattened());
    let backend = connect(&server.url()).await;
    backend.set("hiddenkey", 7, None).await.unwrap();
    let unsupported = row!(
        "the server doesn't know a command (..)",
        Unsupported,
        Refused
    );
    let seven = Stored::from(&b"7"[..]);
    let error = backend.compare_and_delete("hiddenkey", &seven).await;
    unsupported.check(&error.unwrap_err());
    unsupported.check(&backend.increment("hiddenkey", None).await.unwrap_err());
    assert_eq!(backend.get::<u8>("hiddenkey").await.unwrap(), Some(7));
}

#[tokio::test]
async fn a_key_with_something_else_under_it() {
    let server = Server::start();
    let backend = connect(&server.url()).await;
    server.command("LPUSH reinhardt:hiddenkey x");
    let list = row!("the server answered WRONGTYPE", WrongType, Refused);
    let seven = Stored::from(&b"7"[..]);
    let quotas = [Quota::gcra(5, MINUTE)];
    for error in [
        backend.get::<u8>("hiddenkey").await.unwrap_err(),
        backend.get_with_ttl::<u8>("hiddenkey").await.unwrap_err(),
        backend.take::<u8>("hiddenkey").await.unwrap_err(),
        backend.increment("hiddenkey", None).await.unwrap_err(),
        backend
            .compare_and_set("hiddenkey", &seven, 1, Life::Keep)
            .await
            .unwrap_err(),
        backend
            .compare_and_delete("hiddenkey", &seven)
            .await
            .unwrap_err(),
        backend
            .throttle("hiddenkey", Attempt::new(&quotas))
            .await
            .unwrap_err(),
    ] {
        list.check(&error);
    }
    // Among many keys this key is absent.
    for touch in [Touch::Keep, Touch::Extend(MINUTE), Touch::Restart(MINUTE)] {
        list.check(&backend.read_value("hiddenkey", touch).await.unwrap_err());
        let read = backend.read_values(&["hiddenkey"], touch).await.unwrap();
        assert_eq!(read, [None], "{touch:?}");
    }
    assert_eq!(
        server.command("LRANGE reinhardt:hiddenkey 0 9"),
        "*1\r\n$1\r\nx\r\n"
    );
    assert!(backend.expire("hiddenkey", Life::In(MINUTE)).await.unwrap());
    assert!(backend.delete("hiddenkey").await.unwrap());
}

#[tokio::test]
async fn a_counter_that_is_none_and_one_that_is_at_its_end() {
    let server = Server::start();
    let redis = connect(&server.url()).await;
    let memory = MemoryBackend::new();
    for backend in [
        &shared(redis.clone()),
        &(Arc::new(memory.clone()) as Arc<dyn Backend>),
    ] {
        backend
            .set("hiddenkey:text", "topsecret", None)
            .await
            .unwrap();
        backend.set("hiddenkey:last", i64::MAX, None).await.unwrap();
    }
    let none = redis.increment("hiddenkey:text", Some(MINUTE)).await;
    row!("the server answered NOTANINTEGER", WrongType, Refused).check(&none.unwrap_err());
    let over = redis.increment("hiddenkey:last", Some(MINUTE)).await;
    row!("the server answered OVERFLOW", Overflow, Refused).check(&over.unwrap_err());
    let none = memory.increment("hiddenkey:text", Some(MINUTE)).await;
    row!(
        "the stored value is not an integer in the range of i64",
        WrongType,
        Refused
    )
    .check(&none.unwrap_err());
    let over = memory.increment("hiddenkey:last", Some(MINUTE)).await;
    row!("the sum leaves the range of i64", Overflow, Refused).check(&over.unwrap_err());
    for backend in [&shared(redis), &(Arc::new(memory) as Arc<dyn Backend>)] {
        let text = backend.get::<String>("hiddenkey:text").await.unwrap();
        assert_eq!(text.unwrap(), "topsecret");
        let last = backend.get_with_ttl::<i64>("hiddenkey:last").await.unwrap();
        assert_eq!(last.unwrap(), (i64::MAX, reinhardt_backends::Expiry::Never));
    }
}

#[tokio::test]
async fn a_throttle_with_something_else_or_too_much_under_its_key() {
    let server = Server::start();
    let redis = shared(connect(&server.url()).await);
    let memory: Arc<dyn Backend> = Arc::new(MemoryBackend::new());
    let quotas = [Quota::gcra(5, MINUTE)];
    for backend in [&redis, &memory] {
        backend.set("hiddenkey", "topsecret", None).await.unwrap();
        for period in 1..=32 {
            let quotas = [Quota::gcra(5, MINUTE * period)];
            let decided = backend.throttle("crowded", Attempt::new(&quotas)).await;
            assert!(decided.unwrap().allowed);
        }
        let one_more = [Quota::gcra(5, MINUTE * 33)];
        let error = backend.throttle("crowded", Attempt::new(&one_more)).await;
        row!(
            "more than 32 different quotas are in use on one key",
            InvalidConfig,
            Refused
        )
        .check(&error.unwrap_err());
        let first = Attempt::new(&quotas).peeking();
        let first = backend.throttle("crowded", first).await.unwrap();
        assert_eq!(first.remaining, 4, "nobody's count was dropped");
    }
    let attempt = || Attempt::new(&quotas);
    let error = memory.throttle("hiddenkey", attempt()).await.unwrap_err();
    row!(
        "the stored value is not that of a throttle",
        WrongType,
        Refused
    )
    .check(&error);
    let error = redis.throttle("hiddenkey", attempt()).await.unwrap_err();
    row!("the server answered WRONGTYPE", WrongType, Refused).check(&error);
    for backend in [&redis, &memory] {
        let text = backend.get::<String>("hiddenkey").await.unwrap();
        assert_eq!(text.unwrap(), "topsecret");
    }
}
