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

/// An invocation of a script by its hash, which can be turned into one in full.
pub(crate) struct Invocation {
    script: &'static Script,
    by_hash: Command,
}

impl Invocation {
    /// Begins an invocation; the keys and the arguments follow, in this order.
    pub(crate) fn new(script: &'static Script, keys: usize) -> Self {
        let by_hash = Command::new("EVALSHA").arg(&script.hash).number(keys);
        Self { script, by_hash }
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

    pub(super) fn by_hash(&self) -> &Command {
        &self.by_hash
    }

    /// Loads the script into the server's cache on the way.
    pub(super) fn in_full(&self) -> Command {
        Command::new("EVAL")
            .arg(self.script.code)
            .tail_of(&self.by_hash, 2)
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
}

impl KeyedInvocation {
    pub(crate) fn new(script: &'static Script, key: Argument, numbers: [i64; 2]) -> Self {
        Self {
            script,
            key,
            numbers,
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

    /// Loads the script into the server's cache on the way.
    pub(super) fn in_full(&self) -> Command {
        let eval = Command::new("EVAL").arg(self.script.code).number(1);
        let [first, second] = self.numbers;
        eval.encoded(&self.key).number(first).number(second)
    }

    pub(super) fn length(&self) -> usize {
        self.key.length()
    }
}
