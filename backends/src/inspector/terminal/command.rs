//! The arguments of the command.

use std::ffi::OsString;

use super::Failure;

pub(super) const USAGE: &str = "\
arguments:
  (none)             all keyspaces
  KEYSPACE           the first 50 entries of a keyspace, such as session or session@2
  --more KEYSPACE    up to 1,000 entries
  KEYSPACE FIELD..   one entry, by all of its key fields
  --help             this text
Behind -- every argument is a field.
";

/// The things to show.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Command {
    Help,
    Keyspaces,
    Entries {
        keyspace: String,
        more: bool,
    },
    Entry {
        keyspace: String,
        fields: Vec<String>,
    },
}

impl Command {
    pub(super) fn parse(arguments: Vec<OsString>) -> Result<Self, Failure> {
        let mut words = Vec::new();
        let (mut more, mut only_fields) = (false, false);
        for argument in arguments {
            let argument = argument.into_string();
            let argument = argument.map_err(|_| Failure::usage("an argument isn't UTF-8"))?;
            match argument.as_str() {
                _ if only_fields => words.push(argument),
                "--" => only_fields = true,
                "--help" | "-h" => return Ok(Self::Help),
                "--more" => more = true,
                option if option.starts_with("--") => {
                    return Err(Failure::usage("there is no such option"));
                }
                _ => words.push(argument),
            }
        }
        let mut words = words.into_iter();
        let Some(keyspace) = words.next() else {
            return match more || only_fields {
                true => Err(Failure::usage("the name of a keyspace is missing")),
                false => Ok(Self::Keyspaces),
            };
        };
        let fields: Vec<String> = words.collect();
        match (fields.is_empty(), more) {
            (true, more) => Ok(Self::Entries { keyspace, more }),
            (false, true) => Err(Failure::usage("--more lists entries, and takes no fields")),
            (false, false) => Ok(Self::Entry { keyspace, fields }),
        }
    }
}
