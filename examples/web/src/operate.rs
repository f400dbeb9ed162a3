//! Commands for operators, on the server that the instances share: what is wrong there, and what is
//! in there.

use std::process::ExitCode;

use reinhardt_backends::doctor::{Severity, doctor};
use reinhardt_backends::{BackendResult, RedisBackend, inspector};

use crate::store;

/// What this program is started for.
#[derive(Debug)]
pub(crate) enum Command {
    Serve,
    /// Looks for what is wrong in the store. The exit code is 1 if something is.
    Doctor,
    /// Shows what the store holds.
    Inspect(Vec<String>),
}

impl Command {
    /// Reads the arguments.
    ///
    /// # Errors
    ///
    /// A sentence about a word that is no command.
    pub(crate) fn from_arguments(arguments: &[String]) -> Result<Self, String> {
        match arguments {
            [] => Ok(Self::Serve),
            [command] if command == "doctor" => Ok(Self::Doctor),
            [command, rest @ ..] if command == "inspect" => Ok(Self::Inspect(rest.to_vec())),
            [other, ..] => Err(format!("\"{other}\" is no command")),
        }
    }
}

/// Looks for what is wrong in the store of the service.
///
/// # Errors
///
/// Those of the store.
pub(crate) async fn examine(url: &str) -> BackendResult<ExitCode> {
    let backend = store::connect(url).await?;
    let report = doctor(&backend).await?;
    println!("{report}");
    backend.close().await;
    Ok(report.exit_code(Severity::Warning))
}

/// Shows what the store of the service holds: keys and values of keyspaces that say `inspect`.
///
/// # Errors
///
/// Those of the store.
pub(crate) async fn inspect(url: &str, arguments: &[String]) -> BackendResult<ExitCode> {
    let backend: RedisBackend = store::connect(url).await?;
    let code = inspector::run(&backend, arguments).await;
    backend.close().await;
    Ok(code)
}
