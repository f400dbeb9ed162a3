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
//! assert!(report.has(FindingKind::MissingTtl));
//! assert_eq!(report.worst(), Some(Severity::Warning));
//! # Ok(()) }
//! ```
//!
//! # What it does to a store
//!
//! It reads, and changes nothing. On Redis it sends `INFO`, `DBSIZE` and `ACL DRYRUN` to each
//! primary, walks over all names by `SCAN` in pages of a thousand, and reads some entries of each
//! keyspace by `PTTL` and `GETRANGE`: one command after the other, 200 in a second at most. A page
//! of names is much work for a server and counts as five commands. So a million names take half a
//! minute, in which the server is busy with them for a twentieth of the time, and 200 entries two
//! seconds. [`Doctor`] sets all of this. A value of more than 1 MiB isn't loaded. A read counts as
//! a use: for a server that evicts what is used least, the entries of the sample are young.
//!
//! [The rights](crate::guide::redis#rights) that the doctor's user needs are on their page.
//!
//! # What it shows
//!
//! Keyspaces, numbers, sizes and lives. No part of a key and no value is shown or told, also not of
//! keys that nobody declares: these are counted.
//!
//! Numbers of entries are those of all entries where all names were walked over
//! ([`Report::is_whole`]). Everything about values is known from a sample: each line says how many
//! entries it has, and [`KeyspaceReport::share`] between which bounds a share of all is.
//!
//! A program may keep keyspaces in several stores. What a store evicts, and whether a `migrates` is
//! needed, is said of keyspaces that have entries in the one that is examined.

mod finding;
mod readings;
mod report;
mod rules;
mod share;
mod survey;
mod words;

use self::survey::Survey;
use crate::backend::examined::{Asked, Pace};
use crate::error::BackendResult;
use crate::keyspace::owners::Owners;

pub use self::finding::{Finding, FindingKind, Severity};
pub use self::report::{KeyspaceReport, Report, TtlReport};
pub use self::share::Share;
pub use crate::backend::examined::{Examined, Rights, ServerReport};

/// The names that are walked over unless set otherwise.
const MAX_KEYS: u64 = 1_000_000;
/// The entries of each keyspace that are read unless set otherwise.
const SAMPLE_SIZE: usize = 200;
/// The commands in a second unless set otherwise.
const COMMANDS_PER_SECOND: u32 = 200;

/// Compares a store with the keyspaces of the program, as [`Doctor::new`] is set.
///
/// # Errors
///
/// Those of the backend, up to the end of the walk. A right that is missing is a finding, but for
/// `SCAN`; and so is a store that fails while entries are read.
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
/// ```standalone_crate
/// use reinhardt_backends::MemoryBackend;
/// use reinhardt_backends::doctor::{Doctor, Severity};
/// use std::process::ExitCode;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> reinhardt_backends::BackendResult<ExitCode> {
/// // In CI, or as an operator of a server: `RedisBackend::new("redis://doctor:secret@host")`.
/// let backend = MemoryBackend::new();
/// let doctor = Doctor::new().sample_size(1_000).commands_per_second(50).user("app");
/// let report = doctor.examine(&backend).await?;
/// println!("{report}");
/// Ok(report.exit_code(Severity::Fault))
/// # }
/// ```
#[derive(Debug, Clone)]
#[must_use]
pub struct Doctor {
    max_keys: u64,
    sample_size: usize,
    commands_per_second: u32,
    user: Option<String>,
}

impl Doctor {
    /// Makes a doctor that walks over a million names, reads 200 entries of each keyspace, and
    /// sends 200 commands a second.
    pub fn new() -> Self {
        Self {
            max_keys: MAX_KEYS,
            sample_size: SAMPLE_SIZE,
            commands_per_second: COMMANDS_PER_SECOND,
            user: None,
        }
    }

    /// Walks over so many names at most, in whole pages of a thousand, those outside of the
    /// namespace included. Of a cluster each primary is walked over for its share.
    pub fn max_keys(mut self, keys: u64) -> Self {
        self.max_keys = keys;
        self
    }

    /// Reads so many entries of each keyspace, chosen at random from those that were walked over.
    /// What one entry of a hundred has is in a sample of 200 with 87 %, in one of 500 with 99 %.
    pub fn sample_size(mut self, entries: usize) -> Self {
        self.sample_size = entries;
        self
    }

    /// Sends so many commands in a second at most, one after the other; at least one.
    pub fn commands_per_second(mut self, commands: u32) -> Self {
        self.commands_per_second = commands;
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
    /// Those of the backend, up to the end of the walk. A right that is missing is a finding, but
    /// for `SCAN`; and so is a store that fails while entries are read.
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
        let keys: Vec<_> = owners.keyspaces.iter().flat_map(|it| it.keys()).collect();
        let asked = Asked {
            user: self.user.as_deref(),
            keys: &keys,
        };
        let servers = backend.servers(&asked, &mut pace).await?;
        let (most, sample) = (self.max_keys, self.sample_size);
        let survey = Survey::take(backend, &owners, most, sample, &mut pace).await?;
        let names_user = self.user.is_some();
        Ok(rules::report(servers, &owners, &survey, names_user))
    }
}

impl Default for Doctor {
    fn default() -> Self {
        Self::new()
    }
}
