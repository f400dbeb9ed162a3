//! The report of a doctor, as data.

use std::process::ExitCode;
use std::time::Duration;

use serde::{Serialize, Serializer};

use super::finding::{Finding, FindingKind, Severity};
use super::share::Share;
use crate::backend::examined::ServerReport;

/// The report of a [doctor](super).
///
/// It prints as text, and serializes for other programs: times in milliseconds, severities and
/// kinds of findings as words. No part of a key and no value is in it.
#[derive(Debug, Clone, Serialize)]
#[non_exhaustive]
#[must_use]
pub struct Report {
    /// The servers: of a cluster the primaries, of Sentinel the present primary.
    pub servers: Vec<ServerReport>,
    /// True if all keys of the namespace were walked over for certain. Otherwise the numbers of
    /// keys are parts of the real ones. A key that was written meanwhile may be missing, and a
    /// server that resizes its table may name one twice.
    pub is_whole: bool,
    /// The number of keys in the namespace that no keyspace of the program has.
    pub undeclared_keys: u64,
    /// The number of [leases](crate::lease), and of leases under which values are computed.
    pub leases: u64,
    /// The keyspaces of the program, by prefix and version.
    pub keyspaces: Vec<KeyspaceReport>,
    /// The findings, the worst first.
    pub findings: Vec<Finding>,
}

/// The entries of one keyspace.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct KeyspaceReport {
    /// The prefix and the version as they begin a key: `session@2`.
    pub keyspace: String,
    /// The name of the struct, or that of the data of sessions.
    pub name: String,
    /// The kind, such as `entry` or `counter`.
    pub kind: String,
    /// The number of entries that were walked over.
    pub entries: u64,
    /// The number of entries that were read: chosen at random, each as likely as any other.
    pub sampled: u64,
    /// True if these are all entries, so that what is said of them is said of all.
    pub is_read_whole: bool,
    /// The mean size of the values that were loaded, in bytes.
    pub mean_bytes: u64,
    /// The size of the largest of them, in bytes.
    pub largest_bytes: u64,
    /// The number of sampled values that are larger than 1 MiB, and weren't loaded.
    pub too_large: u64,
    /// The remaining lives of the sampled entries that have an end.
    pub ttl: Option<TtlReport>,
    /// The number of sampled entries that have no end.
    pub without_ttl: u64,
    /// The number of sampled entries whose bytes aren't a value of the keyspace.
    pub undecodable: u64,
    /// The number of sampled keys that hold another type of Redis, such as a list.
    pub wrong_type: u64,
    /// The number of keys that begin as those of the keyspace do and aren't keys of it.
    pub malformed_keys: u64,
}

impl KeyspaceReport {
    /// Returns the share of all entries of which `part` of the sampled entries are.
    pub fn share(&self, part: u64) -> Share {
        match self.is_read_whole {
            true => Share::exact(part, self.sampled),
            false => Share::of(part, self.sampled),
        }
    }
}

/// Remaining lives.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct TtlReport {
    /// The shortest.
    #[serde(rename = "shortest_ms", serialize_with = "millis")]
    pub shortest: Duration,
    /// The one in the middle.
    #[serde(rename = "median_ms", serialize_with = "millis")]
    pub median: Duration,
    /// The longest.
    #[serde(rename = "longest_ms", serialize_with = "millis")]
    pub longest: Duration,
}

fn millis<S: Serializer>(time: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_u64(u64::try_from(time.as_millis()).unwrap_or(u64::MAX))
}

impl Report {
    /// Returns the severity of the worst finding.
    pub fn worst(&self) -> Option<Severity> {
        self.findings.iter().map(|finding| finding.severity).max()
    }

    /// Returns an exit code for CI: a failure if a finding is as severe as `at_least`, or worse.
    pub fn exit_code(&self, at_least: Severity) -> ExitCode {
        match self.worst() >= Some(at_least) {
            true => ExitCode::FAILURE,
            false => ExitCode::SUCCESS,
        }
    }

    /// Says whether there is a finding of this kind.
    pub fn has(&self, kind: FindingKind) -> bool {
        self.findings.iter().any(|finding| finding.kind == kind)
    }
}
