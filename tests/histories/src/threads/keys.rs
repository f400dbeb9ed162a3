//! The keys that the threads meet on, and the values under them.

use std::sync::atomic::{AtomicU64, Ordering};

use reinhardt_backends::{Keyspace, Stored};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use super::Settings;
use super::caller::meddle;

/// The keys of a generation.
pub(super) const KEYS: u32 = 8;
/// Of these the last ones are counters.
const REGISTERS: u32 = 6;
/// The time of a generation of brief keys, in nanoseconds.
const BRIEF: u64 = 1_500_000;
/// The calls on all brief keys of a generation together: no key has so many that its order can't
/// be found.
const CALLS: u64 = 200;
/// The use of lasting keys where most calls are on others.
const FEW: Lasting = Lasting {
    time: 50_000_000,
    at_once: 3,
    pause: 30_000,
};
/// The use of lasting keys in a schedule that is about ends.
const MANY: Lasting = Lasting {
    time: 50_000_000,
    at_once: 6,
    pause: 7_000,
};
/// The time of a generation of computed values.
const COMPUTED: u64 = 3_000_000;
/// The first key of each kind but the brief ones.
const FIRST_LASTING: u32 = 1 << 28;
const FIRST_PAGE: u32 = 2 << 28;
const FIRST_LEASED: u32 = 3 << 28;
/// Computed values of a generation, of either kind.
const PAGES: u32 = 2;

/// Registers and counters.
#[derive(Debug, Clone, Copy, Keyspace)]
#[keyspace(prefix = "threads", ttl = never, value = Register, shared)]
pub(super) struct Slot {
    generation: u32,
    index: u32,
}

/// Values that are computed.
#[derive(Debug, Clone, Copy, Keyspace)]
#[keyspace(prefix = "threads.page", ttl = never, value = Register)]
pub(super) struct Page {
    generation: u32,
    index: u32,
}

/// Values that are computed under a lease.
#[derive(Debug, Clone, Copy, Keyspace)]
#[keyspace(prefix = "threads.leased", ttl = never, value = Register, lease = "10s")]
pub(super) struct Leased {
    generation: u32,
    index: u32,
}

impl Slot {
    pub(super) fn of(key: u32) -> Self {
        Self {
            generation: key / KEYS,
            index: key % KEYS,
        }
    }

    /// Returns the beginning of the text of all keys of a generation.
    pub(super) fn prefix(generation: u32) -> String {
        format!("threads:{generation}:")
    }
}

impl Page {
    pub(super) fn of(key: u32) -> Self {
        Self {
            generation: key / KEYS,
            index: key % KEYS,
        }
    }
}

impl Leased {
    pub(super) fn of(key: u32) -> Self {
        Self {
            generation: key / KEYS,
            index: key % KEYS,
        }
    }
}

/// Returns the text of a key.
pub(super) fn name(key: u32) -> String {
    let name = match key {
        FIRST_LEASED.. => Leased::of(key).key(),
        FIRST_PAGE.. => Page::of(key).key(),
        _ => Slot::of(key).key(),
    };
    name.to_string()
}

/// Returns the key of a text; `None` for noise, and for leases.
pub(super) fn key_of(name: &str) -> Option<u32> {
    let slot = Slot::parse_key(name);
    let page = || Page::parse_key(name);
    let leased = || Leased::parse_key(name);
    let (generation, index) = slot.or_else(page).or_else(leased)?;
    Some(generation * KEYS + index)
}

pub(super) fn is_counter(key: u32) -> bool {
    key < FIRST_PAGE && key % KEYS >= REGISTERS
}

/// Says whether a key is one of registers and counters.
pub(super) fn is_slot(key: u32) -> bool {
    key < FIRST_PAGE
}

pub(super) fn is_lasting(key: u32) -> bool {
    (FIRST_LASTING..FIRST_PAGE).contains(&key)
}

pub(super) fn is_leased(key: u32) -> bool {
    key >= FIRST_LEASED
}

/// The keys in use, and who may call them.
#[derive(Debug)]
pub(super) struct Keys {
    /// The generation of brief keys, and the number of calls on them.
    brief: AtomicU64,
    /// The time at which the next call on a lasting key may be made.
    lasting: AtomicU64,
    lasts: Lasting,
    clears: bool,
}

/// The use of lasting keys.
#[derive(Debug, Clone, Copy)]
struct Lasting {
    /// The time of a generation, in nanoseconds: longer than entries live.
    time: u64,
    /// The number of generations that are in use at one time.
    at_once: u64,
    /// The pause between two calls, at most.
    pause: u64,
}

/// The calls of a generation are counted in so many bits.
const COUNT: u32 = 16;

impl Keys {
    pub(super) fn new(settings: Settings) -> Self {
        Self {
            brief: AtomicU64::new(0),
            lasting: AtomicU64::new(0),
            lasts: match settings.is_about_ends {
                true => MANY,
                false => FEW,
            },
            clears: !settings.evicts(),
        }
    }

    /// Returns the generation of brief keys, if a call may be made on one of them.
    pub(super) fn brief(&self, now: u64) -> Option<u32> {
        let generation = now / BRIEF;
        let counted = self
            .brief
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |last| {
                let (counted, calls) = (last >> COUNT, last & ((1 << COUNT) - 1));
                match counted < generation {
                    true => Some(generation << COUNT | 1),
                    false => (calls < CALLS).then_some(last + 1),
                }
            });
        counted.ok().map(|_| generation as u32)
    }

    /// Returns a generation of lasting keys, if a call may be made on one of them.
    pub(super) fn lasting(&self, now: u64, chance: u64) -> Option<u32> {
        let Lasting {
            time,
            at_once,
            pause,
        } = self.lasts;
        let next = now + chance % pause;
        let taken = self
            .lasting
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |at| {
                (at <= now).then_some(next)
            });
        taken.ok()?;
        let generation = now / time * at_once + chance % at_once;
        Some(FIRST_LASTING / KEYS + generation as u32)
    }

    /// Returns the key of a value that is computed.
    pub(super) fn computed(&self, now: u64, chance: u64) -> u32 {
        let first = match chance.is_multiple_of(2) {
            true => FIRST_PAGE,
            false => FIRST_LEASED,
        };
        first + (now / COMPUTED) as u32 * KEYS + (chance / 2) as u32 % PAGES
    }

    /// Returns a generation of brief keys that nobody needs any more and that are to make room.
    pub(super) fn left_behind(&self, generation: u32) -> Option<u32> {
        generation.checked_sub(2).filter(|_| self.clears)
    }
}

/// The value of a register: which key it was written under, and a number that no other value has.
/// Its code calls the store.
#[derive(Debug)]
pub(super) struct Register {
    pub(super) key: u32,
    pub(super) value: i64,
}

impl Register {
    fn parse(text: &str) -> Option<(u32, i64)> {
        let (key, value) = text.split_once(':')?;
        Some((key.parse().ok()?, value.parse().ok()?))
    }

    /// Returns the bytes of a register: those of a text in CBOR.
    pub(super) fn bytes(key: u32, value: i64) -> Vec<u8> {
        const TEXT: u8 = 0x60;
        let text = format!("{key}:{value}");
        let length = u8::try_from(text.len()).expect("a short text");
        let head = match length {
            ..24 => vec![TEXT + length],
            _ => vec![TEXT + 24, length],
        };
        [&head, text.as_bytes()].concat()
    }

    /// Reads the bytes of a register or a counter under `key`; `None` if they are none, or of
    /// another key.
    pub(super) fn read(key: u32, stored: &Stored) -> Option<i64> {
        let bytes = stored.as_bytes();
        if is_counter(key) {
            return str::from_utf8(bytes).ok()?.parse().ok();
        }
        let text = bytes.iter().position(|byte| byte.is_ascii_digit())?;
        let (own, value) = Self::parse(str::from_utf8(&bytes[text..]).ok()?)?;
        (own == key && Self::bytes(key, value) == bytes).then_some(value)
    }
}

impl Serialize for Register {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        meddle(Some(self.key));
        serializer.collect_str(&format_args!("{}:{}", self.key, self.value))
    }
}

impl<'de> Deserialize<'de> for Register {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let parsed = Self::parse(&text);
        let (key, value) = parsed.ok_or_else(|| de::Error::custom("not a register"))?;
        meddle(Some(key));
        Ok(Self { key, value })
    }
}

impl Clone for Register {
    fn clone(&self) -> Self {
        meddle(Some(self.key));
        Self {
            key: self.key,
            value: self.value,
        }
    }
}

impl Drop for Register {
    fn drop(&mut self) {
        meddle(Some(self.key));
    }
}

#[cfg(test)]
mod tests {
    use reinhardt_backends::{Backend, MemoryBackend};

    use super::super::wait;
    use super::*;

    #[test]
    fn the_bytes_of_a_register_are_those_that_the_codec_writes() {
        let backend = MemoryBackend::new();
        for (key, value) in [(7, 1), (u32::MAX, i64::MAX)] {
            wait(backend.set("key", &Register { key, value }, None)).unwrap();
            let stored = wait(backend.get_stored("key")).unwrap().unwrap();
            assert_eq!(stored.as_bytes(), Register::bytes(key, value));
        }
    }
}
