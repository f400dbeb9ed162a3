//! Scripts stand in for commands which old servers and proxies don't have.

use redis::aio::MultiplexedConnection;
use redis::{RedisResult, Script, Value};
use reinhardt_backends_tests::Server;

const TAKE: &str = include_str!("../../backends/src/backend/redis/scripts/take.lua");
const RESTART: &str = include_str!("../../backends/src/backend/redis/scripts/restart.lua");

async fn connect(url: &str) -> MultiplexedConnection {
    let client = redis::Client::open(url).unwrap();
    client.get_multiplexed_async_connection().await.unwrap()
}

async fn command<T: redis::FromRedisValue>(
    connection: &mut MultiplexedConnection,
    line: &str,
) -> T {
    let command = reinhardt_backends_tests::command(line);
    command.query_async(connection).await.unwrap()
}

async fn take(connection: &mut MultiplexedConnection, key: &str) -> RedisResult<Value> {
    Script::new(TAKE).key(key).invoke_async(connection).await
}

async fn restart(connection: &mut MultiplexedConnection, key: &str) -> RedisResult<Value> {
    let script = Script::new(RESTART);
    script.key(key).arg(60_000).invoke_async(connection).await
}

fn is_wrong_type(answer: RedisResult<Value>) -> bool {
    let error = answer.expect_err("a foreign type");
    // Redis 6.2 puts the code word behind the position in the script.
    error.to_string().contains("WRONGTYPE")
}

#[tokio::test]
async fn taking_returns_the_value_and_removes_it() {
    let server = Server::start();
    let mut connection = connect(&server.url()).await;
    let () = command(&mut connection, "SET k v").await;
    let () = command(&mut connection, "RPUSH list x").await;
    let taken = take(&mut connection, "k").await.unwrap();
    assert_eq!(taken, Value::BulkString(b"v".to_vec()));
    assert_eq!(take(&mut connection, "k").await.unwrap(), Value::Nil);
    assert!(is_wrong_type(take(&mut connection, "list").await));
    let keys: Vec<String> = command(&mut connection, "KEYS *").await;
    assert_eq!(keys, ["list"]);
}

#[tokio::test]
async fn restarting_returns_the_value_and_gives_it_another_life() {
    let server = Server::start();
    let mut connection = connect(&server.url()).await;
    let () = command(&mut connection, "SET longer v PX 600000").await;
    let () = command(&mut connection, "SET never v").await;
    let () = command(&mut connection, "RPUSH list x").await;
    for key in ["longer", "never"] {
        let value = restart(&mut connection, key).await.unwrap();
        assert_eq!(value, Value::BulkString(b"v".to_vec()));
        let left: i64 = command(&mut connection, &format!("PTTL {key}")).await;
        assert!((1..=60_000).contains(&left), "{key}: {left}");
    }
    assert_eq!(restart(&mut connection, "none").await.unwrap(), Value::Nil);
    assert!(is_wrong_type(restart(&mut connection, "list").await));
    let left: i64 = command(&mut connection, "PTTL list").await;
    assert_eq!(left, -1);
}

#[tokio::test]
async fn what_may_not_be_changed_is_not_returned() {
    let server = Server::on_tcp();
    for (forbidden, takes, restarts) in [
        ("-unlink", true, true),
        ("-unlink -del", false, true),
        ("-pexpire", true, false),
    ] {
        server.command("SET k v");
        server.command(&format!(
            "ACL SETUSER app reset on >pa55 ~* +@all {forbidden}"
        ));
        let url = format!("redis://app:pa55@127.0.0.1:{}", server.port());
        let mut connection = connect(&url).await;
        assert_eq!(
            restart(&mut connection, "k").await.is_ok(),
            restarts,
            "{forbidden}"
        );
        let left = server.command("PTTL k");
        assert_eq!(left.trim() != ":-1", restarts, "{forbidden}: {left}");
        assert_eq!(
            take(&mut connection, "k").await.is_ok(),
            takes,
            "{forbidden}"
        );
        let exists = server.command("EXISTS k");
        assert_eq!(exists.trim() == ":0", takes, "{forbidden}: {exists}");
    }
}
