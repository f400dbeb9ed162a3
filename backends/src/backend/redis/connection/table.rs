//! Tables of commands by their names: those that a shared connection can't take, and the place of
//! the first key in the others.

/// The reason for which a command is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Refused {
    /// It waits on the connection.
    Waits,
    /// It changes what the connection is for those who come later.
    ChangesState,
    /// It begins, ends or guards a transaction.
    Transacts,
    /// It is answered by messages.
    Subscribes,
}

impl Refused {
    /// Says why, behind the name of the command.
    pub(super) fn reason(self) -> &'static str {
        match self {
            Self::Waits => {
                "waits on the connection, and others use it: ask from time to time, or make a \
                 client of the crate redis for it"
            }
            Self::ChangesState => {
                "changes the state of the connection, and others use it: the builder of the \
                 backend sets what holds for all"
            }
            Self::Transacts => {
                "is a part of a transaction, and others use the connection: \
                 `redis::pipe().atomic()` is sent as a whole, and a script decides by what it reads"
            }
            Self::Subscribes => {
                "is answered by messages, and others use the connection: make a client of the \
                 crate redis for it"
            }
        }
    }
}

/// The commands that are refused: the name, and the subcommand or the option that makes it one of
/// these.
#[rustfmt::skip]
const REFUSED: &[(&str, Option<&str>, Refused)] = &[
    ("ASKING", None, Refused::ChangesState),
    ("AUTH", None, Refused::ChangesState),
    ("BLMOVE", None, Refused::Waits),
    ("BLMPOP", None, Refused::Waits),
    ("BLPOP", None, Refused::Waits),
    ("BRPOP", None, Refused::Waits),
    ("BRPOPLPUSH", None, Refused::Waits),
    ("BZMPOP", None, Refused::Waits),
    ("BZPOPMAX", None, Refused::Waits),
    ("BZPOPMIN", None, Refused::Waits),
    ("CLIENT", Some("CACHING"), Refused::ChangesState),
    ("CLIENT", Some("NO-EVICT"), Refused::ChangesState),
    ("CLIENT", Some("NO-TOUCH"), Refused::ChangesState),
    ("CLIENT", Some("REPLY"), Refused::ChangesState),
    ("CLIENT", Some("SETINFO"), Refused::ChangesState),
    ("CLIENT", Some("SETNAME"), Refused::ChangesState),
    ("CLIENT", Some("TRACKING"), Refused::ChangesState),
    ("DISCARD", None, Refused::Transacts),
    ("EXEC", None, Refused::Transacts),
    ("HELLO", None, Refused::ChangesState),
    ("MONITOR", None, Refused::Subscribes),
    ("MULTI", None, Refused::Transacts),
    ("PSUBSCRIBE", None, Refused::Subscribes),
    ("PSYNC", None, Refused::Subscribes),
    ("PUNSUBSCRIBE", None, Refused::Subscribes),
    ("QUIT", None, Refused::ChangesState),
    ("READONLY", None, Refused::ChangesState),
    ("READWRITE", None, Refused::ChangesState),
    ("REPLCONF", None, Refused::Subscribes),
    ("RESET", None, Refused::ChangesState),
    ("SCRIPT", Some("DEBUG"), Refused::ChangesState),
    ("SELECT", None, Refused::ChangesState),
    ("SSUBSCRIBE", None, Refused::Subscribes),
    ("SUBSCRIBE", None, Refused::Subscribes),
    ("SUNSUBSCRIBE", None, Refused::Subscribes),
    ("SYNC", None, Refused::Subscribes),
    ("UNSUBSCRIBE", None, Refused::Subscribes),
    ("UNWATCH", None, Refused::Transacts),
    ("WAIT", None, Refused::Waits),
    ("WAITAOF", None, Refused::Waits),
    ("WATCH", None, Refused::Transacts),
    ("XREAD", Some("BLOCK"), Refused::Waits),
    ("XREADGROUP", Some("BLOCK"), Refused::Waits),
];

/// The commands that name no key, with whatever arguments.
const WITHOUT_KEYS: &[&str] = &[
    "ACL",
    "BGREWRITEAOF",
    "BGSAVE",
    "CLIENT",
    "CLUSTER",
    "COMMAND",
    "CONFIG",
    "DBSIZE",
    "DEBUG",
    "ECHO",
    "FAILOVER",
    "FLUSHALL",
    "FLUSHDB",
    "FUNCTION",
    "INFO",
    "KEYS",
    "LASTSAVE",
    "LATENCY",
    "LOLWUT",
    "MODULE",
    "PING",
    "PUBLISH",
    "PUBSUB",
    "RANDOMKEY",
    "REPLICAOF",
    "ROLE",
    "SAVE",
    "SCAN",
    "SCRIPT",
    "SHUTDOWN",
    "SLAVEOF",
    "SLOWLOG",
    "SWAPDB",
    "TIME",
];

/// The arguments of a command, its name first.
pub(super) struct Words<'c>(Vec<&'c [u8]>);

impl<'c> Words<'c> {
    pub(super) fn of(words: impl Iterator<Item = &'c [u8]>) -> Self {
        Self(words.collect())
    }

    pub(super) fn are_none(&self) -> bool {
        self.0.is_empty()
    }

    /// Returns the name of the command.
    pub(super) fn name(&self) -> String {
        let name = self.0.first().copied().unwrap_or_default();
        String::from_utf8_lossy(name).to_ascii_uppercase()
    }

    /// Says whether a word is this one, which is in upper case.
    fn is(&self, position: usize, word: &str) -> bool {
        let found = self.0.get(position);
        found.is_some_and(|found| found.eq_ignore_ascii_case(word.as_bytes()))
    }

    /// Says whether the name of the command is one of these.
    fn is_one_of(&self, names: &[&str]) -> bool {
        names.iter().any(|name| self.is(0, name))
    }

    /// Returns the name of a command that is refused, and why.
    pub(super) fn refused(&self) -> Option<(String, Refused)> {
        let mut rows = REFUSED.iter();
        let (name, part, reason) = rows.find(|(name, part, _)| {
            self.is(0, name)
                && part.is_none_or(|part| match part {
                    "BLOCK" => self.blocks(),
                    part => self.is(1, part),
                })
        })?;
        let parts = [Some(*name), *part];
        let name: Vec<&str> = parts.into_iter().flatten().collect();
        Some((name.join(" "), *reason))
    }

    /// Says whether a command that reads streams has the option to wait for more.
    fn blocks(&self) -> bool {
        let mut at = 1;
        loop {
            at += match () {
                () if self.is(at, "BLOCK") => return true,
                () if self.is(at, "GROUP") => 3,
                () if self.is(at, "COUNT") || self.is(at, "CLAIM") => 2,
                () if self.is(at, "NOACK") => 1,
                () => return false,
            };
        }
    }

    /// Says whether it loads a script, which every node of a cluster has to know.
    pub(super) fn loads_script(&self) -> bool {
        self.is(0, "SCRIPT") && self.is(1, "LOAD")
    }

    /// Says whether it runs a script or a function.
    pub(super) fn runs_script(&self) -> bool {
        self.is_one_of(&RUN_SCRIPTS)
    }

    /// Returns the first key, if there is one. All others have to be in its hash slot.
    pub(super) fn first_key(&self) -> Option<&'c [u8]> {
        let by_number = |number: usize, key: usize| {
            let number = str::from_utf8(self.0.get(number)?).ok()?;
            (number.parse::<u64>().ok()? > 0).then_some(key)
        };
        let position = if self.runs_script() {
            by_number(2, 3)
        } else if self.is_one_of(&["OBJECT", "XGROUP", "XINFO", "BITOP"])
            || self.is(0, "MEMORY") && self.is(1, "USAGE")
            || self.is(0, "DEBUG") && self.is(1, "OBJECT")
        {
            Some(2)
        } else if self.is_one_of(&[
            "LMPOP",
            "SINTERCARD",
            "ZDIFF",
            "ZINTER",
            "ZINTERCARD",
            "ZMPOP",
            "ZUNION",
        ]) {
            by_number(1, 2)
        } else if self.is_one_of(&["XREAD", "XREADGROUP"]) {
            (1..self.0.len())
                .find(|position| self.is(*position, "STREAMS"))
                .map(|streams| streams + 1)
        } else if self.is(0, "MIGRATE") {
            Some(3)
        } else if self.is_one_of(WITHOUT_KEYS) || self.is(0, "MEMORY") {
            None
        } else {
            Some(1)
        };
        self.0.get(position?).copied()
    }
}

const RUN_SCRIPTS: [&str; 6] = [
    "EVAL",
    "EVALSHA",
    "EVAL_RO",
    "EVALSHA_RO",
    "FCALL",
    "FCALL_RO",
];

#[cfg(test)]
mod tests {
    use super::*;

    fn words(line: &str) -> Words<'_> {
        Words::of(line.split(' ').map(str::as_bytes))
    }

    #[test]
    fn the_first_key_stands_where_the_command_has_it() {
        for (line, key) in [
            ("ZADD k 1 a", Some("k")),
            ("mget k l", Some("k")),
            ("GET", None),
            ("EVAL return 1 0 k", None),
            ("EVAL code 2 k l", Some("k")),
            ("evalsha_ro hash 1 k", Some("k")),
            ("FCALL name 1 k", Some("k")),
            ("EVAL code x k", None),
            ("OBJECT ENCODING k", Some("k")),
            ("MEMORY USAGE k", Some("k")),
            ("MEMORY DOCTOR", None),
            ("DEBUG OBJECT k", Some("k")),
            ("DEBUG SLEEP 1", None),
            ("XGROUP CREATE k g $", Some("k")),
            ("XINFO STREAM k", Some("k")),
            ("BITOP AND k l", Some("k")),
            ("ZUNION 2 k l", Some("k")),
            ("LMPOP 1 k LEFT", Some("k")),
            ("XREAD COUNT 2 STREAMS k 0", Some("k")),
            ("XREADGROUP GROUP g c STREAMS k >", Some("k")),
            ("XREAD COUNT 2", None),
            ("MIGRATE host 6379 k 0 100", Some("k")),
            ("SCAN 0", None),
            ("PUBLISH channel text", None),
            ("SPUBLISH channel text", Some("channel")),
            ("JSON.SET k $ 1", Some("k")),
        ] {
            // The code of a script is one word.
            let line = line.replace("return 1", "return_1");
            let found = words(&line).first_key();
            assert_eq!(found, key.map(str::as_bytes), "{line}");
        }
    }

    #[test]
    fn every_row_is_refused_whatever_its_case() {
        for (name, part, reason) in REFUSED {
            let line = match part {
                None => format!("{name} x"),
                Some("BLOCK") => format!("{name} COUNT 1 BLOCK 0 STREAMS k 0"),
                Some(part) => format!("{name} {part} x"),
            };
            let named = [Some(*name), *part];
            let named: Vec<&str> = named.into_iter().flatten().collect();
            let expected = Some((named.join(" "), *reason));
            assert_eq!(words(&line).refused(), expected, "{line}");
            assert_eq!(words(&line.to_ascii_lowercase()).refused(), expected);
        }
    }

    #[test]
    fn what_only_looks_like_one_is_not_refused() {
        for line in [
            "GET BLPOP",
            "CLIENT LIST",
            "CLIENT",
            "SCRIPT LOAD x",
            "XREAD COUNT 1 STREAMS BLOCK 0",
            "XREADGROUP GROUP BLOCK BLOCK NOACK STREAMS k >",
            "LPOP k",
        ] {
            assert_eq!(words(line).refused(), None, "{line}");
        }
    }
}
