//! The table of all operations that write, each with the commands that it needs and keys of its
//! own; a new operation, or a new script, is one row.

use std::time::Duration;

use futures::future::{BoxFuture, FutureExt};
use reinhardt_backends::store::{NewEntry, Store, Touch};
use reinhardt_backends::throttle::{Attempt, Quota};
use reinhardt_backends::{Backend, BackendResult, Life, RedisBackend, Stored};
use reinhardt_backends_tests::Server;

use super::PATIENCE;

const MINUTE: Duration = Duration::from_secs(60);
/// The life of the entries that end.
const LIFE: Duration = Duration::from_secs(600);
const HOUR: Duration = Duration::from_secs(3600);

pub(super) struct Operation {
    pub(super) name: &'static str,
    /// The commands that the server runs for it. Of several words in one text any one will do.
    pub(super) commands: &'static [&'static str],
    call: Call,
}

type Call = for<'a> fn(&'a RedisBackend, &'a Keys) -> BoxFuture<'a, BackendResult<()>>;

/// The keys of an operation: two entries that hold a 7, and nothing under the third.
struct Keys {
    ends: String,
    stays: String,
    absent: String,
}

impl Keys {
    fn of(operation: &Operation) -> Self {
        let key = |kind: &str| format!("{}:{kind}", operation.name);
        Self {
            ends: key("ends"),
            stays: key("stays"),
            absent: key("absent"),
        }
    }
}

impl Operation {
    /// Puts the entries there that the operation is going to change.
    pub(super) async fn prepare(&self, backend: &RedisBackend) {
        let keys = Keys::of(self);
        backend.set(&keys.ends, 7, Some(LIFE)).await.unwrap();
        backend.set(&keys.stays, 7, None).await.unwrap();
        backend.delete(&keys.absent).await.unwrap();
    }

    pub(super) async fn run(&self, backend: &RedisBackend) -> BackendResult<()> {
        (self.call)(backend, &Keys::of(self)).await
    }
}

macro_rules! operations {
    ($($name:ident [$($command:literal),*] |$backend:ident, $keys:ident| $call:expr;)*) => {
        &[$(Operation {
            name: stringify!($name),
            commands: &[$($command),*],
            call: |$backend, $keys| async move { $call.await.map(drop) }.boxed(),
        }),*]
    };
}

pub(super) const OPERATIONS: &[Operation] = operations! {
    set ["set"] |backend, keys| backend.set(&keys.ends, 8, None);
    set_if_absent ["set"] |backend, keys| backend.set_if_absent(&keys.absent, 8, None);
    set_if_present ["set"] |backend, keys| backend.set_if_present(&keys.ends, 8, Some(MINUTE));
    set_many ["set"] |backend, keys| backend.set_many(
        &[(&*keys.ends, 8), (&*keys.stays, 8), (&*keys.absent, 8)], Some(MINUTE));
    compare_and_set ["get", "set"] |backend, keys| backend.compare_and_set(
        &keys.ends, &seven(), 8, Life::Keep);
    compare_and_set_ending ["get", "set"] |backend, keys| backend.compare_and_set(
        &keys.stays, &seven(), 8, Life::In(MINUTE));
    compare_and_delete ["get", "unlink del"] |backend, keys| backend.compare_and_delete(
        &keys.ends, &seven());
    take ["getdel"] |backend, keys| backend.take::<u8>(&keys.ends);
    delete ["unlink del"] |backend, keys| backend.delete(&keys.ends);
    delete_many ["unlink del"] |backend, keys| backend.delete_many(&[&keys.ends, &keys.stays]);
    clear_prefix ["scan", "unlink del"] |backend, _keys| backend.clear_prefix("clear_prefix:");
    expire ["pexpire"] |backend, keys| backend.expire(&keys.stays, Life::In(MINUTE));
    expire_never ["exists", "persist"] |backend, keys| backend.expire(&keys.ends, Life::Never);
    increment ["pttl", "incrby"] |backend, keys| backend.increment(&keys.ends, None);
    increment_past_a_double ["pttl", "incrby", "get"] |backend, keys| backend.increment_by(
        &keys.stays, 1 << 60, None);
    begin_window ["pttl", "set"] |backend, keys| backend.increment(&keys.absent, Some(MINUTE));
    give_window ["pttl", "incrby", "pexpire"] |backend, keys| backend.increment(
        &keys.stays, Some(MINUTE));
    read_restarting ["getex"] |backend, keys| backend.read_value(
        &keys.ends, Touch::Restart(MINUTE));
    read_many_restarting ["getex"] |backend, keys| read_many(backend, keys, Touch::Restart(MINUTE));
    read_extending ["get", "pttl", "pexpire"] |backend, keys| backend.read_value(
        &keys.ends, Touch::Extend(HOUR));
    read_many_extending ["mget", "pttl", "pexpire"] |backend, keys| read_many(
        backend, keys, Touch::Extend(HOUR));
    move_entry ["get", "set", "unlink del"] |backend, keys| move_to(
        backend, &keys.ends, &keys.absent, Life::In(MINUTE), None);
    move_over_keeping ["get", "set", "unlink del"] |backend, keys| move_to(
        backend, &keys.stays, &keys.ends, Life::Keep, Some(b"7"));
    move_over_ending ["get", "set", "unlink del"] |backend, keys| move_to(
        backend, &keys.stays, &keys.ends, Life::In(MINUTE), Some(b"7"));
    move_over_never_ending ["get", "set", "unlink del"] |backend, keys| move_to(
        backend, &keys.stays, &keys.ends, Life::Never, Some(b"7"));
    throttle ["time", "get", "set"] |backend, keys| attempt(backend, &keys.absent);
};

fn seven() -> Stored {
    Stored::from(&b"7"[..])
}

async fn read_many(backend: &RedisBackend, keys: &Keys, touch: Touch) -> BackendResult<()> {
    let keys = [keys.ends.as_str(), &keys.absent];
    backend.read_values(&keys, touch).await.map(drop)
}

async fn move_to(
    backend: &RedisBackend,
    from: &str,
    key: &str,
    life: Life,
    over: Option<&[u8]>,
) -> BackendResult<()> {
    let to = NewEntry {
        key,
        value: b"8",
        life,
    };
    let moved = backend.move_entry(from, b"7", to, over).await?;
    assert!(moved, "{from} to {key}");
    Ok(())
}

async fn attempt(backend: &RedisBackend, key: &str) -> BackendResult<()> {
    let quotas = [Quota::gcra(5, MINUTE)];
    let attempt = Attempt::new(&quotas);
    backend.throttle(key, attempt).await.map(drop)
}

/// An entry as a server holds it.
#[derive(Debug)]
pub(super) struct Held {
    key: String,
    value: Vec<u8>,
    /// The time that is left of its life, in milliseconds; -1 if it never ends.
    left: i64,
}

/// Returns all entries that a server holds, as another client reads them in one step.
pub(super) async fn held(server: &Server) -> Vec<Held> {
    const READ: &str = "local held = {} \
        for _, key in ipairs(redis.call('KEYS', '*')) do \
        held[#held + 1] = {key, redis.call('GET', key), redis.call('PTTL', key)} end \
        return held";
    let client = redis::Client::open(server.url()).unwrap();
    let mut connection = client.get_multiplexed_async_connection().await.unwrap();
    let mut read = redis::cmd("EVAL");
    read.arg(READ).arg(0);
    let rows: Vec<(String, Vec<u8>, i64)> = read.query_async(&mut connection).await.unwrap();
    let held = |(key, value, left)| Held { key, value, left };
    let mut all: Vec<Held> = rows.into_iter().map(held).collect();
    all.sort_by(|one, next| one.key.cmp(&next.key));
    all
}

/// Says whether nothing has changed between two looks, but that time has passed.
pub(super) fn is_unchanged(before: &[Held], after: &[Held]) -> bool {
    let patience = i64::try_from(PATIENCE.as_millis()).unwrap();
    let is_same = |(before, after): (&Held, &Held)| {
        let has_same_end = match before.left {
            -1 => after.left == -1,
            left => (left - patience..=left).contains(&after.left),
        };
        before.key == after.key && before.value == after.value && has_same_end
    };
    before.len() == after.len() && before.iter().zip(after).all(is_same)
}
