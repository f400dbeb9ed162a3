//! A server that becomes a replica refuses commands that write, and has executed nothing of them.
//!
//! So a refused command may be sent again, a script too: the first write of a script is its last
//! chance to be refused like that.

use std::time::{Duration, Instant};

use reinhardt_backends::{ErrorKind, RedisBackend};
use reinhardt_backends_tests::Server;

use super::write_operations::{OPERATIONS, Operation, held, is_unchanged};
use super::{PATIENCE, builder, connect};

/// Connects with a limit that ends calls which are sent again and again.
async fn limited(server: &Server) -> RedisBackend {
    let builder = builder(&server.url()).call_timeout(Duration::from_millis(150));
    builder.build().await.unwrap()
}

/// Makes the server a replica of a primary that isn't there. The server keeps its entries.
fn make_replica(server: &Server) {
    server.command("REPLICAOF 127.0.0.1 1");
}

/// The number of replies that were errors.
fn refusals(server: &Server) -> u64 {
    let stats = server.command("INFO stats");
    let count = stats
        .lines()
        .find_map(|line| line.strip_prefix("total_error_replies:"));
    count.unwrap().trim().parse().unwrap()
}

/// Runs the operation until the server has refused it and the error says that nothing happened.
///
/// A slow machine may not send it within the limit, or not read the answer.
async fn is_refused(operation: &Operation, server: &Server, backend: &RedisBackend) {
    let name = operation.name;
    let deadline = Instant::now() + PATIENCE;
    loop {
        let before = refusals(server);
        let error = operation.run(backend).await.expect_err(name);
        let was_refused = refusals(server) > before;
        match error.kind() {
            ErrorKind::Unavailable => assert!(!error.outcome_unknown(), "{name}: {error}"),
            kind => assert_eq!(kind, ErrorKind::Timeout, "{name}: {error}"),
        }
        if was_refused && !error.outcome_unknown() {
            return;
        }
        assert!(Instant::now() < deadline, "{name}: {error}");
    }
}

#[tokio::test]
async fn an_operation_that_a_replica_refuses_has_changed_nothing() {
    let server = Server::on_tcp();
    let backend = connect(&server.url()).await;
    for operation in OPERATIONS {
        operation.prepare(&backend).await;
        let before = held(&server).await;
        operation.run(&backend).await.expect(operation.name);
        let has_written = !is_unchanged(&before, &held(&server).await);
        assert!(has_written, "{} writes on a primary", operation.name);
    }
    for operation in OPERATIONS {
        operation.prepare(&backend).await;
    }
    let limited = limited(&server).await;
    make_replica(&server);
    let before = held(&server).await;
    for operation in OPERATIONS {
        is_refused(operation, &server, &limited).await;
        let after = held(&server).await;
        assert!(is_unchanged(&before, &after), "{}", operation.name);
    }
    server.command("REPLICAOF NO ONE");
    for operation in OPERATIONS {
        operation.run(&backend).await.expect(operation.name);
    }
}

#[tokio::test]
async fn an_operation_that_a_replica_without_its_primary_refuses_has_changed_nothing() {
    let server = Server::on_tcp_with(&["--replica-serve-stale-data", "no"]);
    let backend = connect(&server.url()).await;
    for operation in OPERATIONS {
        operation.prepare(&backend).await;
    }
    let before = held(&server).await;
    let limited = limited(&server).await;
    make_replica(&server);
    for operation in OPERATIONS {
        is_refused(operation, &server, &limited).await;
    }
    server.command("REPLICAOF NO ONE");
    let after = held(&server).await;
    assert!(is_unchanged(&before, &after), "{before:?} {after:?}");
    for operation in OPERATIONS {
        operation.run(&backend).await.expect(operation.name);
    }
}
