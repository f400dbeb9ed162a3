//! Calls that go on without the store, and calls that don't.

use std::sync::atomic::AtomicU8;

use futures::{StreamExt, TryStreamExt};
use reinhardt_backends::layer::{Answer, Intercept, Next, Op, Operation};
use reinhardt_backends::{BackendResult, KeyStream};
use serde::{Deserialize, Serialize};

use super::*;

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Keyspace)]
#[keyspace(prefix = "away.entry", ttl = "5m", sliding, on_unavailable = "miss")]
struct Article {
    #[keyspace(key)]
    id: u32,
    title: String,
}

/// A store that a test takes away.
#[derive(Clone)]
struct Switch(Arc<AtomicU8>);

const UP: u8 = 0;
/// Calls fail before they have an effect.
const REFUSED: u8 = 1;
/// Calls have no effect, and nobody knows.
const SILENT: u8 = 2;
/// Calls fail in a way that says nothing about the store.
const DENIED: u8 = 3;

impl Switch {
    fn turn(&self, to: u8) {
        self.0.store(to, SeqCst);
    }

    fn answer(&self, op: Op) -> BackendResult<()> {
        let changes_nothing = matches!(op, Op::Read | Op::ReadMany | Op::ReadLife);
        let timeout = BackendError::new(ErrorKind::Timeout, "no answer");
        match self.0.load(SeqCst) {
            UP => Ok(()),
            REFUSED => Err(BackendError::new(ErrorKind::Unavailable, "refused")),
            SILENT if changes_nothing => Err(timeout),
            SILENT => Err(timeout.with_outcome_unknown()),
            DENIED => Err(BackendError::new(ErrorKind::Denied, "no")),
            other => panic!("{other}"),
        }
    }
}

/// Returns a backend over a store that isn't in this process, as far as callers know.
fn switched() -> (Switch, Flaky<MemoryBackend>) {
    let switch = Switch(Arc::new(AtomicU8::new(UP)));
    let asked = switch.clone();
    let flaky = flaky();
    flaky.on_any().run(move |call| {
        let answer = asked.answer(call.op);
        async move { answer }
    });
    (switch, flaky)
}

/// The kind of an error, which isn't one of outcomes.
fn kind<T: std::fmt::Debug>(result: BackendResult<T>) -> ErrorKind {
    result.unwrap_err().kind()
}

#[tokio::test]
async fn reads_find_nothing_and_unconditional_writes_are_no_error() {
    goes_on!(Price, "away.goes_on", shared);
    for away in [REFUSED, SILENT] {
        let (switch, backend) = switched();
        let price = Price { article: 7 };
        price.set(&backend, 5).await.unwrap();
        let article = |title: &str| Article {
            id: 7,
            title: title.to_string(),
        };
        article("a").save(&backend).await.unwrap();
        switch.turn(away);
        assert_eq!(price.get(&backend).await.unwrap(), None);
        assert_eq!(price.get_shared(&backend).await.unwrap(), None);
        let many = [price, Price { article: 8 }];
        assert_eq!(Price::get_many(&backend, many).await.unwrap(), [None, None]);
        assert_eq!(Article::get(&backend, 7).await.unwrap(), None);
        price.set(&backend, 6).await.unwrap();
        price
            .set_for(&backend, 6, Duration::from_secs(9))
            .await
            .unwrap();
        Price::set_many(&backend, [(price, 6)]).await.unwrap();
        article("b").save(&backend).await.unwrap();
        article("b")
            .save_for(&backend, Duration::from_secs(9))
            .await
            .unwrap();
        Article::save_many(&backend, [article("b")]).await.unwrap();
        assert_eq!(price.get_or_compute(&backend, async || 9).await.unwrap(), 9);
        let computed = price.get_or_set_with(&backend, || async { Ok::<_, BackendError>(9) });
        assert_eq!(computed.await.unwrap(), 9);
        let spawned = price.get_or_set_spawned(&backend, || async { Ok::<_, BackendError>(9) });
        assert_eq!(spawned.await.unwrap(), 9);
        switch.turn(UP);
        // Nothing of it was stored, and what was there before is there.
        until("the store is asked again", async || {
            price.get(&backend).await.unwrap() == Some(5)
        })
        .await;
        let found = Article::get(&backend, 7).await.unwrap();
        assert_eq!(found, Some(article("a")));
    }
}

#[tokio::test]
async fn removals_and_all_that_depends_on_the_store_stay_errors() {
    goes_on!(Price, "away.stays", shared);
    for (away, expected) in [
        (REFUSED, ErrorKind::Unavailable),
        (SILENT, ErrorKind::Timeout),
    ] {
        let (switch, backend) = switched();
        let price = Price { article: 7 };
        price.set(&backend, 5).await.unwrap();
        switch.turn(away);
        // The second time the store is known to be away.
        for _ in 0..2 {
            assert_eq!(kind(price.delete(&backend).await), expected);
            assert_eq!(kind(Price::delete_many(&backend, [price]).await), expected);
            assert_eq!(kind(Price::clear(&backend).await), expected);
            assert_eq!(kind(price.take(&backend).await), expected);
            assert_eq!(kind(price.set_if_absent(&backend, 6).await), expected);
            assert_eq!(kind(price.set_if_present(&backend, 6).await), expected);
            assert_eq!(kind(price.update(&backend, |_| ()).await), expected);
            let inserted = price.update_or_insert_with(&backend, |_| (), || 6);
            assert_eq!(kind(inserted.await), expected);
            assert_eq!(kind(price.touch(&backend).await), expected);
            assert_eq!(kind(price.exists(&backend).await), expected);
            assert_eq!(kind(price.ttl(&backend).await), expected);
            assert_eq!(price.get(&backend).await.unwrap(), None);
        }
    }
}

#[tokio::test]
async fn what_is_wrong_with_a_call_stays_an_error() {
    #[derive(Keyspace)]
    #[keyspace(prefix = "away.wrong", ttl = "5m", value = String, on_unavailable = "miss")]
    struct Named<'a> {
        name: &'a str,
    }
    let (switch, backend) = switched();
    let long = "n".repeat(2000);
    let (named, unnamed) = (Named { name: "n" }, Named { name: &long });
    for away in [UP, REFUSED] {
        switch.turn(away);
        for _ in 0..2 {
            let _ = named.get(&backend).await.unwrap();
            assert_eq!(kind(unnamed.get(&backend).await), ErrorKind::InvalidKey);
            assert_eq!(
                kind(unnamed.set(&backend, "v").await),
                ErrorKind::InvalidKey
            );
            let many = Named::set_many(&backend, [(&unnamed, "v")]).await;
            assert_eq!(kind(many), ErrorKind::InvalidKey);
            let large = "v".repeat(17 << 20);
            assert_eq!(kind(named.set(&backend, large).await), ErrorKind::TooLarge);
            let zero = named.set_for(&backend, "v", Duration::ZERO).await;
            assert_eq!(kind(zero), ErrorKind::InvalidTtl);
        }
    }
    switch.turn(UP);
    until("the store is asked again", async || {
        named.set(&backend, "v").await.unwrap();
        named.get(&backend).await.unwrap().is_some()
    })
    .await;
    switch.turn(DENIED);
    assert_eq!(kind(named.get(&backend).await), ErrorKind::Denied);
    assert_eq!(kind(named.set(&backend, "v").await), ErrorKind::Denied);
}

#[tokio::test]
async fn a_keyspace_without_the_word_has_errors() {
    let (switch, backend) = switched();
    switch.turn(REFUSED);
    assert_eq!(kind(PLAIN.get(&backend).await), ErrorKind::Unavailable);
    assert_eq!(kind(PLAIN.set(&backend, "v").await), ErrorKind::Unavailable);
    let computed = PLAIN.get_or_compute(&backend, async || String::new());
    assert_eq!(kind(computed.await), ErrorKind::Unavailable);
}

#[tokio::test]
async fn a_store_that_is_away_is_not_asked_but_by_one_now_and_then() {
    goes_on!(Price, "away.asked", shared);
    let (switch, backend) = switched();
    let price = Price { article: 7 };
    switch.turn(REFUSED);
    assert_eq!(price.get(&backend).await.unwrap(), None);
    backend.take_calls();
    let begun = std::time::Instant::now();
    let a_while = Duration::from_millis(200);
    while begun.elapsed() < a_while {
        assert_eq!(price.get(&backend).await.unwrap(), None);
        price.set(&backend, 5).await.unwrap();
        assert_eq!(price.get_or_compute(&backend, async || 9).await.unwrap(), 9);
    }
    // A pause lasts 25 ms at least.
    let at_most = begun.elapsed().as_millis() / 20 + 1;
    let calls = backend.take_calls();
    assert!(
        (1..=at_most).contains(&(calls.len() as u128)),
        "{} calls",
        calls.len()
    );
    assert!(
        calls
            .iter()
            .all(|call| matches!(call.op, Op::Read | Op::ReadLife)),
        "no write is sent to a store that is away: {calls:?}"
    );
}

#[tokio::test]
async fn a_store_that_is_back_is_written_to_after_a_question() {
    goes_on!(Price, "away.back", shared);
    let (switch, backend) = switched();
    let price = Price { article: 7 };
    switch.turn(SILENT);
    price.set(&backend, 5).await.unwrap();
    switch.turn(UP);
    backend.take_calls();
    until("it is written", async || {
        price.set(&backend, 6).await.unwrap();
        backend.count(Op::Write) > 0
    })
    .await;
    let calls = backend.take_calls();
    let ops: Vec<Op> = calls.iter().map(|call| call.op).collect();
    assert_eq!(ops, [Op::ReadLife, Op::Write]);
    assert_eq!(price.get(&backend).await.unwrap(), Some(6));
}

#[tokio::test]
async fn what_went_on_is_counted() {
    goes_on!(Price, "away.counted", shared);
    let (switch, backend) = switched();
    let price = Price { article: 7 };
    price.set(&backend, 5).await.unwrap();
    price.get(&backend).await.unwrap();
    assert_eq!(Price::INFO.went_on(), Default::default());
    switch.turn(REFUSED);
    price.get(&backend).await.unwrap();
    Price::get_many(&backend, [price, price]).await.unwrap();
    price.set(&backend, 5).await.unwrap();
    Price::set_many(&backend, [(price, 1), (price, 2), (price, 3)])
        .await
        .unwrap();
    price.get_or_compute(&backend, async || 9).await.unwrap();
    let _ = price.delete(&backend).await;
    let went_on = Price::INFO.went_on();
    assert_eq!((went_on.reads, went_on.writes), (1 + 2 + 1, 1 + 3 + 1));
}

#[tokio::test]
async fn followers_of_a_flight_get_what_is_computed_without_the_store() {
    goes_on!(Price, "away.flight", shared);
    let (switch, backend) = switched();
    switch.turn(REFUSED);
    let price = Price { article: 7 };
    let source = Source::closed();
    let callers: Vec<_> = (0..20)
        .map(|_| {
            let (backend, source) = (backend.clone(), source.clone());
            tokio::spawn(async move {
                let compute = || async { source.compute().await.map(|_| 9) };
                price.get_or_set_with(&backend, compute).await
            })
        })
        .collect();
    until("one computes", async || source.begun() == 1).await;
    source.open_for(1000);
    for caller in callers {
        assert_eq!(caller.await.unwrap().unwrap(), 9);
    }
    // Those who asked before it was computed share it, and those who asked meanwhile the next one.
    assert!(source.begun() <= 2, "{} computations", source.begun());
}

/// An older version isn't what the newest one would have said.
#[tokio::test]
async fn no_older_version_is_taken_because_the_newest_could_not_be_asked() {
    #[derive(Keyspace)]
    #[keyspace(prefix = "away.version", ttl = "5m", value = u32)]
    struct First {
        id: u32,
    }
    #[derive(Keyspace)]
    #[keyspace(prefix = "away.version", ttl = "5m", value = u32, version = 2)]
    #[keyspace(migrates = First, on_unavailable = "miss")]
    struct Second {
        id: u32,
    }
    let backend = flaky();
    for op in [Op::Read, Op::ReadMany] {
        let newest = backend.on(op).prefix("away.version@2");
        newest.fail(ErrorKind::Timeout);
    }
    First { id: 7 }.set(&backend, 1).await.unwrap();
    let second = Second { id: 7 };
    assert_eq!(second.get(&backend).await.unwrap(), None);
    backend.clear_rules();
    until("the store is asked again", async || {
        second.get(&backend).await.unwrap() == Some(1)
    })
    .await;
}

#[tokio::test]
async fn a_scan_stays_an_error() {
    goes_on!(Price, "away.scan", shared);
    let backend = flaky();
    backend.on(Op::ReadMany).fail(ErrorKind::Unavailable);
    Price { article: 7 }.set(&backend, 5).await.unwrap();
    let scanned: BackendResult<Vec<_>> = Price::scan(&backend).try_collect().await;
    assert_eq!(kind(scanned.map(drop)), ErrorKind::Unavailable);
    assert_eq!(Price::scan_keys(&backend).count().await, 1);
}

/// A store in this process is asked by every call, also if a layer around it fails.
#[tokio::test]
async fn memory_that_a_layer_takes_away_is_asked_by_every_call() {
    goes_on!(Price, "away.memory", shared);
    let memory = MemoryBackend::new();
    let price = Price { article: 7 };
    price.set(&memory, 5).await.unwrap();
    let layer = Failing::default();
    let backend = memory.layer(layer.clone());
    layer.0.store(1, SeqCst);
    assert_eq!(price.get(&backend).await.unwrap(), None);
    assert_eq!(price.get(&backend).await.unwrap(), Some(5));
    layer.0.store(1, SeqCst);
    price.set(&backend, 6).await.unwrap();
    assert_eq!(
        price.get_shared(&backend).await.unwrap().as_deref(),
        Some(&5)
    );
    layer.0.store(1, SeqCst);
    assert_eq!(price.get_shared(&backend).await.unwrap(), None);
}

/// Refuses so many calls, on the fast path too.
#[derive(Clone, Default)]
struct Failing(Arc<AtomicUsize>);

impl Failing {
    fn answer(&self) -> BackendResult<()> {
        let fewer = |left: usize| left.checked_sub(1);
        match self.0.fetch_update(SeqCst, SeqCst, fewer) {
            Ok(_) => Err(BackendError::new(ErrorKind::Unavailable, "refused")),
            Err(_) => Ok(()),
        }
    }
}

impl Intercept for Failing {
    const FAST_PATH: bool = true;

    async fn call<T: Answer>(&self, _: Operation<'_>, next: Next<'_, T>) -> BackendResult<T> {
        self.answer()?;
        next.run().await
    }

    fn call_now<T: Answer>(
        &self,
        _: Operation<'_>,
        next: impl FnOnce() -> BackendResult<T>,
    ) -> BackendResult<T> {
        self.answer()?;
        next()
    }

    fn keys<'a>(&'a self, _: Operation<'_>, next: KeyStream<'a>) -> KeyStream<'a> {
        next
    }
}

/// A server may refuse writes and answer reads (`MISCONF`, `READONLY`).
#[tokio::test]
async fn what_a_store_answers_is_read_while_it_refuses_writes() {
    goes_on!(Price, "away.writes", shared);
    let backend = flaky();
    let price = Price { article: 7 };
    price.set(&backend, 5).await.unwrap();
    let refusal = backend.on(Op::Write).fail(ErrorKind::Unavailable);
    backend.take_calls();
    let begun = std::time::Instant::now();
    while begun.elapsed() < Duration::from_millis(200) {
        price.set(&backend, 6).await.unwrap();
        assert_eq!(price.get(&backend).await.unwrap(), Some(5));
    }
    let at_most = begun.elapsed().as_millis() / 20 + 1;
    let writes = backend.count(Op::Write) as u128;
    assert!((2..=at_most).contains(&writes), "{writes} writes");
    refusal.remove();
    until("it is written", async || {
        price.set(&backend, 7).await.unwrap();
        price.get(&backend).await.unwrap() == Some(7)
    })
    .await;
}

#[tokio::test]
async fn the_answer_to_no_question_says_nothing() {
    goes_on!(Price, "away.empty", shared);
    let (switch, backend) = switched();
    let price = Price { article: 7 };
    switch.turn(SILENT);
    assert_eq!(price.get(&backend).await.unwrap(), None);
    backend.take_calls();
    tokio::time::sleep(Duration::from_millis(50)).await;
    let none: [Price; 0] = [];
    assert_eq!(Price::get_many(&backend, none).await.unwrap(), []);
    Price::set_many(&backend, [(price, 1); 0]).await.unwrap();
    assert_eq!(price.get(&backend).await.unwrap(), None);
    let calls = backend.take_calls();
    assert!(calls.len() <= 1, "the store was away: {calls:?}");
}

/// The question whether the store is back may be denied: that is an answer.
#[tokio::test]
async fn a_store_that_denies_the_question_is_written_to() {
    goes_on!(Price, "away.denies", shared);
    let (switch, backend) = switched();
    let price = Price { article: 7 };
    switch.turn(SILENT);
    price.set(&backend, 5).await.unwrap();
    switch.turn(UP);
    backend.on(Op::ReadLife).fail(ErrorKind::Denied);
    until("it is written", async || {
        price.set(&backend, 6).await.unwrap();
        price.get(&backend).await.unwrap() == Some(6)
    })
    .await;
}

/// A turn that its caller drops is the next caller's after a pause.
#[tokio::test]
async fn a_caller_that_is_dropped_while_it_asks_leaves_the_turn_to_others() {
    goes_on!(Price, "away.dropped", shared);
    let backend = flaky();
    let price = Price { article: 7 };
    price.set(&backend, 5).await.unwrap();
    let once = backend.on(Op::Read).nth(1).fail(ErrorKind::Timeout);
    assert_eq!(price.get(&backend).await.unwrap(), None);
    once.remove();
    for _ in 0..3 {
        let hangs = backend.on_any().hang();
        until("a caller asks", async || {
            let read = price.get(&backend);
            let patience = Duration::from_millis(5);
            tokio::time::timeout(patience, read).await.is_err()
        })
        .await;
        hangs.remove();
    }
    until("the store is asked again", async || {
        price.get(&backend).await.unwrap() == Some(5)
    })
    .await;
}

/// A store that is made anew, in the place of one that was away, is another store.
#[tokio::test]
async fn a_new_store_is_not_taken_for_one_that_is_gone() {
    goes_on!(Price, "away.anew", shared);
    for _ in 0..100 {
        let backend = flaky();
        let price = Price { article: 7 };
        price.set(&backend, 5).await.unwrap();
        assert_eq!(price.get(&backend).await.unwrap(), Some(5));
        backend.down();
        assert_eq!(price.get(&backend).await.unwrap(), None);
    }
}

/// A store that doesn't answer within ten seconds of the paused clock. The pauses between questions
/// are real.
fn silent() -> Flaky<MemoryBackend> {
    let backend = flaky();
    backend.on_any().time_out_before(SILENCE);
    backend
}

const SILENCE: Duration = Duration::from_secs(10);
/// A time in which the first pause ends.
const A_PAUSE: Duration = Duration::from_millis(40);

#[tokio::test(start_paused = true)]
async fn a_call_that_computes_waits_for_its_limit_once() {
    goes_on!(Price, "away.once", shared);
    let price = Price { article: 7 };
    for spawns in [false, true] {
        let backend = silent();
        let begun = tokio::time::Instant::now();
        let slow = || async {
            std::thread::sleep(A_PAUSE);
            Ok::<_, BackendError>(9)
        };
        let computed = match spawns {
            false => price.get_or_set_with(&backend, slow).await,
            true => price.get_or_set_spawned(&backend, slow).await,
        };
        assert_eq!(computed.unwrap(), 9);
        assert!(begun.elapsed() < SILENCE * 2, "{:?}", begun.elapsed());
        assert_eq!(backend.take_calls().len(), 1);
    }
}

#[tokio::test(start_paused = true)]
async fn callers_of_one_key_do_not_wait_for_one_who_asks() {
    goes_on!(Price, "away.asking", shared);
    let (backend, price) = (silent(), Price { article: 7 });
    // Most of the callers come before the first pause is over, on all but a stopped machine.
    assert_eq!(price.get(&backend).await.unwrap(), None);
    let begun = tokio::time::Instant::now();
    let callers = (0..20).map(|_| {
        let backend = backend.clone();
        tokio::spawn(async move {
            let compute = async || {
                tokio::time::sleep(Duration::from_millis(20)).await;
                std::thread::sleep(A_PAUSE);
                9
            };
            let computed = price.get_or_compute(&backend, compute).await;
            assert_eq!(computed.unwrap(), 9);
            tokio::time::Instant::now()
        })
    });
    let mut slow = 0;
    for caller in callers.collect::<Vec<_>>() {
        let ended = caller.await.unwrap();
        slow += u32::from(ended - begun >= SILENCE);
    }
    assert!(slow <= 1, "{slow} waited: one may ask as it begins");
}

/// A removal that is answered is an answer of the store: a program that only removes isn't refused
/// for ever.
#[tokio::test]
async fn a_removal_ends_an_outage() {
    goes_on!(Price, "away.removes", shared);
    for clears in [false, true] {
        let (switch, backend) = switched();
        let price = Price { article: 7 };
        price.set(&backend, 5).await.unwrap();
        switch.turn(SILENT);
        price.set(&backend, 6).await.unwrap();
        switch.turn(UP);
        let noted = match clears {
            false => price.delete(&backend).await.map(u64::from),
            true => Price::clear(&backend).await,
        };
        assert!(noted.unwrap_err().outcome_unknown());
        backend.take_calls();
        assert_eq!(price.get(&backend).await.unwrap(), None);
        assert_eq!(backend.count(Op::Read), 1, "the store isn't away any more");
    }
}

/// Conditional writes that are refused because of a lost write ask the store, too.
#[tokio::test]
async fn a_refused_update_asks_the_store() {
    goes_on!(Price, "away.updates", shared);
    let (switch, backend) = switched();
    let price = Price { article: 7 };
    switch.turn(SILENT);
    price.set(&backend, 6).await.unwrap();
    switch.turn(UP);
    until("the store is asked", async || {
        let updated = price.update(&backend, |_| ()).await;
        assert_eq!(kind(updated), ErrorKind::Unavailable);
        backend.count(Op::ReadLife) > 0
    })
    .await;
    backend.take_calls();
    assert_eq!(price.get(&backend).await.unwrap(), None);
    assert_eq!(backend.count(Op::Read), 1, "the store isn't away any more");
}

/// `CLIENT PAUSE WRITE`, as in a failover: writes get no answer, and reads do.
#[tokio::test(start_paused = true)]
async fn one_writer_at_a_time_waits_while_writes_are_held_back() {
    goes_on!(Price, "away.held", shared);
    let backend = flaky();
    let price = Price { article: 7 };
    price.set(&backend, 5).await.unwrap();
    backend.on(Op::Write).time_out_before(SILENCE);
    backend.take_calls();
    let begun = std::time::Instant::now();
    while begun.elapsed() < Duration::from_millis(200) {
        let writers = (0..8).map(|_| price.set(&backend, 6));
        for written in futures::future::join_all(writers).await {
            written.unwrap();
        }
        until("it is read", async || {
            price.get(&backend).await.unwrap() == Some(5)
        })
        .await;
    }
    // The first ones had all begun when nobody knew.
    let at_most = 8 + begun.elapsed().as_millis() / 20;
    let writes = backend.count(Op::Write) as u128;
    assert!((9..=at_most).contains(&writes), "{writes} writes");
}
