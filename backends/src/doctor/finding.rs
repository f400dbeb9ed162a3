//! The things that a doctor finds.

use std::fmt;

use serde::Serialize;

/// One thing that a doctor has found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Finding {
    /// The severity.
    pub severity: Severity,
    /// The kind, for programs.
    pub kind: FindingKind,
    /// The server, by address, or the keyspace, as its keys begin; `store` for the store as a
    /// whole.
    pub subject: String,
    /// The finding in words, and what to do.
    pub message: String,
}

impl Finding {
    pub(super) fn fault(subject: &str, kind: FindingKind, message: impl Into<String>) -> Self {
        Self::new(Severity::Fault, subject, kind, message)
    }

    pub(super) fn warning(subject: &str, kind: FindingKind, message: impl Into<String>) -> Self {
        Self::new(Severity::Warning, subject, kind, message)
    }

    pub(super) fn note(subject: &str, kind: FindingKind, message: impl Into<String>) -> Self {
        Self::new(Severity::Note, subject, kind, message)
    }

    pub(super) fn new(
        severity: Severity,
        subject: &str,
        kind: FindingKind,
        message: impl Into<String>,
    ) -> Self {
        Self {
            severity,
            kind,
            subject: subject.to_string(),
            message: message.into(),
        }
    }
}

/// The severity of a finding.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Severity {
    /// Worth knowing.
    Note,
    /// Something that goes wrong one day, or under load; or something that could not be checked.
    Warning,
    /// Something that is wrong now: calls fail.
    Fault,
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Note => "note",
            Self::Warning => "warning",
            Self::Fault => "fault",
        })
    }
}

/// The kind of a finding. It serializes as its name in lower case: `missing_ttl`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum FindingKind {
    /// [`check_keyspaces`](crate::check_keyspaces()) refuses the declarations.
    Declarations,
    /// The server is older than Redis 6.2.
    OldServer,
    /// The server doesn't tell its version, its memory and its policy of eviction.
    ServerUnchecked,
    /// The user may not send commands, or not use keys, that the library needs.
    RightsMissing,
    /// Nothing is known of the user's rights.
    RightsUnchecked,
    /// A full store evicts, and holds entries that may not be lost: sessions, limits, counters.
    Eviction,
    /// The server has no limit on its memory.
    NoMemoryLimit,
    /// The server is nearly full, and refuses writes when it is.
    NearlyFull,
    /// Entries have no end, and those of the keyspace are meant to have one.
    MissingTtl,
    /// Entries live for longer than the keyspace declares.
    LongTtl,
    /// Entries aren't values of the keyspace.
    Undecodable,
    /// Keys hold another type of Redis than text.
    WrongType,
    /// Values are larger than 1 MiB, and weren't checked.
    TooLarge,
    /// Keys begin as those of the keyspace do and aren't keys of it.
    MalformedKey,
    /// Entries are left of an older version: `migrates` has to stay.
    OlderVersion,
    /// No entry is left of any older version: `migrates` may go, under the conditions that the
    /// message names.
    MigratesUnneeded,
    /// There are entries of a version that the program doesn't declare.
    UnknownVersion,
    /// There are keys that no keyspace of the program has.
    UndeclaredKeys,
    /// There are sessions that no macro declares.
    UndeclaredSessions,
    /// Entries could not be read.
    Unread,
    /// It isn't certain that all keys were walked over.
    Partial,
}
