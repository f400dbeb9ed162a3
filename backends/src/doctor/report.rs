//! The report of a doctor, as data.

use std::process::ExitCode;
use std::time::Duration;

use serde::{Serialize, Serializer};

use super::finding::{Finding, Severity};
use crate::backend::examined::ServerReport;

/// The report of a [doctor](super).
///
/// It prints as text, and serializes for other programs: times in milliseconds, severities and
/// kinds of findings as words. No part of a key and no value is in it.
#[derive(Debug, Clone, Serialize)]
#[non_exhaustive]
pub struct Report {
    /// The servers: of a cluster the primaries, of Sentinel the present primary.
    pub servers: Vec<ServerReport>,
    /// The keys that were walked over.
    pub keys: KeysReport,
    /// The keyspaces of the program, by prefix and version.
    pub keyspaces: Vec<KeyspaceReport>,
    /// The findings, the worst first.
    pub findings: Vec<Finding>,
}

/// The keys that a doctor has walked over.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct KeysReport {
    /// The number of keys that were walked over, in whole pages of a thousand on Redis. Keys
    /// outside of the namespace are among them.
    pub walked: u64,
    /// True if these are all keys. Numbers of entries are exact then, as far as nothing is written
    /// meanwhile; otherwise each is a part of the real number.
    pub is_whole: bool,
    /// The number of keys in the namespace that no keyspace of the program has.
    pub undeclared: u64,
    /// The number of [leases](crate::lease), and of leases under which values are computed.
    pub leases: u64,
}

/// The entries of one keyspace.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct KeyspaceReport {
    /// The prefix and the version as they begin a key: `session@2`.
    pub keys: String,
    /// The name of the struct, or that of the data of sessions.
    pub name: String,
    /// The kind, such as `entry` or `counter`.
    pub kind: String,
    /// The number of entries that were walked over.
    pub entries: u64,
    /// The number of entries that were read: chosen at random, each as likely as any other.
    pub read: u64,
    /// The mean size of their values, in bytes.
    pub mean_bytes: u64,
    /// The size of the largest of their values, in bytes.
    pub largest_bytes: u64,
    /// The remaining lives of those that have an end.
    pub lives: Option<Lives>,
    /// The number of entries that were read and have no end.
    pub endless: u64,
    /// The number of entries that were read and aren't values of the keyspace.
    pub undecodable: u64,
    /// The number of entries that were read and hold another type of Redis, such as a list.
    pub foreign: u64,
    /// The number of keys that begin as those of the keyspace do and aren't keys of it.
    pub malformed: u64,
}

impl KeyspaceReport {
    /// Returns the margin of a share of the entries, if it is taken from those that were read: with
    /// 95 % confidence the real share isn't off by more. Zero if all entries were read.
    ///
    /// The margin is that of a share of one half, the largest.
    pub fn margin(&self) -> f64 {
        match self.read {
            0 => 1.0,
            read if read >= self.entries => 0.0,
            read => 0.98 / (read as f64).sqrt(),
        }
    }
}

/// Remaining lives.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Lives {
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
    pub fn has(&self, kind: super::FindingKind) -> bool {
        self.findings.iter().any(|finding| finding.kind == kind)
    }
}
