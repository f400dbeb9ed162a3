//! Scripts: sent by their hash, and in full to a server that doesn't know the hash.

use redis::Script as Hashed;

use super::resp::{self, Argument, Command};

/// A script and the hash by which a server knows it.
pub(crate) struct Script {
    code: &'static str,
    hash: String,
}

impl Script {
    pub(crate) fn new(code: &'static str) -> Self {
        let hash = Hashed::new(code).get_hash().to_string();
        Self { code, hash }
    }
}

/// An invocation of a script: by its hash, or in full where the server doesn't know that.
pub(crate) struct Invocation {
    script: &'static Script,
    keys: usize,
    by_hash: Command,
    is_in_full: bool,
}

impl Invocation {
    /// Begins an invocation; the keys and the arguments follow, in this order.
    pub(crate) fn new(script: &'static Script, keys: usize) -> Self {
        let by_hash = Command::new("EVALSHA").arg(&script.hash).number(keys);
        Self {
            script,
            keys,
            by_hash,
            is_in_full: false,
        }
    }

    /// Adds a key, which begins with `prefix`.
    pub(crate) fn key(mut self, prefix: &[u8], key: &[u8]) -> Self {
        self.by_hash = self.by_hash.joined(prefix, key);
        self
    }

    pub(crate) fn arg(mut self, argument: impl AsRef<[u8]>) -> Self {
        self.by_hash = self.by_hash.arg(argument);
        self
    }

    pub(crate) fn number(mut self, number: impl itoa::Integer) -> Self {
        self.by_hash = self.by_hash.number(number);
        self
    }

    pub(super) fn names_many_keys(&self) -> bool {
        self.keys > 1
    }

    pub(super) fn is_in_full(&self) -> bool {
        self.is_in_full
    }

    /// Lets it go out in full, which loads the script into the server's cache.
    pub(super) fn send_in_full(&mut self) {
        self.is_in_full = true;
    }

    pub(super) fn write_to(&self, out: &mut Vec<u8>) {
        if self.is_in_full {
            let eval = Command::new("EVAL").arg(self.script.code);
            eval.tail_of(&self.by_hash, 2).write_to(out);
        } else {
            self.by_hash.write_to(out);
        }
    }

    pub(super) fn length(&self) -> usize {
        self.by_hash.length()
    }
}

/// An invocation with one key and two numbers, of which several can be sent as one.
///
/// Its script takes any number of keys, and two numbers for each. It answers two elements for each
/// key.
pub(crate) struct KeyedInvocation {
    script: &'static Script,
    key: Argument,
    numbers: [i64; 2],
    is_in_full: bool,
}

impl KeyedInvocation {
    pub(crate) fn new(script: &'static Script, key: Argument, numbers: [i64; 2]) -> Self {
        Self {
            script,
            key,
            numbers,
            is_in_full: false,
        }
    }

    pub(super) fn script(&self) -> &'static Script {
        self.script
    }

    pub(super) fn write_key(&self, out: &mut Vec<u8>) {
        self.key.write_to(out);
    }

    pub(super) fn write_numbers(&self, out: &mut Vec<u8>) {
        for number in self.numbers {
            resp::write_number(out, number);
        }
    }

    /// Writes what stands before the keys of so many invocations of `script`.
    pub(super) fn begin_merged(script: &Script, out: &mut Vec<u8>, keys: usize) {
        resp::begin(out, 3 + 3 * keys);
        Argument::new("EVALSHA").write_to(out);
        Argument::new(&script.hash).write_to(out);
        resp::write_number(out, keys);
    }

    pub(super) fn is_in_full(&self) -> bool {
        self.is_in_full
    }

    /// Lets it go out in full and by itself, which loads the script into the server's cache.
    pub(super) fn send_in_full(&mut self) {
        self.is_in_full = true;
    }

    /// Writes it by itself.
    pub(super) fn write_to(&self, out: &mut Vec<u8>) {
        if self.is_in_full {
            let eval = Command::new("EVAL").arg(self.script.code).number(1);
            let [first, second] = self.numbers;
            let eval = eval.encoded(&self.key).number(first).number(second);
            eval.write_to(out);
        } else {
            Self::begin_merged(self.script, out, 1);
            self.write_key(out);
            self.write_numbers(out);
        }
    }

    pub(super) fn length(&self) -> usize {
        self.key.length()
    }
}
