//! Tables of commands by their names: those that a shared connection can't take, and the place of
//! the first key in the others.

/// The reason for which a command is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Refused {
    /// The command waits on the connection.
    Waits,
    /// The command changes the state of the connection for later callers.
    ChangesState,
    /// The command begins, ends or guards a transaction.
    Transacts,
    /// The command is answered by messages.
    Subscribes,
}

impl Refused {
    /// Returns the reason as a text that follows the name of the command.
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

/// The commands that are refused: the name, and the subcommand or the option for which a command is
/// refused. `CLIENT` is refused but for some subcommands.
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

/// The subcommands of `CLIENT` that leave the connection as it is. All others change it, and newer
/// servers have more of these.
const CLIENT_TAKEN: &[&str] = &[
    "GETNAME",
    "GETREDIR",
    "HELP",
    "ID",
    "INFO",
    "KILL",
    "LIST",
    "PAUSE",
    "TRACKINGINFO",
    "UNBLOCK",
    "UNPAUSE",
];

/// The commands that name no key, with whatever arguments.
#[rustfmt::skip]
const WITHOUT_KEYS: &[&str] = &[
    "ACL", "BGREWRITEAOF", "BGSAVE", "CLIENT", "CLUSTER", "COMMAND", "COMMANDLOG", "CONFIG",
    "DBSIZE", "DEBUG", "ECHO", "FAILOVER", "FLUSHALL", "FLUSHDB", "FUNCTION", "HOTKEYS", "INFO",
    "KEYS", "LASTSAVE", "LATENCY", "LOLWUT", "MEMORY", "MODULE", "PFSELFTEST", "PING", "PUBSUB",
    "RANDOMKEY", "REPLICAOF", "ROLE", "SAVE", "SCAN", "SCRIPT", "SHUTDOWN", "SLAVEOF", "SLOWLOG",
    "SWAPDB", "TIME", "TS.MGET", "TS.MRANGE", "TS.MREVRANGE", "TS.QUERYINDEX",
];

/// The commands with subcommands or options before their key, which is the second argument.
const KEY_SECOND: &[&str] = &[
    "BITOP",
    "JSON.DEBUG",
    "OBJECT",
    "PFDEBUG",
    "XGROUP",
    "XINFO",
];

/// The commands whose first argument is the number of their keys, which follow.
#[rustfmt::skip]
const NUMBER_FIRST: &[&str] = &[
    "LMPOP", "MSETEX", "SINTERCARD", "ZDIFF", "ZINTER", "ZINTERCARD", "ZMPOP", "ZUNION",
];

/// The commands that run a script or a function. Their arguments are the script, the number of
/// keys, and the keys.
const RUN_SCRIPTS: &[&str] = &[
    "EVAL",
    "EVALSHA",
    "EVALSHA_RO",
    "EVAL_RO",
    "FCALL",
    "FCALL_RO",
];

/// The commands that every node of a cluster has to get.
const EVERYWHERE: &[(&str, &str)] = &[
    ("FUNCTION", "DELETE"),
    ("FUNCTION", "FLUSH"),
    ("FUNCTION", "LOAD"),
    ("FUNCTION", "RESTORE"),
    ("SCRIPT", "FLUSH"),
    ("SCRIPT", "LOAD"),
];

/// The node of a cluster that a command is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Destination<'c> {
    /// The node of the command's first key. All other keys have to be in the same hash slot.
    Key(&'c [u8]),
    /// Any node: the nodes tell each other.
    Any,
    /// All primaries.
    Each,
    /// Nobody can say.
    Unknown,
}

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

    /// Returns the name of a command that is refused, and the reason.
    pub(super) fn refused(&self) -> Option<(String, Refused)> {
        if self.is(0, "CLIENT") {
            let part = self.0.get(1)?;
            let is_taken = CLIENT_TAKEN.iter().any(|taken| self.is(1, taken));
            let part = String::from_utf8_lossy(part).to_ascii_uppercase();
            return (!is_taken).then(|| (format!("CLIENT {part}"), Refused::ChangesState));
        }
        let mut rows = REFUSED.iter();
        let (name, part, reason) = rows.find(|(name, part, _)| {
            self.is(0, name)
                && part.is_none_or(|part| match part {
                    "BLOCK" => self.options_of_streams().1,
                    part => self.is(1, part),
                })
        })?;
        let parts = [Some(*name), *part];
        let name: Vec<&str> = parts.into_iter().flatten().collect();
        Some((name.join(" "), *reason))
    }

    /// Passes the options of a command that reads streams. Returns the position behind them, and
    /// whether an option says to wait for more.
    fn options_of_streams(&self) -> (usize, bool) {
        let (mut at, mut blocks) = (1, false);
        loop {
            at += match () {
                () if self.is(at, "GROUP") => 3,
                () if self.is(at, "COUNT") || self.is(at, "CLAIM") => 2,
                () if self.is(at, "NOACK") => 1,
                () if self.is(at, "BLOCK") => {
                    blocks = true;
                    2
                }
                () => return (at, blocks),
            };
        }
    }

    /// Says whether the command runs a script or a function.
    pub(super) fn runs_script(&self) -> bool {
        self.is_one_of(RUN_SCRIPTS)
    }

    /// Returns the node of a cluster that the command is for.
    pub(super) fn destination(&self) -> Destination<'c> {
        if self.is(0, "PUBLISH") {
            return Destination::Any;
        }
        let mut everywhere = EVERYWHERE.iter();
        if everywhere.any(|(name, part)| self.is(0, name) && self.is(1, part)) {
            return Destination::Each;
        }
        let key = self
            .key_position()
            .and_then(|position| self.0.get(position));
        key.map_or(Destination::Unknown, |key| Destination::Key(key))
    }

    fn key_position(&self) -> Option<usize> {
        if self.runs_script() {
            self.behind_number(2)
        } else if self.is_one_of(NUMBER_FIRST) {
            self.behind_number(1)
        } else if self.is_one_of(KEY_SECOND)
            || self.is(0, "MEMORY") && self.is(1, "USAGE")
            || self.is(0, "DEBUG") && self.is(1, "OBJECT")
        {
            Some(2)
        } else if self.is_one_of(&["XREAD", "XREADGROUP"]) {
            let (streams, _) = self.options_of_streams();
            self.is(streams, "STREAMS").then_some(streams + 1)
        } else if self.is(0, "MIGRATE") {
            match self.0.get(3) {
                // Several keys stand behind the word for them.
                Some([]) => {
                    let mut positions = 4..self.0.len();
                    let word = positions.find(|position| self.is(*position, "KEYS"))?;
                    Some(word + 1)
                }
                _ => Some(3),
            }
        } else if self.is_one_of(WITHOUT_KEYS) || self.begins_with("FT.") {
            // Suggestions of a search are a key; its indexes are none.
            self.begins_with("FT.SUG").then_some(1)
        } else {
            Some(1)
        }
    }

    /// Returns the position behind a number of keys that isn't zero.
    fn behind_number(&self, position: usize) -> Option<usize> {
        let number = str::from_utf8(self.0.get(position)?).ok()?;
        (number.parse::<u64>().ok()? > 0).then_some(position + 1)
    }

    /// Says whether the name of the command begins so, in upper case.
    fn begins_with(&self, beginning: &str) -> bool {
        let name = self.0.first().and_then(|name| name.get(..beginning.len()));
        name.is_some_and(|name| name.eq_ignore_ascii_case(beginning.as_bytes()))
    }
}

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
            ("XREADGROUP GROUP STREAMS c STREAMS k >", Some("k")),
            ("MSETEX 2 k v l w", Some("k")),
            ("JSON.DEBUG MEMORY k", Some("k")),
            ("PFDEBUG ENCODING k", Some("k")),
            ("MIGRATE host 6379  0 100 COPY KEYS k l", Some("k")),
            ("COMMANDLOG GET 1 slow", None),
            ("FT.SEARCH index text", None),
            ("FT.SUGADD k text 1", Some("k")),
            ("FUNCTION LIST", None),
            ("SPUBLISH channel text", Some("channel")),
            ("JSON.SET k $ 1", Some("k")),
        ] {
            // The code of a script is one word.
            let line = line.replace("return 1", "return_1");
            let found = words(&line).destination();
            let expected = key.map_or(Destination::Unknown, |key| Destination::Key(key.as_bytes()));
            assert_eq!(found, expected, "{line}");
        }
    }

    #[test]
    fn what_all_nodes_have_to_know_goes_to_each() {
        for line in ["SCRIPT LOAD x", "function load x", "SCRIPT FLUSH"] {
            assert_eq!(words(line).destination(), Destination::Each, "{line}");
        }
        assert_eq!(words("PUBLISH c text").destination(), Destination::Any);
    }

    #[test]
    fn the_page_has_every_row() {
        let page = include_str!("../../../../docs/commands.md");
        for (name, part, _) in REFUSED {
            let named = [Some(*name), *part];
            let named: Vec<&str> = named.into_iter().flatten().collect();
            assert!(
                page.contains(&format!("`{}`", named.join(" "))),
                "{named:?}"
            );
        }
        for part in CLIENT_TAKEN {
            assert!(page.contains(&format!("`{part}`")), "{part}");
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
    fn a_subcommand_of_client_that_is_not_known_is_refused() {
        for part in [
            "REPLY",
            "setname",
            "TRACKING",
            "CAPA",
            "IMPORT-SOURCE",
            "NEWER",
        ] {
            let line = format!("CLIENT {part} x");
            let name = format!("CLIENT {}", part.to_ascii_uppercase());
            assert_eq!(words(&line).refused(), Some((name, Refused::ChangesState)));
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
