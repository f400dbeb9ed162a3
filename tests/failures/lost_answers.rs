//! Of a write without an answer nobody knows what it did: it may be done, not done, or be done
//! later. It is never sent twice.

use std::time::{Duration, Instant};

use redis::IntoConnectionInfo;
use redis::io::tcp::TcpSettings;
use reinhardt_backends::store::Store;
use reinhardt_backends::{Backend, BackendError, ErrorKind, Life, RedisBackend, Stored, Write};
use reinhardt_backends_tests::{Answer, FakeServer, Proxy, Server, eventually, patient};

use super::page::{Claim, row};
use super::witness::Witness;
use super::{BRIEF, PATIENCE, connect, lazy, recovered, shared};

/// A server, a cable to it, a backend at the near end, and another one at the far end.
struct Line {
    _server: Server,
    proxy: Proxy,
    near: RedisBackend,
    far: RedisBackend,
}

impl Line {
    async fn with_limit(limit: Duration) -> Self {
        let server = Server::on_tcp();
        let proxy = Proxy::start(server.port());
        let near = lazy(patient(&proxy.url()).call_timeout(limit));
        recovered(&near).await;
        let far = connect(&server.url()).await;
        // Makes the script known, so that the first request is the whole call.
        far.increment("other", None).await.unwrap();
        Self {
            _server: server,
            proxy,
            near,
            far,
        }
    }

    /// Returns the error of an increment that the server executes, and whose answer is cut off.
    async fn done_and_cut(&self) -> BackendError {
        self.proxy.hold_answers();
        let near = self.near.clone();
        let call = tokio::spawn(async move { near.increment("hiddenkey", None).await });
        eventually(async || self.far.exists("hiddenkey").await.unwrap()).await;
        self.proxy.cut();
        self.proxy.release();
        call.await.unwrap().unwrap_err()
    }

    /// Returns the error of an increment that is cut off before it reaches the server. A request
    /// that wasn't written yet goes by the next connection, and is counted.
    async fn cut_before(&self) -> (BackendError, i64) {
        let deadline = Instant::now() + PATIENCE;
        let mut counted = 0;
        loop {
            assert!(Instant::now() < deadline, "each was answered");
            recovered(&self.near).await;
            self.proxy.black_hole();
            let near = self.near.clone();
            let call = tokio::spawn(async move { near.increment("hiddenkey", None).await });
            tokio::time::sleep(BRIEF / 8).await;
            self.proxy.cut();
            self.proxy.release();
            match call.await.unwrap() {
                Ok(_) => counted += 1,
                Err(error) => return (error, counted),
            }
        }
    }

    async fn counted(&self) -> i64 {
        let counted = self.far.get("hiddenkey").await.unwrap();
        counted.unwrap_or_default()
    }
}

fn lost() -> Claim {
    row!("the connection to .. was lost", Unavailable, Unknown)
}

fn late() -> Claim {
    row!("no answer within ..", Timeout, Unknown)
}

#[tokio::test]
async fn a_connection_that_is_lost_after_the_write_was_done() {
    let line = Line::with_limit(PATIENCE).await;
    lost().check(&line.done_and_cut().await);
    recovered(&line.near).await;
    assert_eq!(line.counted().await, 1, "done, and once");
}

#[tokio::test]
async fn a_connection_that_is_lost_before_the_write_was_done() {
    let line = Line::with_limit(PATIENCE).await;
    let (error, counted) = line.cut_before().await;
    lost().check(&error);
    recovered(&line.near).await;
    assert_eq!(line.counted().await, counted, "not done");
}

/// A read is sent again, so it meets only a server that goes on hanging up.
#[tokio::test]
async fn a_connection_that_is_lost_again_and_again() {
    let server = FakeServer::start(|_, command| {
        (command[0] == "GET").then(|| Answer::LastWords(Vec::new()))
    });
    let backend = connect(&server.url()).await;
    let error = backend.get::<u8>("hiddenkey").await.unwrap_err();
    row!("the connection to .. was lost", Unavailable, NoWrite).check(&error);
    assert_eq!(server.count("GET"), 2);
}

#[tokio::test]
async fn an_answer_that_comes_too_late() {
    let line = Line::with_limit(BRIEF).await;
    line.proxy.hold_answers();
    let error = line.near.increment("hiddenkey", None).await.unwrap_err();
    late().check(&error);
    eventually(async || line.counted().await == 1).await;
    let error = line.near.get::<i64>("hiddenkey").await.unwrap_err();
    row!("no answer within ..", Timeout, NoWrite).check(&error);
    line.proxy.release();
    recovered(&line.near).await;
    assert_eq!(line.counted().await, 1, "done, and once");
}

#[tokio::test]
async fn a_write_that_the_network_swallows() {
    let line = Line::with_limit(BRIEF).await;
    line.proxy.black_hole();
    let error = line.near.increment("hiddenkey", None).await.unwrap_err();
    late().check(&error);
    // While nobody is reached nothing more is sent.
    line.proxy.cut();
    let deadline = Instant::now() + PATIENCE;
    loop {
        let error = line.near.increment("hiddenkey", None).await.unwrap_err();
        if error.kind() == ErrorKind::Timeout && !error.outcome_unknown() {
            row!("no answer within ..", Timeout, NotSent).check(&error);
            break;
        }
        assert!(Instant::now() < deadline, "{error}");
    }
    line.proxy.cut();
    line.proxy.release();
    recovered(&line.near).await;
    assert_eq!(line.counted().await, 0, "not done");
}

/// The request waits in the socket of the server: it is done after its caller was told.
#[tokio::test]
async fn a_write_that_a_server_does_when_it_goes_on() {
    let server = Server::on_tcp();
    let far = connect(&server.url()).await;
    far.increment("other", None).await.unwrap();
    let near = lazy(patient(&server.url()).call_timeout(BRIEF));
    recovered(&near).await;
    server.pause();
    late().check(&near.increment("hiddenkey", None).await.unwrap_err());
    server.resume();
    eventually(async || far.get::<i64>("hiddenkey").await.unwrap() == Some(1)).await;
}

/// The kernel gives up a connection whose other end takes no more bytes.
#[tokio::test]
async fn a_connection_that_the_kernel_gives_up() {
    let server = Server::on_tcp();
    let far = connect(&server.url()).await;
    let settings = TcpSettings::default().set_user_timeout(BRIEF);
    let info = server.url().as_str().into_connection_info().unwrap();
    let client = redis::Client::open(info.set_tcp_settings(settings)).unwrap();
    let builder = RedisBackend::builder().client(client);
    let near = lazy(builder.call_timeout(PATIENCE).connect_timeout(PATIENCE));
    recovered(&near).await;
    server.pause();
    let value = vec![0; 12 << 20];
    let put = near.set("hiddenkey", &value, None).await;
    row!("the connection to .. timed out", Unavailable, Unknown).check(&put.unwrap_err());
    server.resume();
    recovered(&far).await;
    assert!(
        !far.exists("hiddenkey").await.unwrap(),
        "a part of it isn't executed"
    );
}

#[tokio::test]
async fn an_answer_that_makes_no_sense() {
    let server = FakeServer::start(|_, command| {
        (command[0] == "SET").then(|| Answer::line("hiddenkey: topsecret"))
    });
    let error = connect(&server.url())
        .await
        .set("hiddenkey", "topsecret", None)
        .await;
    row!(made up, "the answer of .. is not RESP", Unavailable, Unknown).check(&error.unwrap_err());
    assert_eq!(server.count("SET"), 1);

    let server = FakeServer::start(|_, command| {
        let is_greeting = matches!(command[0].as_str(), "HELLO" | "CLIENT" | "INFO");
        (!is_greeting).then(|| Answer::line("*3\r\n:1\r\n:2\r\n:3"))
    });
    let backend = connect(&server.url()).await;
    let stored = Stored::from(&b"1"[..]);
    let odd = row!(made up, "the server's answer has an unexpected shape", Other, Unknown);
    for error in [
        backend
            .set("hiddenkey", "topsecret", None)
            .await
            .unwrap_err(),
        backend.increment("hiddenkey", None).await.unwrap_err(),
        backend.take::<u8>("hiddenkey").await.unwrap_err(),
        backend.delete("hiddenkey").await.unwrap_err(),
        backend.expire("hiddenkey", Life::Never).await.unwrap_err(),
        backend
            .compare_and_delete("hiddenkey", &stored)
            .await
            .unwrap_err(),
        backend
            .set_many(&[("hiddenkey", 1)], None)
            .await
            .unwrap_err(),
        backend.delete_many(&["hiddenkey"]).await.unwrap_err(),
    ] {
        odd.check(&error);
    }
    assert_eq!(server.count("SET"), 2, "of `set` and of `set_many`");
    let odd = row!(made up, "the server's answer has an unexpected shape", Other, NoWrite);
    for error in [
        backend.get::<u8>("hiddenkey").await.unwrap_err(),
        backend.exists("hiddenkey").await.unwrap_err(),
        backend.ping().await.unwrap_err(),
    ] {
        odd.check(&error);
    }
}

/// Each page of the walk meets another connection.
#[tokio::test]
async fn a_walk_whose_connection_is_replaced_again_and_again() {
    let server = Server::on_tcp();
    let proxy = Proxy::start(server.port());
    let backend = connect(&proxy.url()).await;
    let keys: Vec<String> = (0..3_000).map(|index| format!("k{index}")).collect();
    let entries: Vec<_> = keys.iter().map(|key| (key.as_str(), 1)).collect();
    backend.set_many(&entries, None).await.unwrap();
    let replaced = row!(
        "the connection was replaced again and again while keys were scanned",
        Unavailable,
        NoWrite
    );
    let mut scan = backend.scan("k");
    let error = loop {
        let key = futures::StreamExt::next(&mut scan).await.unwrap();
        match key {
            Ok(_) => proxy.cut(),
            Err(error) => break error,
        }
    };
    replaced.check(&error);
}

/// What waits to be sent when the backend has no connection is never sent: the places are few.
#[tokio::test]
async fn too_many_calls_and_too_many_bytes() {
    let server = Server::start();
    let direct = connect(&server.url()).await;
    let witness = Witness::of(direct.clone()).await;
    let limited = patient(&server.url()).waiting_limit(1);
    let few = connect_by(limited).await;
    let limit = 1 << 20;
    let limited = patient(&server.url()).value_limit(limit);
    let small = connect_by(limited.waiting_bytes(limit)).await;
    server.pause();
    let large = vec![b'v'; limit];
    let get = few.get::<u8>("hiddenkey:set");
    let put = small.put("large", &large, Write::new(Life::Never));
    tokio::pin!(get, put);
    assert!(futures::poll!(&mut get).is_pending());
    assert!(futures::poll!(&mut put).is_pending());
    let calls = row!(".. calls are waiting already", Unavailable, NotSent);
    let bytes = row!(
        "the calls that are waiting send .. bytes already",
        Unavailable,
        NotSent
    );
    let (few, small) = (shared(few.clone()), shared(small.clone()));
    witness.refuses(&few, &[calls]).await;
    witness.refuses(&small, &[bytes]).await;
    server.resume();
    assert_eq!(get.await.unwrap(), Some(7));
    assert!(put.await.unwrap());
    assert!(direct.delete("large").await.unwrap());
    witness.sees_no_change_later(&few).await;
    witness.sees_no_change_later(&small).await;
}

async fn connect_by(builder: reinhardt_backends::RedisBackendBuilder) -> RedisBackend {
    builder.build().await.unwrap()
}
