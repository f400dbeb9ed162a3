//! A full store refuses no change that doesn't let an entry grow, and evicts no other entry for it.

use std::collections::BTreeMap;
use std::time::Duration;

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{Index, select};
use reinhardt_backends::store::{NewEntry, Store, Touch};
use reinhardt_backends::throttle::{Attempt, Quota};
use reinhardt_backends::{Backend, Condition, ErrorKind, Eviction, Life, MemoryBackend, Write};

use crate::now;

const HOUR: Duration = Duration::from_secs(3600);
/// The weight of an entry besides its key and its value.
const OVERHEAD: usize = 72;
/// All keys are as long as this one.
const KEY: usize = "key:000000".len();
const USED_UP: Quota = Quota::fixed_window(1, HOUR);
/// Quotas that are never used up, one for each algorithm.
const OPEN: [Quota; 3] = [
    Quota::gcra(999_983, HOUR),
    Quota::fixed_window(1_000_000, HOUR),
    Quota::sliding_window(1_000_000, HOUR),
];

/// A step that is done to an entry, which is chosen from among all entries.
#[derive(Debug, Clone, Copy)]
enum Step {
    SetAnother,
    SetShorter,
    SetIfAbsent,
    SetIfPresent,
    SetIfPresentWhereNothingIs,
    CompareAndSet,
    CompareWithAnother,
    SetManyOfOneKey,
    Increment,
    Expire(Life),
    Renew,
    Move,
    MoveShorter,
    MoveOver,
    MoveAnother,
    /// Of so many.
    AllowedAttempt(u32),
    RefusedAttempt,
    Peek,
    Delete,
    Take,
}

const STEPS: [Step; 24] = [
    Step::SetAnother,
    Step::SetShorter,
    Step::SetIfAbsent,
    Step::SetIfPresent,
    Step::SetIfPresentWhereNothingIs,
    Step::CompareAndSet,
    Step::CompareWithAnother,
    Step::SetManyOfOneKey,
    Step::Increment,
    Step::Expire(Life::Never),
    Step::Expire(Life::In(HOUR)),
    Step::Renew,
    Step::Move,
    Step::Move,
    Step::MoveShorter,
    Step::MoveOver,
    Step::MoveAnother,
    Step::AllowedAttempt(1),
    Step::AllowedAttempt(9),
    Step::AllowedAttempt(1_000),
    Step::RefusedAttempt,
    Step::Peek,
    Step::Delete,
    Step::Take,
];

/// A store that is full, and the entries in it.
struct Full {
    backend: MemoryBackend,
    /// The bytes under each key; of counters their text.
    entries: BTreeMap<String, Vec<u8>>,
    most_entries: usize,
    most_bytes: usize,
    last_key: usize,
    last_value: usize,
}

fn weight(value: &[u8]) -> usize {
    let is_counter = std::str::from_utf8(value).is_ok_and(|text| text.parse::<i64>().is_ok());
    OVERHEAD + KEY + if is_counter { 0 } else { value.len() }
}

fn always() -> Write<'static> {
    Write::new(Life::Never)
}

impl Full {
    fn new(most: usize, by_bytes: bool, eviction: Eviction) -> Self {
        let length = if by_bytes { 4_096 } else { 24 };
        // Filled twice: how much it holds then shows where the bound has to be.
        let open = Self::filled(MemoryBackend::new(), most, length);
        let builder = MemoryBackend::builder().eviction(eviction);
        let bytes = open.backend.stats().bytes;
        let builder = match by_bytes {
            true => builder.max_bytes(bytes),
            false => builder.max_entries(most),
        };
        let mut full = Self::filled(builder.build(), most, length);
        match by_bytes {
            true => full.most_bytes = bytes,
            false => full.most_entries = most,
        }
        full.check();
        full
    }

    /// A tenth of the entries are counters, a tenth are throttles that are used up, and a tenth are
    /// throttles that aren't.
    fn filled(backend: MemoryBackend, most: usize, length: usize) -> Self {
        let mut full = Self {
            backend,
            entries: BTreeMap::new(),
            most_entries: usize::MAX,
            most_bytes: usize::MAX,
            last_key: 0,
            last_value: 0,
        };
        for index in 0..most {
            let key = full.fresh_key();
            match index % 10 {
                0 => {
                    let counted = full.backend.increment_by(&key, 5, Some(HOUR));
                    assert_eq!(now(counted).unwrap().value, 5);
                }
                1 => assert!(now(full.backend.throttle(&key, Attempt::new(&[USED_UP]))).is_ok()),
                2 => assert!(now(full.backend.throttle(&key, Attempt::new(&OPEN))).is_ok()),
                _ => {
                    let value = full.fresh_value(length);
                    assert!(now(full.backend.write(&key, &value, always())).unwrap());
                }
            }
            full.note(key);
        }
        full
    }

    fn fresh_key(&mut self) -> String {
        self.last_key += 1;
        format!("key:{:06}", self.last_key)
    }

    /// Bytes that no other value has.
    fn fresh_value(&mut self, length: usize) -> Vec<u8> {
        self.last_value += 1;
        let mut value = format!("v{:07}", self.last_value).into_bytes();
        value.resize(length.max(8), b'.');
        value
    }

    /// Writes down the value under a key.
    fn note(&mut self, key: String) {
        let stored = now(self.backend.get_stored(&key)).unwrap();
        let bytes = stored.unwrap().as_bytes().to_vec();
        self.entries.insert(key, bytes);
    }

    fn put(&mut self, key: &str, value: &[u8]) {
        self.entries.insert(key.to_string(), value.to_vec());
    }

    fn step(&mut self, step: Step, index: &Index, other: &Index) {
        let keys: Vec<&String> = self.entries.keys().collect();
        let (key, other) = (index.get(&keys).to_string(), other.get(&keys).to_string());
        let old = self.entries[&key].clone();
        let same = weight(&old) - OVERHEAD - KEY;
        // Values that are long enough to be unlike all others are replaced. Shorter values, as of
        // counters and throttles, are left alone.
        let replaceable = same >= 8;
        let value = self.fresh_value(same);
        let backend = self.backend.clone();
        match step {
            Step::SetAnother if replaceable => {
                assert!(now(backend.write(&key, &value, always())).unwrap());
                self.put(&key, &value);
            }
            Step::SetShorter if replaceable => {
                let shorter = &value[..8];
                assert!(now(backend.write(&key, shorter, always())).unwrap());
                self.put(&key, shorter);
            }
            Step::SetIfAbsent => {
                let absent = always().when(Condition::Absent);
                assert!(!now(backend.write(&key, &[b'x'; 9_000], absent)).unwrap());
            }
            Step::SetIfPresent if replaceable => {
                let present = Write::new(Life::Keep).when(Condition::Present);
                assert!(now(backend.write(&key, &value, present)).unwrap());
                self.put(&key, &value);
            }
            Step::SetIfPresentWhereNothingIs => {
                let (fresh, present) = (self.fresh_key(), always().when(Condition::Present));
                assert!(!now(backend.write(&fresh, b"value", present)).unwrap());
            }
            Step::CompareAndSet if replaceable => {
                let equal = Write::new(Life::Keep).when(Condition::Equals(&old));
                assert!(now(backend.write(&key, &value, equal)).unwrap());
                self.put(&key, &value);
            }
            Step::CompareWithAnother => {
                let equal = always().when(Condition::Equals(b"other"));
                assert!(!now(backend.write(&key, &[b'x'; 9_000], equal)).unwrap());
            }
            Step::SetManyOfOneKey if replaceable => {
                let large = vec![b'x'; 9_000];
                let entry = |value| NewEntry {
                    key: &key,
                    value,
                    life: Life::Never,
                };
                now(backend.put_many(&[entry(&large), entry(&value)])).unwrap();
                self.put(&key, &value);
            }
            Step::Increment => {
                let counted = now(backend.increment_by(&key, 12_345, Some(HOUR)));
                match counted {
                    Ok(counted) => self.put(&key, counted.value.to_string().as_bytes()),
                    Err(error) => assert_eq!(error.kind(), ErrorKind::WrongType),
                }
            }
            Step::Expire(life) => assert!(now(backend.expire(&key, life)).unwrap()),
            Step::Renew => {
                let renewed = now(backend.read_value(&key, Touch::Extend(2 * HOUR))).unwrap();
                assert_eq!(renewed.unwrap().as_bytes(), old);
            }
            Step::Move => {
                let to = self.fresh_key();
                self.moves(&key, &old, &to, &old, None);
            }
            Step::MoveShorter if replaceable => {
                let to = self.fresh_key();
                self.moves(&key, &old, &to, &value[..8], None);
            }
            Step::MoveOver if key != other => {
                let over = self.entries[&other].clone();
                // All that both give back.
                let length = weight(&old) + weight(&over) - OVERHEAD - KEY;
                let value = self.fresh_value(length);
                self.moves(&key, &old, &other, &value, Some(&over));
            }
            Step::MoveAnother => {
                let fresh = self.fresh_key();
                let to = NewEntry {
                    key: &fresh,
                    value: &[b'x'; 9_000],
                    life: Life::Never,
                };
                assert!(!now(backend.move_entry(&key, b"other", to, None)).unwrap());
            }
            Step::AllowedAttempt(cost) => {
                for key in self.open_throttles() {
                    let attempt = Attempt::new(&OPEN).with_cost(cost);
                    assert!(now(backend.throttle(&key, attempt)).unwrap().allowed);
                    self.note(key);
                }
            }
            Step::RefusedAttempt | Step::Peek => {
                let quotas = [USED_UP];
                let mut attempt = Attempt::new(&quotas);
                if matches!(step, Step::Peek) {
                    attempt = attempt.peeking();
                }
                match now(backend.throttle(&key, attempt)) {
                    Ok(decision) => assert!(!decision.allowed),
                    Err(error) => assert_eq!(error.kind(), ErrorKind::WrongType),
                }
            }
            Step::Delete => {
                assert!(now(backend.delete(&key)).unwrap());
                self.entries.remove(&key);
            }
            Step::Take => {
                let taken = now(backend.take_value(&key)).unwrap();
                assert_eq!(taken.unwrap().as_bytes(), old);
                self.entries.remove(&key);
            }
            _ => {}
        }
        self.check();
        self.fill_up();
    }

    fn moves(&mut self, from: &str, old: &[u8], to: &str, value: &[u8], over: Option<&[u8]>) {
        let entry = NewEntry {
            key: to,
            value,
            life: Life::Never,
        };
        let moved = self.backend.move_entry(from, old, entry, over);
        assert!(now(moved).unwrap());
        self.entries.remove(from);
        self.put(to, value);
    }

    /// Returns the keys of some throttles that are not used up.
    fn open_throttles(&self) -> Vec<String> {
        let head = format!(" g{}:", HOUR.as_millis());
        let is_open = |value: &[u8]| {
            value
                .windows(head.len())
                .any(|part| part == head.as_bytes())
        };
        let open = self.entries.iter().filter(|(_, value)| is_open(value));
        open.map(|(key, _)| key.clone()).take(10).collect()
    }

    fn bytes(&self) -> usize {
        self.entries.values().map(|value| weight(value)).sum()
    }

    /// Checks that no entry was evicted, and that the store has as many entries and bytes as were
    /// written down.
    fn check(&self) {
        let stats = self.backend.stats();
        assert_eq!(stats.evicted, 0);
        assert_eq!(stats.entries, self.entries.len());
        assert_eq!(stats.bytes, self.bytes());
    }

    /// Takes all the room that was given back, so that the next step finds none.
    fn fill_up(&mut self) {
        while self.entries.len() < self.most_entries {
            let room = self.most_bytes - self.bytes();
            if room < OVERHEAD + KEY + 8 {
                self.grow(room);
                break;
            }
            let length = room.min(OVERHEAD + KEY + 5_000) - OVERHEAD - KEY;
            let (key, value) = (self.fresh_key(), self.fresh_value(length));
            assert!(now(self.backend.write(&key, &value, always())).unwrap());
            self.put(&key, &value);
        }
        self.check();
    }

    /// Has one of the values take so many bytes more.
    fn grow(&mut self, bytes: usize) {
        let value = (self.entries.iter()).find(|(_, value)| value.starts_with(b"v"));
        let Some((key, value)) = value.filter(|_| bytes > 0) else {
            return;
        };
        let (key, longer) = (key.clone(), [&value[..], &vec![b'.'; bytes]].concat());
        assert!(now(self.backend.write(&key, &longer, always())).unwrap());
        self.put(&key, &longer);
    }

    /// Everything that was written down is there, and nothing else.
    fn check_all(&self) {
        for (key, value) in &self.entries {
            let stored = now(self.backend.get_stored(key)).unwrap();
            assert_eq!(stored.unwrap().as_bytes(), value);
        }
        assert_eq!(self.backend.len(), self.entries.len());
    }
}

fn nothing_that_does_not_grow_needs_room(most: usize, steps: &[(Step, Index, Index)]) {
    for eviction in [Eviction::Off, Eviction::S3Fifo] {
        for by_bytes in [false, true] {
            let mut full = Full::new(most, by_bytes, eviction);
            for (step, index, other) in steps {
                full.step(*step, index, other);
            }
            full.check_all();
        }
    }
}

fn steps(most: usize) -> impl Strategy<Value = Vec<(Step, Index, Index)>> {
    vec(
        (select(&STEPS[..]), any::<Index>(), any::<Index>()),
        1..most,
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn nothing_that_does_not_grow_needs_room_in_a_small_store(steps in steps(80)) {
        nothing_that_does_not_grow_needs_room(10, &steps);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4))]

    /// Of several shards.
    #[test]
    fn nothing_that_does_not_grow_needs_room_in_a_large_store(steps in steps(200)) {
        nothing_that_does_not_grow_needs_room(3_000, &steps);
    }
}
