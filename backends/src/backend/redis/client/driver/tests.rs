//! A driver over sockets in memory.

use std::future::poll_fn;
use std::io;
use std::sync::LazyLock;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use futures_util::FutureExt;
use tokio::io::{AsyncReadExt, AsyncWriteExt, BufWriter, DuplexStream, duplex};
use tokio::net::TcpStream;
use tokio::sync::mpsc::error::TryRecvError;
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

use super::*;
use crate::backend::redis::client::access::Access;
use crate::backend::redis::client::inbox::QUEUE_BYTES;
use crate::backend::redis::client::multiplexer::Multiplexer;
use crate::backend::redis::client::request::Request;
use crate::backend::redis::client::resp::{Argument, Command, Reply};
use crate::backend::redis::client::script::{KeyedInvocation, Script};
use crate::time::deadline::deadlines;

impl Socket for DuplexStream {}

impl<S: Socket> Socket for BufWriter<S> {}

fn terms() -> Terms {
    Terms {
        deadlines: deadlines().unwrap(),
        patience: Duration::from_secs(60),
        silence: Duration::from_secs(60),
        hold: Duration::from_secs(60),
        holds_writes: false,
        takes_many_keys: true,
        is_cluster: false,
        may_transact: Arc::new(AtomicBool::new(true)),
        merged: Arc::default(),
        notice: Box::new(|_| {}),
    }
}

/// Returns a notice for `Terms`, and the signs that it is told.
fn signs() -> (Box<dyn Fn(Sign) + Send + Sync>, UnboundedReceiver<Sign>) {
    let (told, signs) = unbounded_channel();
    let notice = move |sign| {
        let _ = told.send(sign);
    };
    (Box::new(notice), signs)
}

const MOMENT: Duration = Duration::from_millis(20);
/// The limit of what would never end otherwise.
const LIMIT: Duration = Duration::from_secs(20);

fn connected(buffer: usize) -> (Multiplexer, DuplexStream) {
    let (near, far) = duplex(buffer);
    let input = ReadBuffer::default();
    (Multiplexer::start(Box::new(near), input, terms()), far)
}

fn set(value: &[u8]) -> Arc<InFlight> {
    let command = Command::new("SET").arg("k").arg(value);
    InFlight::new(Request::One(command), Access::Write)
}

fn get(key: &str) -> Arc<InFlight> {
    InFlight::new(Request::Get(Argument::new(key)), Access::READ)
}

static COUNT: LazyLock<Script> = LazyLock::new(|| Script::new("return 0"));

fn count(key: &str) -> Arc<InFlight> {
    let count = KeyedInvocation::new(&COUNT, Argument::new(key), [1, 0]);
    InFlight::new(Request::Keyed(count), Access::Write)
}

/// Lets the driver of the connection do all that it can.
async fn settled() {
    for _ in 0..20 {
        tokio::task::yield_now().await;
    }
}

async fn is_lost_unsent(multiplexer: &Multiplexer) {
    let call = set(b"v");
    assert!(multiplexer.exchange(&call).await.is_err());
    assert!(!call.was_sent());
    assert!(matches!(call.take_request(), Request::One(_)));
}

#[tokio::test]
async fn a_call_that_meets_an_ended_connection_keeps_its_request() {
    let (multiplexer, far) = connected(1024);
    drop(far);
    settled().await;
    is_lost_unsent(&multiplexer).await;
}

#[tokio::test]
async fn what_the_socket_never_took_was_not_sent() {
    let (multiplexer, far) = connected(1024);
    drop(far);
    // Queued before the driver has seen that there is nobody.
    is_lost_unsent(&multiplexer).await;
}

#[tokio::test]
async fn what_the_socket_took_in_part_may_have_been_sent() {
    let (multiplexer, far) = connected(16);
    let call = set(b"more than fits the socket");
    let mut exchange = Box::pin(multiplexer.exchange(&call));
    assert!((&mut exchange).now_or_never().is_none());
    settled().await;
    drop(far);
    assert!(exchange.await.is_err());
    assert!(call.was_sent());
}

#[tokio::test]
async fn counts_of_a_script_that_was_not_begun_were_not_sent() {
    let (multiplexer, mut far) = connected(4096);
    let calls = [count("a"), count("b")];
    let mut exchanges: Vec<_> = calls
        .iter()
        .map(|call| Box::pin(multiplexer.exchange(call)))
        .collect();
    for exchange in &mut exchanges {
        assert!(exchange.now_or_never().is_none());
    }
    settled().await;
    far.write_all(b"-NOSCRIPT No matching script\r\n")
        .await
        .unwrap();
    // Before the driver comes to send them again.
    drop(far);
    for exchange in exchanges {
        assert!(exchange.await.is_err());
    }
    assert!(calls.iter().all(|call| !call.was_sent()));
}

#[tokio::test]
async fn a_value_larger_than_the_queue_waits_for_no_room() {
    let (multiplexer, mut far) = connected(64 * 1024);
    let small = set(b"v");
    let large = set(&vec![b'v'; QUEUE_BYTES]);
    let mut exchanges = [
        Box::pin(multiplexer.exchange(&small)),
        Box::pin(multiplexer.exchange(&large)),
    ];
    for exchange in &mut exchanges {
        assert!(exchange.now_or_never().is_none());
    }
    let server = tokio::spawn(async move {
        let mut seen = 0;
        let mut buffer = vec![0; 64 * 1024];
        while seen < QUEUE_BYTES {
            seen += far.read(&mut buffer).await.unwrap();
        }
        far.write_all(b"+OK\r\n+OK\r\n").await.unwrap();
        far
    });
    for exchange in exchanges {
        let reply = tokio::time::timeout(LIMIT, exchange).await.unwrap();
        assert_eq!(reply.unwrap(), Reply::Status);
    }
    server.await.unwrap();
}

#[tokio::test]
async fn what_waits_for_a_server_that_takes_nothing_is_bounded() {
    let (multiplexer, far) = connected(1024);
    let value = vec![b'v'; QUEUE_BYTES / 4];
    let calls: Vec<_> = (0..40).map(|_| set(&value)).collect();
    let mut exchanges: Vec<_> = calls
        .iter()
        .map(|call| Box::pin(multiplexer.exchange(call)))
        .collect();
    for exchange in &mut exchanges {
        assert!(exchange.now_or_never().is_none());
        settled().await;
    }
    assert!(multiplexer.inbox.queue.lock().bytes < QUEUE_BYTES * 2);
    drop(far);
    for exchange in exchanges {
        assert!(exchange.await.is_err());
    }
}

/// The connection ends in the gap between the driver's work and its sleep.
#[tokio::test]
async fn a_driver_that_is_about_to_sleep_notices_the_end() {
    let (near, _far) = duplex(1024);
    let inbox = Arc::new(Inbox::new());
    let input = ReadBuffer::default();
    let mut driver = Driver::new(inbox.clone(), Box::new(near), input, terms());
    inbox.end(ConnectionEnd::Closed);
    let sleeps = poll_fn(|context| Poll::Ready(driver.sleeps(context))).await;
    assert!(!sleeps);
}

#[tokio::test]
async fn what_nobody_asked_for_disturbs_nobody() {
    let (multiplexer, mut far) = connected(1024);
    let call = get("k");
    let mut exchange = Box::pin(multiplexer.exchange(&call));
    assert!((&mut exchange).now_or_never().is_none());
    far.write_all(b">2\r\n+invalidate\r\n*1\r\n$1\r\nk\r\n|1\r\n+ttl\r\n:3\r\n$1\r\nv\r\n")
        .await
        .unwrap();
    assert_eq!(exchange.await.unwrap(), Reply::Bytes(b"v"[..].into()));
}

#[tokio::test]
async fn a_silent_connection_is_probed() {
    let (near, mut far) = duplex(1024);
    let terms = Terms {
        silence: MOMENT,
        ..terms()
    };
    let _multiplexer = Multiplexer::start(Box::new(near), ReadBuffer::default(), terms);
    for _ in 0..3 {
        receive(&mut far, "*1\r\n$4\r\nPING\r\n").await;
        far.write_all(b"+PONG\r\n").await.unwrap();
    }
}

#[tokio::test]
async fn after_a_silence_nothing_is_sent_before_the_server_has_shown_that_it_is_there() {
    let (near, mut far) = duplex(1024);
    let (notice, mut signs) = signs();
    let terms = Terms {
        silence: MOMENT,
        patience: MOMENT,
        notice,
        ..terms()
    };
    let multiplexer = Multiplexer::start(Box::new(near), ReadBuffer::default(), terms);
    // The driver isn't polled meanwhile.
    std::thread::sleep(MOMENT * 2);
    let calls = [set(b"v"), set(b"v")];
    let [mut first, second] = calls
        .each_ref()
        .map(|call| Box::pin(multiplexer.exchange(call)));
    assert!((&mut first).now_or_never().is_none());
    receive(&mut far, "*1\r\n$4\r\nPING\r\n").await;
    assert_eq!(signs.recv().await, Some(Sign::Silent));
    assert!(!calls[0].was_sent());
    far.write_all(b"+PONG\r\n").await.unwrap();
    receive(&mut far, "*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$1\r\nv\r\n").await;
    far.write_all(b"+OK\r\n").await.unwrap();
    assert_eq!(first.await.unwrap(), Reply::Status);
    while signs.recv().await.unwrap() != Sign::Answers {}
    // The same again, and this time the server is given up.
    std::thread::sleep(MOMENT * 2);
    let given_up = async {
        receive(&mut far, "*1\r\n$4\r\nPING\r\n").await;
        while signs.try_recv().is_ok() {}
        assert_eq!(signs.recv().await, Some(Sign::Silent));
        multiplexer.hand_back();
    };
    let (second, ()) = tokio::join!(second, given_up);
    assert!(second.is_err() && !calls[1].was_sent());
}

#[tokio::test]
async fn an_answer_that_a_busy_runtime_did_not_see_raises_no_doubt() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let near = TcpStream::connect(listener.local_addr().unwrap()).await;
    let (mut far, _) = listener.accept().unwrap();
    let (notice, mut signs) = signs();
    let terms = Terms {
        patience: MOMENT,
        notice,
        ..terms()
    };
    let near = Box::new(near.unwrap());
    let multiplexer = Multiplexer::start(near, ReadBuffer::default(), terms);
    let call = get("k");
    let mut exchange = Box::pin(multiplexer.exchange(&call));
    assert!((&mut exchange).now_or_never().is_none());
    settled().await;
    io::Write::write_all(&mut far, b"$-1\r\n").unwrap();
    // Neither the driver nor the socket is looked at meanwhile.
    std::thread::sleep(MOMENT * 4);
    assert_eq!(exchange.await.unwrap(), Reply::Nil);
    assert_eq!(signs.try_recv(), Err(TryRecvError::Empty));
}

#[tokio::test]
async fn a_connection_that_is_taken_over_hands_reads_back_and_waits_for_writes() {
    let (multiplexer, mut far) = connected(1024);
    let calls = [get("k"), set(b"v")];
    let [mut read, mut write] = calls
        .each_ref()
        .map(|call| Box::pin(multiplexer.exchange(call)));
    assert!((&mut read).now_or_never().is_none());
    assert!((&mut write).now_or_never().is_none());
    settled().await;
    multiplexer.hand_back();
    assert!(read.await.is_err());
    far.write_all(b"+OK\r\n$-1\r\n").await.unwrap();
    assert_eq!(write.await.unwrap(), Reply::Status);
    // Nothing is taken any more.
    assert!(multiplexer.exchange(&set(b"v")).await.is_err());
}

#[tokio::test]
async fn an_answer_too_many_ends_the_connection() {
    let (multiplexer, mut far) = connected(1024);
    far.write_all(b"+OK\r\n").await.unwrap();
    settled().await;
    assert_eq!(multiplexer.end(), Some(ConnectionEnd::Malformed));
}

#[tokio::test]
async fn an_answer_to_a_request_that_was_not_sent_is_none() {
    // Holds the first request and nothing of the second.
    let (multiplexer, mut far) = connected("*2\r\n$3\r\nGET\r\n$1\r\nk\r\n".len());
    let calls = [get("k"), set(b"v")];
    let [mut first, mut second] = calls
        .each_ref()
        .map(|call| Box::pin(multiplexer.exchange(call)));
    assert!((&mut first).now_or_never().is_none());
    settled().await;
    assert!((&mut second).now_or_never().is_none());
    settled().await;
    far.write_all(b"$-1\r\n+OK\r\n").await.unwrap();
    assert_eq!(first.await.unwrap(), Reply::Nil);
    assert!(second.await.is_err() && !calls[1].was_sent());
    assert_eq!(multiplexer.end(), Some(ConnectionEnd::Malformed));
}

async fn receive(far: &mut DuplexStream, expected: &str) {
    let mut received = vec![0; expected.len()];
    far.read_exact(&mut received).await.unwrap();
    assert_eq!(String::from_utf8(received).unwrap(), expected);
}

#[tokio::test]
async fn reads_are_merged_and_what_was_nil_is_asked_again() {
    let (multiplexer, mut far) = connected(4096);
    let calls = ["a", "b", "c", "d"].map(get);
    let replies =
        futures_util::future::join_all(calls.iter().map(|call| multiplexer.exchange(call)));
    let answered = async {
        let keys = ["a", "b", "c", "d"].map(|key| format!("$1\r\n{key}\r\n"));
        let keys = keys.concat();
        receive(&mut far, &format!("*5\r\n$4\r\nMGET\r\n{keys}")).await;
        far.write_all(b"*4\r\n$1\r\n1\r\n$-1\r\n$1\r\n3\r\n$1\r\n4\r\n")
            .await
            .unwrap();
        receive(&mut far, "*2\r\n$3\r\nGET\r\n$1\r\nb\r\n").await;
        far.write_all(b"-WRONGTYPE x\r\n").await.unwrap();
    };
    let (replies, ()) = tokio::join!(replies, answered);
    let replies: Vec<Reply> = replies.into_iter().map(Result::unwrap).collect();
    assert_eq!(replies[1], Reply::Error("WRONGTYPE x".into()));
    assert_eq!(replies[3], Reply::Bytes(b"4"[..].into()));
}

/// The others are for other nodes as soon as their slots move.
#[tokio::test]
async fn a_node_of_a_cluster_gets_merged_what_is_for_the_slot_that_most_is_for() {
    let terms = Terms {
        is_cluster: true,
        takes_many_keys: false,
        ..terms()
    };
    let (near, far) = duplex(4096);
    let multiplexer = Multiplexer::start(Box::new(near), ReadBuffer::default(), terms);
    let mut connection = (multiplexer, far);
    let alone = |keys: &str| {
        let keys = keys.split(' ').map(|key| format!("GET {key}"));
        keys.collect::<Vec<_>>()
    };
    let gets = alone("a a b {a}c a");
    let gets: Vec<&str> = gets.iter().map(String::as_str).collect();
    let found = FOUND.repeat(5);
    let replies = read(&mut connection, "a a b {a}c a", &[(&gets, &found)]).await;
    assert_eq!(replies, vec![one(); 5]);
    let merged = format!("{FOUND}*5\r\n{}", FOUND.repeat(5));
    let both = ["GET b", "MGET a a {a}c a a"];
    let replies = read(&mut connection, "a a b {a}c a a", &[(&both, &merged)]).await;
    assert_eq!(replies, vec![one(); 6]);
    // While the slot moves no command may name a key that is gone and one that isn't.
    let moving = ["MGET a {a}c a a"];
    let gets = ["GET a", "GET {a}c", "GET a", "GET a"];
    let asked = format!("{FOUND}-ASK 1 h:1\r\n{}", FOUND.repeat(2));
    let conversation: [(&[&str], &str); 2] = [(&moving, "-TRYAGAIN x\r\n"), (&gets, &asked)];
    let replies = read(&mut connection, "a {a}c a a", &conversation).await;
    assert_eq!(replies[1], Reply::Error("ASK 1 h:1".into()));
    assert_eq!(replies[3], one());
    // One that asks a node for a key on its way there goes by itself, and so do few.
    let asking = get("a").again_asking();
    let calls = [get("a"), get("a"), asking, get("a")];
    let replies =
        futures_util::future::join_all(calls.iter().map(|call| connection.0.exchange(call)));
    let far = &mut connection.1;
    let server = async {
        let sent = command("ASKING") + &command("GET a").repeat(4);
        receive(far, &sent).await;
        let replies = format!("+OK\r\n{}", FOUND.repeat(4));
        far.write_all(replies.as_bytes()).await.unwrap();
    };
    let (replies, ()) = tokio::join!(replies, server);
    assert!(replies.into_iter().all(|reply| reply.unwrap() == one()));
    // Scripts as well.
    let hash = redis::Script::new("return 0");
    let by_hash = |rest: &str| command(&format!("EVALSHA {} {rest}", hash.get_hash()));
    let calls = ["a", "b", "a"].map(count);
    let replies =
        futures_util::future::join_all(calls.iter().map(|call| connection.0.exchange(call)));
    let far = &mut connection.1;
    let server = async {
        let sent = by_hash("1 b 1 0") + &by_hash("2 a a 1 0 1 0");
        receive(far, &sent).await;
        let refused = "*2\r\n:1\r\n:-1\r\n-TRYAGAIN x\r\n";
        far.write_all(refused.as_bytes()).await.unwrap();
        receive(far, &by_hash("1 a 1 0").repeat(2)).await;
        let counted = "*2\r\n:1\r\n:-1\r\n".repeat(2);
        far.write_all(counted.as_bytes()).await.unwrap();
    };
    let (replies, ()) = tokio::join!(replies, server);
    let counted = Reply::Array(vec![Reply::Integer(1), Reply::Integer(-1)]);
    assert!(replies.into_iter().all(|reply| reply.unwrap() == counted));
}

/// A command, as it is sent.
fn command(words: &str) -> String {
    let words: Vec<&str> = words.split(' ').collect();
    let arguments = words.iter();
    let arguments = arguments.map(|word| format!("${}\r\n{word}\r\n", word.len()));
    format!("*{}\r\n{}", words.len(), arguments.collect::<String>())
}

/// Reads these keys at once, while the server expects the first of each pair and says the
/// second.
async fn read(
    connection: &mut (Multiplexer, DuplexStream),
    keys: &str,
    conversation: &[(&[&str], &str)],
) -> Vec<Reply> {
    let (multiplexer, far) = connection;
    let calls: Vec<_> = keys.split(' ').map(get).collect();
    let replies =
        futures_util::future::join_all(calls.iter().map(|call| multiplexer.exchange(call)));
    let server = async {
        for (commands, words) in conversation {
            let commands = commands.iter().map(|words| command(words));
            receive(far, &commands.collect::<String>()).await;
            far.write_all(words.as_bytes()).await.unwrap();
        }
    };
    let (replies, ()) = tokio::join!(replies, server);
    replies.into_iter().map(Result::unwrap).collect()
}

fn one() -> Reply {
    Reply::Bytes(b"1"[..].into())
}

const FOUND: &str = "$1\r\n1\r\n";

#[tokio::test]
async fn keys_that_were_nil_are_looked_for_together() {
    let mut connection = connected(4096);
    let some = format!("*8\r\n$-1\r\n$-1\r\n{}", FOUND.repeat(6));
    // None of them is there.
    let conversation: [(&[&str], &str); 2] = [
        (&["MGET a b c d e f g h"], &some),
        (&["EXISTS a b"], ":0\r\n"),
    ];
    let replies = read(&mut connection, "a b c d e f g h", &conversation).await;
    assert_eq!(replies, [vec![Reply::Nil; 2], vec![one(); 6]].concat());
}

#[tokio::test]
async fn keys_that_are_there_and_were_nil_are_read_by_themselves() {
    let mut connection = connected(4096);
    let few = format!("*18\r\n$-1\r\n$-1\r\n{}", FOUND.repeat(16));
    let conversation: [(&[&str], &str); 3] = [
        (&["MGET a b c d e f g h i j k l m n o p q r"], &few),
        (&["EXISTS a b"], ":1\r\n"),
        (&["GET a", "GET b"], "-WRONGTYPE x\r\n$-1\r\n"),
    ];
    let keys = "a b c d e f g h i j k l m n o p q r";
    let replies = read(&mut connection, keys, &conversation).await;
    assert_eq!(replies[0], Reply::Error("WRONGTYPE x".into()));
    assert_eq!(replies[1], Reply::Nil);
    assert_eq!(replies[2..], vec![one(); 16]);
}

const QUEUED: &str = "+OK\r\n+QUEUED\r\n+QUEUED\r\n";

/// Makes the connection expect that reads find nothing.
async fn expecting_misses() -> (Multiplexer, DuplexStream) {
    let mut connection = connected(4096);
    let conversation: [(&[&str], &str); 2] = [
        (&["MGET a b c d"], "*4\r\n$-1\r\n$-1\r\n$-1\r\n$-1\r\n"),
        (&["EXISTS a b c d"], ":0\r\n"),
    ];
    let replies = read(&mut connection, "a b c d", &conversation).await;
    assert_eq!(replies, vec![Reply::Nil; 4]);
    connection
}

const CHECKED: &[&str] = &["MULTI", "MGET a b c d", "EXISTS a b c d", "EXEC"];

#[tokio::test]
async fn where_many_reads_find_nothing_a_check_goes_with_them() {
    let mut connection = expecting_misses().await;
    for (values, count, then) in [
        (["$-1\r\n", FOUND, "$-1\r\n", FOUND], 2, None),
        // One of a foreign type, and one that was removed before the check of another client.
        (
            ["$-1\r\n", FOUND, "_\r\n", FOUND],
            3,
            Some(["$-1\r\n", FOUND]),
        ),
    ] {
        let reply = format!("{QUEUED}*2\r\n*4\r\n{}:{count}\r\n", values.concat());
        let alone = then.map(|replies| replies.concat());
        let mut conversation: Vec<(&[&str], &str)> = vec![(CHECKED, &reply)];
        if let Some(replies) = &alone {
            conversation.push((&["GET a", "GET c"], replies));
        }
        let replies = read(&mut connection, "a b c d", &conversation).await;
        let last = if then.is_some() { one() } else { Reply::Nil };
        assert_eq!(replies, [Reply::Nil, one(), last, one()]);
    }
}

#[tokio::test]
async fn a_user_who_may_not_check_reads_all_the_same() {
    let (refused, array) = ("-NOPERM no\r\n", format!("*4\r\n{}", FOUND.repeat(4)));
    let not_begun = "-ERR EXEC without MULTI\r\n";
    for replies in [
        format!("{refused}{array}:4\r\n{not_begun}"),
        format!("+OK\r\n+QUEUED\r\n{refused}-EXECABORT no\r\n"),
        format!("{QUEUED}_\r\n"),
    ] {
        let mut connection = expecting_misses().await;
        let conversation: [(&[&str], &str); 2] = [(CHECKED, &replies), (&["MGET a b c d"], &array)];
        let replies = read(&mut connection, "a b c d", &conversation).await;
        assert_eq!(replies, vec![one(); 4]);
    }
    // The keys of a user may be forbidden one by one.
    let mut connection = expecting_misses().await;
    let reply = format!("{QUEUED}*2\r\n{refused}:4\r\n");
    let each = format!("{refused}{}", FOUND.repeat(3));
    let conversation: [(&[&str], &str); 2] = [
        (CHECKED, &reply),
        (&["GET a", "GET b", "GET c", "GET d"], &each),
    ];
    let replies = read(&mut connection, "a b c d", &conversation).await;
    assert_eq!(replies[0], Reply::Error("NOPERM no".into()));
    assert_eq!(replies[1..], vec![one(); 3]);
}

/// Neither is an answer that belongs to the reads: they are asked over another connection.
#[tokio::test]
async fn a_reply_that_leaves_the_connection_in_doubt_ends_it() {
    // A transaction that wasn't given up may swallow what comes next.
    let open = format!("{QUEUED}-NOPERM no\r\n");
    let checked = [CHECKED[0], CHECKED[1], CHECKED[2], CHECKED[3]].map(command);
    let plain = command("MGET a b c d");
    for (is_checked, replies) in [
        (true, open.as_str()),
        (false, "*3\r\n$1\r\n1\r\n$1\r\n1\r\n$1\r\n1\r\n"),
        (false, "*-1\r\n"),
        (false, ":1\r\n"),
    ] {
        let (multiplexer, mut far) = match is_checked {
            true => expecting_misses().await,
            false => connected(4096),
        };
        let calls = ["a", "b", "c", "d"].map(get);
        let calls = calls.iter().map(|call| multiplexer.exchange(call));
        let all = futures_util::future::join_all(calls);
        let server = async {
            let commands = if is_checked {
                &checked.concat()
            } else {
                &plain
            };
            receive(&mut far, commands).await;
            far.write_all(replies.as_bytes()).await.unwrap();
        };
        let both = async { tokio::join!(all, server) };
        let (all, ()) = tokio::time::timeout(LIMIT, both).await.unwrap();
        assert!(all.iter().all(Result::is_err), "{replies}");
        assert_eq!(multiplexer.end(), Some(ConnectionEnd::Malformed));
    }
}

/// A user may know a script by its hash alone.
#[tokio::test]
async fn a_script_that_may_not_be_sent_in_full_is_refused_to_each() {
    let (multiplexer, mut far) = connected(64 * 1024);
    let calls = ["a", "b"].map(count);
    let all = futures_util::future::join_all(calls.iter().map(|call| multiplexer.exchange(call)));
    let server = async {
        let mut answered = 0;
        let mut buffer = [0; 64 * 1024];
        while let Ok(length @ 1..) = far.read(&mut buffer).await {
            let text = String::from_utf8_lossy(&buffer[..length]).into_owned();
            for name in text.split("$").filter(|part| part.contains("EVAL")) {
                answered += 1;
                let refusal = match name.contains("EVALSHA") {
                    true => "-NOSCRIPT No matching script\r\n",
                    false => "-NOPERM no\r\n",
                };
                far.write_all(refusal.as_bytes()).await.unwrap();
            }
            assert!(answered <= 8, "asked again and again");
        }
    };
    tokio::select! {
        all = all => for reply in all {
            assert_eq!(reply.unwrap(), Reply::Error("NOPERM no".into()));
        },
        () = server => unreachable!("the connection stays"),
    }
}

#[tokio::test]
async fn a_refusal_for_all_is_everybodys_answer() {
    let refused = Reply::Error("LOADING x".into());
    let line = "-LOADING x\r\n";
    let mut connection = connected(4096);
    let conversation: [(&[&str], &str); 1] = [(&["MGET a b c d"], line)];
    let replies = read(&mut connection, "a b c d", &conversation).await;
    assert_eq!(replies, vec![refused.clone(); 4]);
    let mut connection = expecting_misses().await;
    let reply = format!("{}-ERR EXEC without MULTI\r\n", line.repeat(3));
    let conversation: [(&[&str], &str); 1] = [(CHECKED, &reply)];
    let replies = read(&mut connection, "a b c d", &conversation).await;
    assert_eq!(replies, vec![refused; 4]);
}

#[tokio::test]
async fn a_value_is_handed_out_before_those_behind_it_have_come() {
    let (multiplexer, mut far) = connected(4096);
    let calls = ["a", "b", "c", "d"].map(get);
    let [mut first, rest @ ..] = calls
        .each_ref()
        .map(|call| Box::pin(multiplexer.exchange(call)));
    assert!((&mut first).now_or_never().is_none());
    let mut rest = futures_util::future::join_all(rest);
    assert!((&mut rest).now_or_never().is_none());
    receive(&mut far, &command("MGET a b c d")).await;
    far.write_all(b"*4\r\n$1\r\n1\r\n$7\r\npa").await.unwrap();
    assert_eq!(first.await.unwrap(), one());
    assert!((&mut rest).now_or_never().is_none());
    drop(far);
    assert!(rest.await.iter().all(Result::is_err));
}

#[tokio::test]
async fn large_values_are_read_one_by_one() {
    let mut connection = connected(1 << 22);
    let large = format!("${}\r\n{}\r\n", 1 << 20, "x".repeat(1 << 20));
    let reply = format!("*4\r\n{}", large.repeat(4));
    let conversation: [(&[&str], &str); 1] = [(&["MGET a b c d"], &reply)];
    read(&mut connection, "a b c d", &conversation).await;
    // Until they were small, or none, for a while.
    let keys = ["a", "b", "c", "d"].map(|key| format!("GET {key}"));
    let keys = keys.each_ref().map(String::as_str);
    for some in [FOUND, "$-1\r\n", FOUND] {
        let small = some.repeat(4);
        let conversation: [(&[&str], &str); 1] = [(&keys, &small)];
        read(&mut connection, "a b c d", &conversation).await;
    }
    let reply = format!("*4\r\n{}", FOUND.repeat(4));
    let conversation: [(&[&str], &str); 1] = [(&["MGET a b c d"], &reply)];
    read(&mut connection, "a b c d", &conversation).await;
}

#[tokio::test]
async fn a_script_that_is_unknown_is_sent_in_full_once_for_all() {
    let (multiplexer, mut far) = connected(4096);
    let calls = ["a", "b", "c"].map(count);
    let replies =
        futures_util::future::join_all(calls.iter().map(|call| multiplexer.exchange(call)));
    let hash = redis::Script::new("return 0");
    let server = async {
        let by_hash = format!("EVALSHA {} 3 a b c 1 0 1 0 1 0", hash.get_hash());
        receive(&mut far, &command(&by_hash)).await;
        far.write_all(b"-NOSCRIPT No matching script\r\n")
            .await
            .unwrap();
        let text = "$4\r\nEVAL\r\n$8\r\nreturn 0\r\n";
        let rest = command("3 a b c 1 0 1 0 1 0");
        let rest = rest.split_once("\r\n").unwrap().1;
        receive(&mut far, &format!("*12\r\n{text}{rest}")).await;
        far.write_all(b"*6\r\n:1\r\n:-1\r\n:2\r\n:-1\r\n:3\r\n:-1\r\n")
            .await
            .unwrap();
    };
    let (replies, ()) = tokio::join!(replies, server);
    let third = Reply::Array(vec![Reply::Integer(3), Reply::Integer(-1)]);
    assert_eq!(replies.into_iter().last().unwrap().unwrap(), third);
}

#[tokio::test]
async fn reads_that_wait_behind_a_write_are_handed_back_when_they_are_wanted() {
    let (notice, mut signs) = signs();
    let terms = Terms {
        hold: MOMENT,
        notice,
        ..terms()
    };
    let (near, mut far) = duplex(4096);
    let multiplexer = Multiplexer::start(Box::new(near), ReadBuffer::default(), terms);
    let (write, sent, unsent) = (set(b"v"), get("a"), get("b"));
    let mut write = Box::pin(multiplexer.exchange(&write));
    let mut reads = [&sent, &unsent].map(|read| Box::pin(multiplexer.exchange(read)));
    let [first, second] = &mut reads;
    assert!((&mut write).now_or_never().is_none());
    assert!(first.now_or_never().is_none());
    let commands = command("SET k v") + &command("GET a");
    receive(&mut far, &commands).await;
    assert_eq!(signs.recv().await, Some(Sign::Holds));
    assert!(second.now_or_never().is_none());
    multiplexer.hand_back_reads();
    for read in reads {
        assert!(read.await.is_err());
    }
    assert!(sent.was_sent() && !unsent.was_sent());
    assert!((&mut write).now_or_never().is_none());
    // The answer to the read is nobody's, and no further one follows.
    far.write_all(b"+OK\r\n$1\r\n1\r\n").await.unwrap();
    assert_eq!(write.await.unwrap(), Reply::Status);
    while signs.recv().await != Some(Sign::Flows) {}
    let later = get("c");
    let answered = async {
        receive(&mut far, &command("GET c")).await;
        far.write_all(FOUND.as_bytes()).await.unwrap();
    };
    let (reply, ()) = tokio::join!(multiplexer.exchange(&later), answered);
    assert_eq!(reply.unwrap(), one());
    assert_eq!(signs.try_recv(), Err(TryRecvError::Empty));
}

/// Connects on terms by which a write is soon held, and the server soon silent.
fn impatient() -> (Multiplexer, DuplexStream, UnboundedReceiver<Sign>) {
    let (notice, signs) = signs();
    let terms = Terms {
        hold: MOMENT,
        patience: MOMENT * 4,
        notice,
        ..terms()
    };
    let (near, far) = duplex(4096);
    let multiplexer = Multiplexer::start(Box::new(near), ReadBuffer::default(), terms);
    (multiplexer, far, signs)
}

#[tokio::test]
async fn a_write_holds_nothing_up_until_a_read_comes() {
    let (multiplexer, mut far, mut signs) = impatient();
    let (writes, read) = ([set(b"v"), set(b"v")], get("a"));
    let mut writes = writes
        .each_ref()
        .map(|write| Box::pin(multiplexer.exchange(write)));
    for write in &mut writes {
        assert!(write.now_or_never().is_none());
    }
    receive(&mut far, &command("SET k v").repeat(2)).await;
    assert_eq!(signs.recv().await, Some(Sign::Silent));
    far.write_all(b"+OK\r\n").await.unwrap();
    while signs.recv().await != Some(Sign::Answers) {}
    let mut read = Box::pin(multiplexer.exchange(&read));
    assert!((&mut read).now_or_never().is_none());
    assert_eq!(signs.recv().await, Some(Sign::Holds));
}

/// A slow read holds up no more than a slow server does.
#[tokio::test]
async fn a_read_that_waits_holds_nothing_up() {
    let (multiplexer, mut far, mut signs) = impatient();
    let (read, write) = (get("a"), set(b"v"));
    let [mut first, mut second] = [&read, &write].map(|call| Box::pin(multiplexer.exchange(call)));
    assert!((&mut first).now_or_never().is_none());
    receive(&mut far, &command("GET a")).await;
    assert!((&mut second).now_or_never().is_none());
    receive(&mut far, &command("SET k v")).await;
    assert_eq!(signs.recv().await, Some(Sign::Silent));
}

/// A socket of TLS holds back what it has taken while the network takes nothing.
#[tokio::test]
async fn what_the_socket_holds_back_is_flushed() {
    let (near, mut far) = duplex(8);
    let near = BufWriter::with_capacity(1024, near);
    let multiplexer = Multiplexer::start(Box::new(near), ReadBuffer::default(), terms());
    for _ in 0..2 {
        let call = set(b"value");
        let answered = async {
            let command = "*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$5\r\nvalue\r\n";
            receive(&mut far, command).await;
            far.write_all(b"+OK\r\n").await.unwrap();
        };
        let both = async { tokio::join!(multiplexer.exchange(&call), answered) };
        let (reply, ()) = tokio::time::timeout(LIMIT, both).await.unwrap();
        assert_eq!(reply.unwrap(), Reply::Status);
    }
}

#[tokio::test]
async fn what_the_socket_holds_back_may_have_been_sent_and_what_it_refused_was_not() {
    let (near, far) = duplex(8);
    let near = BufWriter::with_capacity(64, near);
    let multiplexer = Multiplexer::start(Box::new(near), ReadBuffer::default(), terms());
    let calls = [set(b"value"), set(&[b'v'; 64])];
    let [mut first, mut second] = calls
        .each_ref()
        .map(|call| Box::pin(multiplexer.exchange(call)));
    assert!((&mut first).now_or_never().is_none());
    settled().await;
    assert!((&mut second).now_or_never().is_none());
    settled().await;
    drop(far);
    assert!(first.await.is_err() && calls[0].was_sent());
    assert!(second.await.is_err() && !calls[1].was_sent());
}

#[tokio::test]
async fn a_caller_that_leaves_before_its_turn_sends_nothing() {
    let (multiplexer, mut far) = connected(4096);
    let (left, stays) = (get("left"), get("stays"));
    assert!(
        Box::pin(multiplexer.exchange(&left))
            .now_or_never()
            .is_none()
    );
    assert!(!left.was_sent());
    let answered = async {
        receive(&mut far, "*2\r\n$3\r\nGET\r\n$5\r\nstays\r\n").await;
        far.write_all(b"$-1\r\n").await.unwrap();
    };
    let (reply, ()) = tokio::join!(multiplexer.exchange(&stays), answered);
    assert_eq!(reply.unwrap(), Reply::Nil);
}
