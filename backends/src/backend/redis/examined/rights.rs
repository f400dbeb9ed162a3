//! The rights of a user, by `ACL DRYRUN`: the server says whether the user might send a command,
//! and executes nothing.

use super::super::client::{Command, ErrorReply, NodeId, Reply, code, is_unknown};
use super::super::commands::Commands;
use crate::backend::examined::{Asked, Pace, Rights};
use crate::error::BackendResult;

/// The place of a key in the arguments below.
const KEY: &str = "\0";

/// The commands that the library sends, scripts included, each with arguments that the server
/// takes. The page on running on Redis has the same list.
const COMMANDS: [&[&str]; 22] = [
    &["PING"],
    &["INFO"],
    &["SELECT", "0"],
    &["CLIENT", "SETNAME", "x"],
    &["GET", KEY],
    &["MGET", KEY],
    &["EXISTS", KEY],
    &["MULTI"],
    &["EXEC"],
    &["SET", KEY, "x"],
    &["GETDEL", KEY],
    &["GETEX", KEY],
    &["UNLINK", KEY],
    &["DEL", KEY],
    &["SCAN", "0"],
    &["PEXPIRE", KEY, "1"],
    &["PTTL", KEY],
    &["PERSIST", KEY],
    &["INCRBY", KEY, "1"],
    &["TIME"],
    &["EVALSHA", "x", "1", KEY],
    &["EVAL", "return 1", "1", KEY],
];

/// The commands that the nodes of a cluster are sent besides.
const OF_CLUSTERS: [&[&str]; 3] = [&["CLUSTER", "SLOTS"], &["CLUSTER", "NODES"], &["ASKING"]];

/// The answer to one question.
enum Verdict {
    Allowed,
    Refused,
    /// The question itself was refused, for this reason.
    Unasked(String),
}

impl Commands {
    /// Asks a server what a user may do there.
    pub(super) async fn rights(
        &self,
        node: Option<NodeId>,
        asked: &Asked<'_>,
        pace: &mut Pace,
    ) -> BackendResult<Rights> {
        let user = match asked.user {
            Some(user) => user.to_string(),
            None => {
                let who = Command::new("ACL").arg("WHOAMI");
                match self.ask_server(node, who, pace).await? {
                    Reply::Bytes(name) => String::from_utf8_lossy(name.as_bytes()).into_owned(),
                    reply => return Ok(unchecked(reason(&reply))),
                }
            }
        };
        let mut keyspaces = Vec::new();
        // With a key that the user may use, a command that is refused is refused as such.
        let mut usable = None;
        for (keyspace, key) in asked.keys {
            match self.may(node, &user, &["SET", KEY, "x"], key, pace).await? {
                Verdict::Allowed => usable = usable.or(Some(key)),
                Verdict::Refused => keyspaces.push(keyspace.clone()),
                Verdict::Unasked(reason) => return Ok(unchecked(reason)),
            }
        }
        let none = String::new();
        let key = usable.or_else(|| asked.keys.first().map(|(_, key)| key));
        let key = key.unwrap_or(&none);
        let of_clusters = OF_CLUSTERS.iter().filter(|_| node.is_some());
        let mut commands = Vec::new();
        for words in COMMANDS.iter().chain(of_clusters) {
            match self.may(node, &user, words, key, pace).await? {
                Verdict::Allowed => {}
                Verdict::Refused => commands.push(name(words)),
                Verdict::Unasked(reason) => return Ok(unchecked(reason)),
            }
        }
        // Without `SET` no keyspace can be told from the others.
        if commands.iter().any(|command| command == "SET") && usable.is_none() {
            keyspaces.clear();
        }
        Ok(match commands.is_empty() && keyspaces.is_empty() {
            true => Rights::All,
            false => Rights::Missing {
                commands,
                keyspaces,
            },
        })
    }

    async fn may(
        &self,
        node: Option<NodeId>,
        user: &str,
        words: &[&str],
        key: &str,
        pace: &mut Pace,
    ) -> BackendResult<Verdict> {
        let command = Command::new("ACL").arg("DRYRUN").arg(user);
        let command = words.iter().fold(command, |command, word| match *word {
            KEY => command.joined(self.prefix.as_bytes(), key.as_bytes()),
            word => command.arg(word),
        });
        Ok(match self.ask_server(node, command, pace).await? {
            Reply::Status => Verdict::Allowed,
            Reply::Bytes(_) => Verdict::Refused,
            // A command that the server doesn't have.
            Reply::Error(error) if is_no_command(&error) => Verdict::Refused,
            reply => Verdict::Unasked(reason(&reply)),
        })
    }
}

/// `CLIENT SETNAME`: a name and, of a command that has several, which of them.
fn name(words: &[&str]) -> String {
    let names = match words {
        [first @ ("CLIENT" | "CLUSTER"), second, ..] => vec![*first, *second],
        [first, ..] => vec![*first],
        [] => Vec::new(),
    };
    names.join(" ")
}

fn unchecked(reason: String) -> Rights {
    Rights::Unchecked { reason }
}

/// `ERR Command 'getdel' not found`
fn is_no_command(error: &ErrorReply) -> bool {
    let details = error.details();
    details.starts_with("Command '") && details.ends_with("not found")
}

fn reason(reply: &Reply) -> String {
    match reply {
        Reply::Error(error) if is_unknown(error) => {
            "the server doesn't know `ACL DRYRUN`, which Redis 7.0 has brought".to_string()
        }
        Reply::Error(error) if error.details().ends_with("not found") => {
            "the server doesn't know the user".to_string()
        }
        Reply::Error(error) => format!("the server answered {} to `ACL`", code(error)),
        _ => "the server's answer to `ACL` has an unexpected shape".to_string(),
    }
}
