//! Scripts: sent by their hash, and once in full to a server that doesn't know the hash.

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

/// The scripts that the server of a connection turned out not to know.
///
/// The next invocation of each goes out in full, which loads it: the server executes the commands
/// of a connection in their order, so it knows the script for all that follow.
#[derive(Default)]
pub(super) struct UnknownScripts(Vec<(&'static Script, Sent)>);

/// The number of the command that was sent in full, if one was.
type Sent = Option<u64>;

impl UnknownScripts {
    /// Notes that command number `refused` met a server that didn't know its script. Says whether
    /// the command is to be sent again: not if it carried the whole script.
    pub(super) fn note(&mut self, script: &'static Script, refused: u64) -> bool {
        match self.sent(script) {
            // A later command with the whole script is on its way.
            Some(Some(sent)) if *sent > refused => true,
            Some(Some(sent)) if *sent == refused => false,
            Some(sent) => {
                *sent = None;
                true
            }
            None => {
                self.0.push((script, None));
                true
            }
        }
    }

    /// Says whether command number `next` has to carry the whole script.
    pub(super) fn needs_text(&mut self, script: &'static Script, next: u64) -> bool {
        match self.sent(script) {
            Some(sent @ None) => {
                *sent = Some(next);
                true
            }
            Some(Some(_)) | None => false,
        }
    }

    /// Makes the next command carry the whole script.
    pub(super) fn forget(&mut self, script: &'static Script) {
        match self.sent(script) {
            Some(sent) => *sent = None,
            None => self.0.push((script, None)),
        }
    }

    /// Says whether command number `number` carried the whole script.
    pub(super) fn had_text(&self, script: &'static Script, number: u64) -> bool {
        let mut scripts = self.0.iter();
        scripts.any(|(known, sent)| std::ptr::eq(*known, script) && *sent == Some(number))
    }

    fn sent(&mut self, script: &'static Script) -> Option<&mut Sent> {
        let mut scripts = self.0.iter_mut();
        scripts.find_map(|(known, sent)| std::ptr::eq(*known, script).then_some(sent))
    }
}

/// An invocation of a script.
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
        self.by_hash = self.by_hash.key(prefix, key);
        self
    }

    pub(super) fn keys(&self) -> impl Iterator<Item = &[u8]> {
        self.by_hash.keys()
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
        self.by_hash.names_many_keys()
    }

    pub(super) fn script(&self) -> &'static Script {
        self.script
    }

    pub(super) fn write_to(&self, out: &mut Vec<u8>, in_full: bool) {
        if in_full {
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

    pub(super) fn key(&self) -> &[u8] {
        self.key.bytes()
    }

    pub(super) fn write_key(&self, out: &mut Vec<u8>) {
        self.key.write_to(out);
    }

    pub(super) fn write_numbers(&self, out: &mut Vec<u8>) {
        for number in self.numbers {
            resp::write_number(out, number);
        }
    }

    /// Writes the part before the keys of a merged invocation of `script` with so many keys.
    pub(super) fn begin_merged(script: &Script, in_full: bool, out: &mut Vec<u8>, keys: usize) {
        resp::begin(out, 3 + 3 * keys);
        let (name, known_by) = match in_full {
            true => ("EVAL", script.code),
            false => ("EVALSHA", script.hash.as_str()),
        };
        Argument::new(name).write_to(out);
        Argument::new(known_by).write_to(out);
        resp::write_number(out, keys);
    }

    /// Writes the invocation by itself.
    pub(super) fn write_to(&self, out: &mut Vec<u8>, in_full: bool) {
        Self::begin_merged(self.script, in_full, out, 1);
        self.write_key(out);
        self.write_numbers(out);
    }

    pub(super) fn length(&self) -> usize {
        self.key.length()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::LazyLock;

    use super::*;

    static ONE: LazyLock<Script> = LazyLock::new(|| Script::new("return 1"));
    static OTHER: LazyLock<Script> = LazyLock::new(|| Script::new("return 2"));

    #[test]
    fn a_script_that_is_unknown_goes_out_in_full_once() {
        let mut unknown = UnknownScripts::default();
        assert!(!unknown.needs_text(&ONE, 0));
        // Three were on their way when the first one was refused.
        assert!(unknown.note(&ONE, 0));
        assert!(!unknown.needs_text(&OTHER, 3));
        assert!(unknown.needs_text(&ONE, 3));
        assert!(unknown.note(&ONE, 1) && unknown.note(&ONE, 2));
        assert!(!unknown.needs_text(&ONE, 4));
        // The server forgot it again.
        assert!(unknown.note(&ONE, 4));
        assert!(unknown.needs_text(&ONE, 5));
        assert!(!unknown.note(&ONE, 5), "one in full that is refused");
    }
}
