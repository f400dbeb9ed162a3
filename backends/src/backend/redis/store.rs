//! The contract, by commands.

use std::collections::HashMap;
use std::time::Duration;

use async_trait::async_trait;

use super::RedisBackend;
use super::client::{Command, Reply};
use super::commands::{BATCH, Commands, argument, batch_length, millis, set};
use super::read_from::ReadFrom;
use super::reply::{self, Unread};
use super::scripts;
use crate::backend::answers::{Counted, KeyStream};
use crate::backend::life::{Expiry, Life};
use crate::backend::store::{NewEntry, ReplicaReads, Store, StoreInfo, Touch, move_in_steps};
use crate::backend::stored::Stored;
use crate::backend::write::{Condition, Write};
use crate::error::{BackendError, BackendResult, Failures};
use crate::quota::{Attempt, Decision, write_head};

#[async_trait]
impl Store for RedisBackend {
    async fn read(&self, key: &str) -> BackendResult<Option<(Stored, Expiry)>> {
        self.commands.read_with_expiry(key, ReadFrom::Primary).await
    }

    async fn put(&self, key: &str, value: &[u8], options: Write<'_>) -> BackendResult<bool> {
        let life = options.life.checked()?;
        self.commands.limits.check_value(value)?;
        if let Condition::Equals(expected) = options.condition {
            let invocation = self.commands.script(&scripts::COMPARE_AND_SET, key)?;
            let invocation = invocation.arg(expected).arg(value).arg(argument(life));
            return self.commands.run(invocation, reply::held).await;
        }
        let command = set(self.commands.command("SET", key)?, value, life);
        let command = match options.condition {
            Condition::Absent => command.arg("NX"),
            Condition::Present => command.arg("XX"),
            Condition::Always | Condition::Equals(_) => command,
        };
        self.commands.tell(command, reply::done).await
    }

    async fn remove(&self, key: &str, expected: Option<&[u8]>) -> BackendResult<bool> {
        match expected {
            None => {
                let removed = self
                    .commands
                    .unlink(|name| self.commands.command(name, key));
                Ok(removed.await? == 1)
            }
            Some(expected) => {
                let invocation = self.commands.script(&scripts::COMPARE_AND_DELETE, key)?;
                self.commands
                    .run(invocation.arg(expected), reply::held)
                    .await
            }
        }
    }

    async fn add(&self, key: &str, delta: i64, ttl: Option<Duration>) -> BackendResult<Counted> {
        self.commands.count(key, delta, ttl).await
    }

    async fn set_life(&self, key: &str, life: Life) -> BackendResult<bool> {
        match life.checked()? {
            Life::Keep => {
                let command = self.commands.command("EXISTS", key)?;
                self.commands
                    .ask(command, ReadFrom::Primary, reply::held)
                    .await
            }
            Life::Never => {
                let invocation = self.commands.script(&scripts::PERSIST, key)?;
                self.commands.run(invocation, reply::held).await
            }
            Life::In(ttl) => {
                let command = self.commands.command("PEXPIRE", key)?.number(millis(ttl));
                self.commands.tell(command, reply::held).await
            }
        }
    }

    fn keys<'a>(&'a self, prefix: &str) -> KeyStream<'a> {
        self.commands.checked_scan(prefix, ReadFrom::Primary)
    }

    async fn read_value(&self, key: &str, touch: Touch) -> BackendResult<Option<Stored>> {
        self.commands.read_value(key, touch.checked()?).await
    }

    async fn read_values(&self, keys: &[&str], touch: Touch) -> BackendResult<Vec<Option<Stored>>> {
        let touch = touch.checked()?;
        self.commands.limits.check_keys(keys)?;
        let mut all = Vec::with_capacity(keys.len());
        for batch in keys.chunks(BATCH) {
            let values = self.commands.read_batch(batch, touch).await;
            let has_touched = touch != Touch::Keep && !all.is_empty();
            all.extend(values.map_err(|error| error.after(has_touched))?);
        }
        Ok(all)
    }

    async fn read_life(&self, key: &str) -> BackendResult<Option<Expiry>> {
        self.commands.read_expiry(key, ReadFrom::Primary).await
    }

    async fn take_value(&self, key: &str) -> BackendResult<Option<Stored>> {
        self.commands.take(key).await
    }

    async fn move_entry(
        &self,
        from: &str,
        expected: &[u8],
        to: NewEntry<'_>,
        over: Option<&[u8]>,
    ) -> BackendResult<bool> {
        let life = to.life.checked()?;
        self.commands.limits.check_value(to.value)?;
        let keys = [from, to.key];
        let invocation = self.commands.script_of_many(&scripts::MOVE, &keys)?;
        if from == to.key {
            return Ok(false);
        }
        let invocation = invocation.arg(expected).arg(to.value);
        let mut invocation = invocation.arg(argument(life));
        if let Some(over) = over {
            invocation = invocation.arg(over);
        }
        match self.commands.run_on_many(invocation, reply::held).await? {
            Some(has_moved) => Ok(has_moved),
            None => move_in_steps(self, from, expected, to, over).await,
        }
    }

    async fn throttle(&self, key: &str, attempt: Attempt<'_>) -> BackendResult<Decision> {
        attempt.check()?;
        let invocation = self.commands.script(&scripts::THROTTLE, key)?;
        let invocation = invocation
            .number(attempt.cost)
            .number(u8::from(attempt.peek));
        let invocation = attempt.quotas.iter().fold(invocation, |invocation, quota| {
            let mut head = Vec::new();
            write_head(quota, &mut head);
            let (time, units) = quota.interval();
            let invocation = invocation.arg(head).number(quota.capacity());
            invocation.number(time).number(units)
        });
        let read = |reply| reply::decision(reply, attempt.quotas);
        self.commands.run(invocation, read).await
    }

    async fn put_many(&self, entries: &[NewEntry<'_>]) -> BackendResult<()> {
        self.commands.limits.check_entries(entries)?;
        let mut failures = Failures::default();
        let is_cluster = match self.commands.client.is_cluster().await {
            Ok(is_cluster) => is_cluster,
            Err(error) => {
                failures.add(0..entries.len(), error);
                return failures.into_result();
            }
        };
        let mut start = 0;
        while start < entries.len() {
            let batch = &entries[start..start + batch_length(&entries[start..])];
            let sets = batch.iter().map(|entry| {
                let command = self.commands.command("SET", entry.key)?;
                Ok(set(command, entry.value, entry.life.checked()?))
            });
            let sets = sets.collect::<BackendResult<Vec<_>>>()?;
            if is_cluster {
                let failed = self.put_apart(start, batch, sets, &mut failures).await;
                start += batch.len();
                if let Some(error) = failed {
                    // The entries that follow would most likely fail the same way, after as long a
                    // wait.
                    failures.add(start..entries.len(), error);
                    break;
                }
                continue;
            }
            match self.commands.tell_each(sets).await {
                Ok(outcomes) => {
                    for (index, outcome) in (start..).zip(outcomes) {
                        if let Err(error) = was_set(outcome) {
                            failures.add([index], error);
                        }
                    }
                }
                Err(error) => {
                    // The entries that follow would most likely fail the same way, after as long a
                    // wait.
                    failures.add(start..entries.len(), error);
                    break;
                }
            }
            start += batch.len();
        }
        failures.into_result()
    }

    async fn remove_many(&self, keys: &[&str]) -> BackendResult<u64> {
        self.commands.limits.check_keys(keys)?;
        let name = |name: &str, keys: &[&str]| self.commands.command_of_many(name, keys);
        self.commands.unlink_all(keys, name).await
    }

    async fn remove_prefix(&self, prefix: &str) -> BackendResult<u64> {
        self.commands.clear(prefix).await
    }

    async fn probe(&self) -> BackendResult<()> {
        let ping = Command::new("PING");
        self.commands
            .ask(ping, ReadFrom::Primary, reply::pong)
            .await
    }

    async fn shut_down(&self) {
        self.commands.close().await;
    }

    fn info(&self) -> StoreInfo {
        let Commands {
            limits, instance, ..
        } = *self.commands;
        StoreInfo::of(self)
            .with_limits(limits)
            .with_instance(instance)
    }

    fn part_of(&self, key: &str) -> u64 {
        self.commands.part_of(key)
    }

    fn replica_reads(&self) -> Option<&dyn ReplicaReads> {
        match self.reads {
            ReadFrom::Primary => None,
            ReadFrom::Replica => Some(&*self.commands),
        }
    }
}

impl RedisBackend {
    /// Writes entries of a cluster; the first entry has the number `start`. Between nodes there is
    /// no order, so of entries with equal keys only the last is written, and the others share its
    /// outcome. Returns the error of a node that can't be reached or doesn't answer.
    async fn put_apart(
        &self,
        start: usize,
        entries: &[NewEntry<'_>],
        sets: Vec<Command>,
        failures: &mut Failures,
    ) -> Option<BackendError> {
        let numbered = entries.iter().enumerate();
        let last: HashMap<&str, usize> = numbered
            .map(|(number, entry)| (entry.key, number))
            .collect();
        let is_last = |number: usize| last.get(entries[number].key) == Some(&number);
        let (numbers, sets): (Vec<_>, Vec<_>) = sets
            .into_iter()
            .enumerate()
            .filter(|(number, _)| is_last(*number))
            .unzip();
        let outcomes = self.commands.tell_apart(sets).await;
        let mut failed = HashMap::new();
        for (number, outcome) in numbers.into_iter().zip(outcomes) {
            if let Err(error) = was_set(outcome) {
                failed.insert(entries[number].key, error);
            }
        }
        for (number, entry) in (start..).zip(entries) {
            if let Some(error) = failed.get(entry.key) {
                failures.add([number], error.clone());
            }
        }
        // The returned error is for the entries that follow, which were not tried.
        let mut failed = failed.into_values();
        let failed = failed.find(BackendError::is_transient)?;
        Some(BackendError::new(
            failed.kind(),
            failed.message().to_string(),
        ))
    }
}

fn was_set(outcome: BackendResult<Reply>) -> BackendResult<bool> {
    reply::done(outcome?).map_err(Unread::of_write)
}
