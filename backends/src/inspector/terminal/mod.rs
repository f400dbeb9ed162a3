//! The inspector in a terminal: a sub-command of one's own program.

mod command;
mod print;

use std::ffi::OsString;
use std::io::{self, ErrorKind as IoErrorKind, Write};
use std::process::ExitCode;

use self::command::Command;
use super::catalog::{self, Listed};
use super::text::visible;
use super::unseen::unseen;
use super::{entry, fields, listing, survey};
use crate::backend::Backend;
use crate::error::BackendError;

/// Shows in a terminal what the pages show, for a sub-command of one's own program.
///
/// | arguments | output |
/// |---|---|
/// | none | all keyspaces: what they declare, how many entries they have |
/// | `KEYSPACE` | the first 50 entries of a keyspace, such as `session` or `session@2` |
/// | `--more KEYSPACE` | up to 1,000 of them |
/// | `KEYSPACE FIELD..` | one entry, by all of its key fields |
/// | `--help` | this table |
///
/// Behind `--` every argument is a field. Entries of keyspaces without `inspect` aren't shown.
/// Control characters are printed as escapes, so nothing that is stored acts on the terminal.
///
/// The exit code is 1 if there is nothing to show or the store fails, and 2 if the arguments can't
/// be right; the reason goes to the standard error. If nobody reads the output any more, this ends
/// without a word.
///
/// It runs on tokio with its timers, as `#[tokio::main]` starts it.
///
/// # Examples
///
/// ```no_run
/// use std::process::ExitCode;
///
/// use reinhardt_backends::{Keyspace, MemoryBackend, inspector};
/// use serde::{Deserialize, Serialize};
///
/// #[derive(Serialize, Deserialize, Keyspace)]
/// #[keyspace(prefix = "cart", ttl = "2h", inspect)]
/// struct Cart {
///     #[keyspace(key)]
///     id: u64,
///     items: Vec<String>,
/// }
///
/// #[tokio::main]
/// async fn main() -> ExitCode {
///     // A `RedisBackend`, in a program that has something to look at.
///     let backend = MemoryBackend::new();
///     let mut arguments = std::env::args_os().skip(1);
///     match arguments.next() {
///         Some(word) if word == "inspect" => inspector::run(&backend, arguments).await,
///         _ => serve(backend).await,
///     }
/// }
/// # async fn serve(_: MemoryBackend) -> ExitCode { ExitCode::SUCCESS }
/// ```
///
/// With that, `app inspect cart 7` prints the cart 7.
pub async fn run<B, A>(backend: &B, arguments: impl IntoIterator<Item = A>) -> ExitCode
where
    B: Backend,
    A: Into<OsString>,
{
    let arguments = arguments.into_iter().map(Into::into);
    let arguments: Vec<OsString> = arguments.collect();
    let (text, code, is_output) = match unseen(answer(backend, arguments)).await {
        Ok(text) => (text, 0, true),
        Err(failure) => (failure.text, failure.code, false),
    };
    let is_written = match is_output {
        true => write(io::stdout().lock(), &text),
        false => write(io::stderr().lock(), &text),
    };
    match is_written {
        true => ExitCode::from(code),
        false => ExitCode::FAILURE,
    }
}

/// Writes the output. It is as good as written if nobody reads it any more.
fn write(mut to: impl Write, text: &str) -> bool {
    let written = to.write_all(text.as_bytes()).and_then(|()| to.flush());
    !matches!(written, Err(error) if error.kind() != IoErrorKind::BrokenPipe)
}

/// The reason why nothing is shown.
#[derive(Debug)]
struct Failure {
    text: String,
    code: u8,
}

impl Failure {
    fn usage(text: &str) -> Self {
        Self {
            text: format!("{text}\n\n{}", command::USAGE),
            code: 2,
        }
    }

    /// No `From`: the compiler would list it to users whose own error types it looks for.
    fn of_store(error: BackendError) -> Self {
        Self::nothing(visible(&entry::in_full(&error)))
    }

    fn nothing(text: impl Into<String>) -> Self {
        Self {
            text: text.into() + "\n",
            code: 1,
        }
    }
}

/// Returns the output for some arguments.
async fn answer(backend: &dyn Backend, arguments: Vec<OsString>) -> Result<String, Failure> {
    match Command::parse(arguments)? {
        Command::Help => Ok(command::USAGE.to_string()),
        Command::Keyspaces => {
            let survey = survey::survey(backend).await;
            Ok(print::keyspaces(&survey.map_err(Failure::of_store)?))
        }
        Command::Entries { keyspace, more } => {
            let listed = shown(&keyspace)?;
            if listed.info.key_fields.is_empty() {
                return entry_of(backend, listed, &[]).await;
            }
            let most = if more { listing::MOST } else { listing::FIRST };
            let listing = listing::list(backend, listed, most).await;
            let listing = listing.map_err(Failure::of_store)?;
            Ok(print::listing(listed, &listing))
        }
        Command::Entry {
            keyspace,
            fields: values,
        } => entry_of(backend, shown(&keyspace)?, &values).await,
    }
}

fn shown(keyspace: &str) -> Result<&'static Listed, Failure> {
    let listed = catalog::find(keyspace)
        .ok_or_else(|| Failure::usage("no keyspace of the program has this name"))?;
    match listed.inspected {
        Some(_) => Ok(listed),
        None => Err(Failure::nothing(format!(
            "keys and values of {} aren't shown: its declaration has no `inspect`",
            listed.name
        ))),
    }
}

async fn entry_of(
    backend: &dyn Backend,
    listed: &'static Listed,
    values: &[String],
) -> Result<String, Failure> {
    let key = fields::key_of(listed, values).ok_or_else(|| {
        Failure::usage(&format!(
            "the fields name no key of {}, which has the form {}",
            listed.name,
            listed.key_form()
        ))
    })?;
    let entry = entry::read(backend, listed, &key, None).await;
    let entry = entry.map_err(Failure::of_store)?;
    let entry = entry.ok_or_else(|| Failure::nothing("there is no entry under this key"))?;
    Ok(print::entry(listed, &key, &entry))
}

#[cfg(test)]
mod tests;
