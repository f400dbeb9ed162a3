//! Commands of a program's own, by `connection()`.

use reinhardt_backends::BackendError;
use reinhardt_backends::redis::{Cmd, RedisResult, pipe};
use reinhardt_backends_tests::{Server, command};

use super::connect;
use super::page::{Claim, row};

#[tokio::test]
async fn commands_that_are_refused_before_they_are_sent() {
    let server = Server::start();
    let backend = connect(&server.url()).await;
    let mut redis = backend.connection().await.unwrap();
    let waits = row!(
        "`..` waits on the connection, and others use it: ..",
        Unsupported,
        NotSent
    );
    let changes = row!(
        "`..` changes the state of the connection, and others use it: ..",
        Unsupported,
        NotSent
    );
    let is_a_part = row!(
        "`..` is a part of a transaction, and others use the connection: ..",
        Unsupported,
        NotSent
    );
    let is_told = row!(
        "`..` is answered by messages, and others use the connection: ..",
        Unsupported,
        NotSent
    );
    let cases: [(&str, Claim); 4] = [
        ("BLPOP hiddenkey 1", waits),
        ("SELECT 3", changes),
        ("WATCH hiddenkey", is_a_part),
        ("SUBSCRIBE hiddenkey", is_told),
    ];
    for (line, claim) in cases {
        let refused: RedisResult<()> = command(line).query_async(&mut redis).await;
        claim.check(&BackendError::from_redis(refused.unwrap_err()));
    }
    let nameless: RedisResult<()> = Cmd::new().query_async(&mut redis).await;
    row!("a command without a name", Unsupported, NotSent)
        .check(&BackendError::from_redis(nameless.unwrap_err()));
}

/// The command was executed: what came back isn't of the type that was asked for.
#[tokio::test]
async fn an_answer_of_another_type() {
    let server = Server::start();
    let mut redis = connect(&server.url()).await.connection().await.unwrap();
    let set: RedisResult<u64> = command("SET hiddenkey topsecret")
        .query_async(&mut redis)
        .await;
    row!("parse error", Decode, Unknown).check(&BackendError::from_redis(set.unwrap_err()));
    assert!(server.command("GET hiddenkey").contains("topsecret"));
}

#[tokio::test]
async fn a_pipeline_of_which_one_command_is_refused() {
    let server = Server::start();
    let mut redis = connect(&server.url()).await.connection().await.unwrap();
    server.command("LPUSH hiddenkey:list x");
    let mut pipeline = pipe();
    pipeline
        .incr("hiddenkey:count", 1)
        .incr("hiddenkey:list", 1);
    let part: RedisResult<()> = pipeline.query_async(&mut redis).await;
    let error = BackendError::from_redis(part.unwrap_err());
    row!("the server answered WRONGTYPE", WrongType, Part).check(&error);
    assert_eq!(server.command("GET hiddenkey:count"), "$1\r\n1\r\n");

    // A transaction that is refused as it is queued does nothing.
    let mut aborted = pipe();
    aborted.atomic().incr("hiddenkey:count", 1).cmd("GET");
    let none: RedisResult<()> = aborted.query_async(&mut redis).await;
    let error = BackendError::from_redis(none.unwrap_err());
    assert!(!error.outcome_unknown(), "{error}");
    assert_eq!(server.command("GET hiddenkey:count"), "$1\r\n1\r\n");
}
