//! The declaration of a keyspace, as a constant at its type.

use std::fmt;
use std::time::Duration;

use super::prefix::{JoinedPrefix, PREFIX_RULE, is_prefix};
use crate::backend::store::{MAX_TTL, Touch};
use crate::backend::{Expiry, Life};

/// The length of a lease where only `stale` is given.
const DEFAULT_LEASE: Duration = Duration::from_secs(10);

/// The declaration of a keyspace; the derive writes it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct KeyspaceInfo {
    /// The name of the struct; with its parameters where a macro registers a type, and that of the
    /// data of sessions.
    pub name: &'static str,
    /// The first part of every key.
    pub prefix: &'static str,
    /// The prefix and the version as they stand in a key; empty unless they were put together when
    /// this was compiled.
    pub(super) head: &'static str,
    /// The version, which is a part of every key from 2 on.
    pub version: u32,
    /// The kind of data that the keyspace holds.
    pub kind: Kind,
    /// The names of the key fields, in order.
    pub key_fields: &'static [&'static str],
    /// The position of the key field that stands in braces.
    pub tag: Option<usize>,
    /// The type of the values, as it is written: of an entry its own name, of a counter `i64`; of a
    /// throttle its limits, or that they are set at run time.
    pub value: &'static str,
    /// The name of the values' codec; of a counter `decimal`, of a throttle `throttle`.
    pub codec: &'static str,
    /// The life that is given where a call names no other: [`Life::In`] or [`Life::Never`]. Of a
    /// throttle the longest one; [`Life::Keep`] where the program sets it when it makes a store or
    /// a throttle.
    pub life: Life,
    /// True if a read starts the life over.
    pub sliding: bool,
    /// The largest part by which a life is shortened at random, in percent.
    pub jitter: u8,
    /// The time for which the caller that computes a value keeps others from computing it, if a
    /// value is computed once across processes.
    pub lease: Option<Duration>,
    /// The time for which an old value is there beyond `life`, to be served while it is refreshed.
    pub stale: Option<Duration>,
    /// The result of a read that finds bytes which aren't a value of the keyspace.
    pub on_decode_error: OnDecodeError,
    /// The result of a read, and of a write that asks for nothing, while the store is away.
    pub on_unavailable: OnUnavailable,
    /// True if people may look at the keys and values of the keyspace: `inspector` shows no others.
    pub inspect: bool,
    /// The older keyspace whose entries are read where this one has none.
    pub migrates: Option<&'static KeyspaceInfo>,
    /// The place where the struct is declared, or where a macro such as
    /// [`register_sessions!`](crate::register_sessions) stands.
    pub location: Location,
    /// The times above as the declaration writes them.
    pub(super) written: Written,
}

/// Times as a declaration writes them, each empty where it names a constant or has none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Written {
    pub(super) ttl: &'static str,
    pub(super) lease: &'static str,
    pub(super) stale: &'static str,
}

/// The kind of data that a keyspace holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Kind {
    /// The struct itself is the value and some of its fields are the key.
    Entry,
    /// The struct is a key with a value type of its own.
    Value,
    /// The struct is the key of a counter.
    Counter,
    /// The struct is the key of a throttle.
    Throttle,
    /// The sessions of a [`SessionStore`](crate::session::SessionStore), under a prefix that the
    /// program sets.
    Sessions,
    /// The sessions of a store for the crate tower-sessions, under a prefix that the program sets.
    TowerSessions,
    /// The keys of a [`Throttle`](crate::throttle::Throttle), under a prefix that the program sets.
    Throttles,
}

/// The result of a read that finds bytes which aren't a value of the keyspace.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum OnDecodeError {
    /// The read fails with `Decode`.
    Error,
    /// The read finds nothing.
    Miss,
}

/// The result of a read, and of a write that asks for nothing, while the store is away.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum OnUnavailable {
    /// The call fails with `Unavailable` or `Timeout`.
    Error,
    /// The read finds nothing. The write is a success, as if its entry had ended at once.
    Miss,
}

/// The place where something is declared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Location {
    /// The path of the module.
    pub module: &'static str,
    /// The path of the file, as the compiler was given it.
    pub file: &'static str,
    /// The line, from 1.
    pub line: u32,
    /// The column, from 1.
    pub column: u32,
}

impl Location {
    /// For the derive: names a place in the source.
    pub const fn new(module: &'static str, file: &'static str, line: u32, column: u32) -> Self {
        Self {
            module,
            file,
            line,
            column,
        }
    }
}

/// `src/session.rs:7:12`
impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}", self.file, self.line, self.column)
    }
}

impl KeyspaceInfo {
    /// For the derive: puts the declaration together, at compile time. A setting that isn't named
    /// here is as if its word weren't there.
    ///
    /// # Panics
    ///
    /// If `life` is zero, over the limit or [`Life::Keep`]: in a constant this is a compile error.
    pub const fn new(
        name: &'static str,
        prefix: &'static str,
        kind: Kind,
        key_fields: &'static [&'static str],
        life: Life,
    ) -> Self {
        match life {
            Life::Keep => panic!("a keyspace declares a life of its own"),
            Life::Never => {}
            Life::In(ttl) => {
                assert!(!ttl.is_zero(), "the ttl of a keyspace is zero");
                assert!(
                    ttl.as_nanos() <= MAX_TTL.as_nanos(),
                    "the ttl of a keyspace is over 10,000 years"
                );
            }
        }
        Self::with_life(name, prefix, kind, key_fields, life)
    }

    /// For `register_sessions!` and its like: declares a store or a throttle that the program makes
    /// under a prefix, with lives of its own.
    ///
    /// # Panics
    ///
    /// If `prefix` can't be one: in a constant this is a compile error.
    pub const fn at_run_time(
        name: &'static str,
        prefix: &'static str,
        kind: Kind,
        key_fields: &'static [&'static str],
    ) -> Self {
        assert!(is_prefix(prefix), "{}", PREFIX_RULE);
        Self::with_life(name, prefix, kind, key_fields, Life::Keep)
    }

    const fn with_life(
        name: &'static str,
        prefix: &'static str,
        kind: Kind,
        key_fields: &'static [&'static str],
        life: Life,
    ) -> Self {
        Self {
            name,
            prefix,
            head: "",
            version: 1,
            kind,
            key_fields,
            tag: None,
            value: "i64",
            codec: "decimal",
            life,
            sliding: false,
            jitter: 0,
            lease: None,
            stale: None,
            on_decode_error: OnDecodeError::Error,
            on_unavailable: OnUnavailable::Error,
            inspect: false,
            migrates: None,
            location: Location::new("", "", 0, 0),
            written: Written {
                ttl: "",
                lease: "",
                stale: "",
            },
        }
    }

    /// For the derive: sets the version.
    pub const fn version(mut self, version: u32) -> Self {
        self.version = version;
        self.head = "";
        self
    }

    /// For the derive: sets the text that every key begins with, so that it isn't put together for
    /// each key.
    pub const fn head(mut self, head: &'static str) -> Self {
        self.head = head;
        self
    }

    /// For the derive: puts a key field in braces.
    pub const fn tag(mut self, position: usize) -> Self {
        self.tag = Some(position);
        self
    }

    /// For the derive: takes the prefix, and the text that every key begins with, from parts that
    /// were joined.
    pub const fn joined(mut self, prefix: &'static JoinedPrefix) -> Self {
        self.prefix = prefix.prefix();
        self.head = prefix.head();
        self
    }

    /// For the derive: tells how the times are written, each empty where it isn't.
    pub const fn written(
        mut self,
        ttl: &'static str,
        lease: &'static str,
        stale: &'static str,
    ) -> Self {
        self.written = Written { ttl, lease, stale };
        self
    }

    /// For the derive: names the type of the values and their codec.
    pub const fn value(mut self, value: &'static str, codec: &'static str) -> Self {
        self.value = value;
        self.codec = codec;
        self
    }

    /// For the derive: lets reads start the life over.
    pub const fn sliding(mut self) -> Self {
        self.sliding = true;
        self
    }

    /// For the derive: shortens lives at random.
    pub const fn jitter(mut self, percent: u8) -> Self {
        self.jitter = percent;
        self
    }

    /// For the derive: has missing values computed once across processes, by the caller that holds
    /// a lease of this length.
    ///
    /// # Panics
    ///
    /// If `lease` is zero or over the limit, or the keyspace goes on without its store, where no
    /// lease is kept: in a constant this is a compile error.
    pub const fn lease(mut self, lease: Duration) -> Self {
        assert!(!self.goes_on(), "no lease is kept without the store");
        assert!(!lease.is_zero(), "the lease of a keyspace is zero");
        assert!(
            lease.as_nanos() <= MAX_TTL.as_nanos(),
            "the lease of a keyspace is over 10,000 years"
        );
        self.lease = Some(lease);
        self
    }

    /// For the derive: keeps values for so much longer, to be served while one caller refreshes
    /// them; under a lease of ten seconds if [`lease`](Self::lease) isn't called before.
    ///
    /// # Panics
    ///
    /// If entries have no end, or if `stale` is zero or makes their life too long: in a constant
    /// this is a compile error.
    pub const fn stale(mut self, stale: Duration) -> Self {
        assert!(!stale.is_zero(), "the stale time of a keyspace is zero");
        match self.life {
            Life::In(ttl) => assert!(
                ttl.as_nanos() + stale.as_nanos() <= MAX_TTL.as_nanos(),
                "the ttl and the stale time of a keyspace are over 10,000 years"
            ),
            Life::Keep | Life::Never => panic!("what has no end is never stale"),
        }
        self.stale = Some(stale);
        match self.lease {
            Some(_) => self,
            None => self.lease(DEFAULT_LEASE),
        }
    }

    /// For the derive: lets reads treat bytes that don't decode as a miss.
    pub const fn miss_on_decode_error(mut self) -> Self {
        self.on_decode_error = OnDecodeError::Miss;
        self
    }

    /// For the derive: lets reads, and writes that ask for nothing, go on while the store is away.
    ///
    /// # Panics
    ///
    /// If the keyspace has a lease or holds no values: in a constant this is a compile error.
    pub const fn miss_when_unavailable(mut self) -> Self {
        assert!(self.lease.is_none(), "no lease is kept without the store");
        assert!(
            matches!(self.kind, Kind::Entry | Kind::Value),
            "only entries and values go on without the store"
        );
        self.on_unavailable = OnUnavailable::Miss;
        self
    }

    /// For the derive: lets people look at keys and values.
    pub const fn inspect(mut self) -> Self {
        self.inspect = true;
        self
    }

    /// For the derive: names the keyspace to read older entries from.
    ///
    /// # Panics
    ///
    /// If entries of the older one can't be told from this one's: in a constant this is a compile
    /// error.
    pub const fn migrates(mut self, older: &'static Self) -> Self {
        let same_prefix = is_same(self.prefix, older.prefix);
        assert!(
            !same_prefix || older.version < self.version,
            "`migrates` names a keyspace whose `version` isn't lower"
        );
        self.migrates = Some(older);
        self
    }

    /// For the derive: says where the struct is declared.
    pub const fn location(mut self, location: Location) -> Self {
        self.location = location;
        self
    }

    /// Returns this keyspace and those it migrates from, newest first.
    pub fn versions(&self) -> impl Iterator<Item = &Self> {
        std::iter::successors(Some(self), |info| info.migrates)
    }

    /// Says whether this keyspace or one that it migrates from goes on while the store is away.
    pub(crate) const fn goes_on_in_a_version(&self) -> bool {
        match self.migrates {
            _ if self.goes_on() => true,
            Some(older) => older.goes_on_in_a_version(),
            None => false,
        }
    }

    /// Says whether reads, and writes that ask for nothing, go on while the store is away.
    #[inline]
    pub(crate) const fn goes_on(&self) -> bool {
        matches!(self.on_unavailable, OnUnavailable::Miss)
    }

    /// Says whether this keyspace or one that it migrates from has its values computed under
    /// leases.
    pub(super) const fn has_leases(&self) -> bool {
        match (self.lease, self.migrates) {
            (Some(_), _) => true,
            (None, Some(older)) => older.has_leases(),
            (None, None) => false,
        }
    }

    /// Says whether nothing is decided by the reads of a keyspace, so that a replica may answer
    /// them. A sliding keyspace writes when it reads. A keyspace that migrates or has leases goes
    /// by what it finds or doesn't find. Sessions and throttles decide who comes in.
    #[inline]
    pub(super) const fn reads_are_plain(&self) -> bool {
        let is_plain = matches!(self.kind, Kind::Entry | Kind::Value | Kind::Counter);
        is_plain && !self.sliding && self.migrates.is_none() && self.lease.is_none()
    }

    /// Returns the life that a write gives where no other is asked for, shortened at random where
    /// there is a jitter.
    #[inline]
    pub(crate) fn new_life(&self) -> Life {
        match self.life {
            Life::In(ttl) => self.life_of(self.shortened(ttl)),
            other => other,
        }
    }

    /// Returns the life of a value that is fresh for `ttl`.
    #[inline]
    pub(super) fn life_of(&self, ttl: Duration) -> Life {
        match self.stale {
            // An impossible time stays one, to be refused.
            Some(stale) if !ttl.is_zero() => Life::In(ttl.saturating_add(stale)),
            _ => Life::In(ttl),
        }
    }

    /// Says whether an entry with so much left of its life is old, and alive to be served while it
    /// is refreshed.
    pub(crate) fn is_stale(&self, expiry: Expiry) -> bool {
        match (self.stale, expiry) {
            (Some(stale), Expiry::In(left)) => left <= stale,
            _ => false,
        }
    }

    /// Returns the effect of a read on a life: in a sliding keyspace a read extends it.
    pub(super) fn touch(&self) -> Touch {
        match self.life {
            Life::In(ttl) if self.sliding => Touch::Extend(self.shortened(ttl)),
            _ => Touch::Keep,
        }
    }

    #[inline]
    fn shortened(&self, ttl: Duration) -> Duration {
        if self.jitter == 0 {
            return ttl;
        }
        ttl.mul_f64(1.0 - fastrand::f64() * f64::from(self.jitter) / 100.0)
    }
}

/// `==` of `str` can't be called in a constant.
const fn is_same(a: &str, b: &str) -> bool {
    let (a, b) = (a.as_bytes(), b.as_bytes());
    if a.len() != b.len() {
        return false;
    }
    let mut at = 0;
    while at < a.len() {
        if a[at] != b[at] {
            return false;
        }
        at += 1;
    }
    true
}

#[cfg(feature = "derive")]
impl Kind {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Entry => "entry",
            Self::Value => "value",
            Self::Counter => "counter",
            Self::Throttle => "throttle",
            Self::Sessions => "sessions",
            Self::TowerSessions => "tower-sessions",
            Self::Throttles => "throttles",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: Duration = Duration::from_secs(3600);
    const PLAIN: KeyspaceInfo =
        KeyspaceInfo::new("Plain", "plain", Kind::Value, &["id"], Life::In(HOUR));

    #[test]
    fn a_jitter_shortens_and_never_by_more_than_it_says() {
        let jittered = PLAIN.jitter(25);
        let lives: Vec<Life> = (0..1000).map(|_| jittered.new_life()).collect();
        for life in &lives {
            assert!(matches!(life, Life::In(ttl) if *ttl <= HOUR && *ttl >= HOUR * 3 / 4));
        }
        assert!(lives.iter().any(|life| *life != lives[0]));
        assert_eq!(PLAIN.new_life(), Life::In(HOUR));
    }

    #[test]
    fn an_entry_is_stale_when_no_more_than_the_stale_time_is_left() {
        let minute = Duration::from_secs(60);
        let stale = PLAIN.stale(minute);
        assert_eq!(stale.new_life(), Life::In(HOUR + minute));
        assert_eq!(stale.life_of(minute), Life::In(2 * minute));
        assert_eq!(stale.life_of(Duration::ZERO), Life::In(Duration::ZERO));
        assert_eq!(stale.life_of(Duration::MAX), Life::In(Duration::MAX));
        assert!(stale.is_stale(Expiry::In(minute)));
        assert!(!stale.is_stale(Expiry::In(minute + Duration::from_nanos(1))));
        assert!(!stale.is_stale(Expiry::Never));
        assert!(!PLAIN.is_stale(Expiry::In(minute)));
        assert_eq!(stale.lease, Some(DEFAULT_LEASE));
        assert_eq!(PLAIN.lease(minute).stale(HOUR).lease, Some(minute));
    }

    #[test]
    fn leases_of_an_older_version_count() {
        const FIRST: KeyspaceInfo = PLAIN.lease(HOUR);
        const SECOND: KeyspaceInfo = PLAIN.version(2).migrates(&FIRST);
        assert!(SECOND.has_leases());
        assert!(!PLAIN.has_leases());
    }

    #[test]
    fn only_a_sliding_keyspace_renews() {
        assert_eq!(PLAIN.touch(), Touch::Keep);
        assert_eq!(PLAIN.sliding().touch(), Touch::Extend(HOUR));
    }

    #[test]
    fn the_chain_begins_with_the_newest() {
        const SECOND: KeyspaceInfo = PLAIN.version(2).migrates(&PLAIN);
        const THIRD: KeyspaceInfo = PLAIN.version(3).migrates(&SECOND);
        let versions: Vec<u32> = THIRD.versions().map(|info| info.version).collect();
        assert_eq!(versions, [3, 2, 1]);
    }

    #[test]
    #[should_panic(expected = "isn't lower")]
    fn a_version_does_not_migrate_from_itself() {
        let _ = PLAIN.migrates(&PLAIN);
    }
}
