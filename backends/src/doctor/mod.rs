//! A look at a live store, by the program's own keyspaces, before something hurts.
//!
//! [`doctor()`] compares what is stored with what is declared. It finds what no tool can that
//! doesn't know the program: entries without an end in a keyspace with a `ttl`, values that don't
//! decode, entries left of an older version, sessions in a store that evicts, rights that the user
//! lacks. The [report](Report) prints as text, serializes for other programs, and has an exit code
//! for CI.
//!
//! ```standalone_crate
//! use reinhardt_backends::doctor::{FindingKind, Severity};
//! use reinhardt_backends::{Backend, Keyspace, MemoryBackend, doctor};
//!
//! #[derive(Keyspace)]
//! #[keyspace(prefix = "teaser", ttl = "5m", value = String)]
//! struct Teaser {
//!     page: u64,
//! }
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> reinhardt_backends::BackendResult<()> {
//! let backend = MemoryBackend::new();
//! // A key that was written by hand, and without an end.
//! backend.set(&Teaser { page: 7 }.key(), "read on", None).await?;
//!
//! let report = doctor(&backend).await?;
//! println!("{report}");
//! assert!(report.has(FindingKind::NoEnd));
//! assert_eq!(report.worst(), Some(Severity::Warning));
//! # Ok(()) }
//! ```
//!
//! # What it does to a store
//!
//! It reads, and changes nothing. On Redis it sends `INFO`, `DBSIZE` and `ACL DRYRUN` to each
//! primary, walks over all names by `SCAN` in pages of a thousand, and reads some entries of each
//! keyspace by the script of `get_with_ttl`: one command after the other, 500 in a second at most.
//! A million keys take some seconds. [`Doctor`] sets all of this. A read counts as a use: by
//! `OBJECT IDLETIME`, and for a server that evicts what is used least, the entries of the sample
//! are young.
//!
//! # What it shows
//!
//! Keyspaces, numbers, sizes and lives. No part of a key and no value is shown or told, also not of
//! keys that nobody declares: these are counted.
//!
//! Numbers of entries are exact where all names were walked over and nobody wrote meanwhile.
//! Everything about values is known from a sample: each line says how many entries were read, and
//! [`KeyspaceReport::margin`] how far a share of them may be off.

mod finding;
mod owners;
mod report;
mod rules;
mod survey;
mod words;

use self::owners::Owners;
use self::survey::Survey;
use crate::backend::examined::{Asked, Examine, Pace};
use crate::error::BackendResult;

pub use self::finding::{Finding, FindingKind, Severity};
pub use self::report::{KeysReport, KeyspaceReport, Lives, Report};
pub use crate::backend::examined::{Rights, ServerReport};

/// The names that are walked over unless set otherwise.
const MOST_KEYS: u64 = 1_000_000;
/// The entries of each keyspace that are read unless set otherwise.
const ENTRIES: usize = 200;
/// The commands in a second unless set otherwise.
const COMMANDS_PER_SECOND: u32 = 500;

/// A backend that a doctor can examine: [`MemoryBackend`](crate::MemoryBackend),
/// [`RedisBackend`](crate::RedisBackend), and an [`Arc`](std::sync::Arc) of one.
///
/// A doctor asks servers for more than the contract knows, so no other backend is one. Of a backend
/// with layers, examine the one inside.
pub trait Examined: Examine {}

impl<S: Examine + ?Sized> Examined for S {}

/// Compares a store with the keyspaces of the program, as [`Doctor::new`] is set.
///
/// # Errors
///
/// Those of the backend. A right that is missing is a finding.
///
/// # Cancel safety
///
/// Nothing is changed, so a dropped future does no harm.
pub async fn doctor<S: Examined + ?Sized>(backend: &S) -> BackendResult<Report> {
    Doctor::new().examine(backend).await
}

/// The settings of a doctor.
///
/// # Examples
///
/// ```no_run
/// use reinhardt_backends::RedisBackend;
/// use reinhardt_backends::doctor::{Doctor, Severity};
/// use std::process::ExitCode;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> reinhardt_backends::BackendResult<ExitCode> {
/// let redis = RedisBackend::new("redis://operator:secret@localhost:6379").await?;
/// let doctor = Doctor::new().entries(1_000).commands_per_second(100).user("app");
/// let report = doctor.examine(&redis).await?;
/// println!("{report}");
/// # return
/// Ok(report.exit_code(Severity::Fault))
/// # ; }
/// ```
#[derive(Debug, Clone)]
pub struct Doctor {
    most_keys: u64,
    entries: usize,
    commands_per_second: u32,
    user: Option<String>,
}

impl Doctor {
    /// Makes a doctor that walks over a million names, reads 200 entries of each keyspace, and
    /// sends 500 commands a second.
    pub fn new() -> Self {
        Self {
            most_keys: MOST_KEYS,
            entries: ENTRIES,
            commands_per_second: COMMANDS_PER_SECOND,
            user: None,
        }
    }

    /// Walks over so many names, those outside of the namespace included. Of a cluster each primary
    /// is walked over for its share. One command walks over a thousand.
    pub fn keys(mut self, most: u64) -> Self {
        self.most_keys = most;
        self
    }

    /// Reads so many entries of each keyspace, chosen at random from those that were walked over.
    /// A share of 200 is right to within 7 points of a hundred, one of 1,000 to within 3.
    pub fn entries(mut self, most: usize) -> Self {
        self.entries = most;
        self
    }

    /// Sends so many commands in a second at most, one after the other; at least one.
    pub fn commands_per_second(mut self, most: u32) -> Self {
        self.commands_per_second = most;
        self
    }

    /// Looks at the rights of this user of the server instead of those of the user who asks: the
    /// question takes a right that programs seldom have.
    pub fn user(mut self, name: impl Into<String>) -> Self {
        self.user = Some(name.into());
        self
    }

    /// Compares a store with the keyspaces of the program.
    ///
    /// # Errors
    ///
    /// Those of the backend. A right that is missing is a finding.
    ///
    /// # Cancel safety
    ///
    /// Nothing is changed, so a dropped future does no harm.
    pub async fn examine<S: Examined + ?Sized>(&self, backend: &S) -> BackendResult<Report> {
        // A store in this process is asked as fast as it answers.
        let mut pace = match backend.as_sync() {
            Some(_) => Pace::unbounded(),
            None => Pace::new(self.commands_per_second),
        };
        let owners = Owners::of_the_program();
        let keys: Vec<_> = owners.keyspaces.iter().map(|it| it.a_key()).collect();
        let asked = Asked {
            user: self.user.as_deref(),
            keys: &keys,
        };
        let servers = backend.servers(&asked, &mut pace).await?;
        let (most, entries) = (self.most_keys, self.entries);
        let survey = Survey::take(backend, &owners, most, entries, &mut pace).await?;
        Ok(rules::report(servers, &owners, &survey))
    }
}

impl Default for Doctor {
    fn default() -> Self {
        Self::new()
    }
}
