//! The rules on servers: version, memory, rights.

use crate::backend::examined::{Rights, ServerReport};
use crate::doctor::finding::{Finding, FindingKind, Severity};
use crate::doctor::words::{bytes, count};

/// The oldest version of Redis that the library runs on.
const OLDEST_REDIS: [u32; 2] = [6, 2];
/// The commands without which the library gets along, by another way or with less.
const USEFUL: [&str; 7] = [
    "INFO",
    "SELECT",
    "CLIENT SETNAME",
    "MGET",
    "EXISTS",
    "MULTI",
    "EXEC",
];
/// A server is nearly full at nine tenths of its limit.
const NEARLY: (u64, u64) = (9, 10);

/// Adds what is wrong with a server. `lasting` are the keyspaces whose entries may not be lost.
pub(super) fn findings(server: &ServerReport, lasting: &[String], findings: &mut Vec<Finding>) {
    let at = &server.address;
    if let Some(version) = &server.version
        && server.product == "redis"
        && is_old(version)
    {
        findings.push(Finding::fault(
            at,
            FindingKind::OldServer,
            format!("Redis {version} is too old: the library needs 6.2, or Valkey"),
        ));
    }
    of_memory(server, lasting, findings);
    match &server.rights {
        Rights::All => {}
        Rights::Missing {
            commands,
            keyspaces,
        } => findings.extend(missing(at, commands, keyspaces)),
        Rights::Unchecked(reason) => findings.push(Finding::note(
            at,
            FindingKind::RightsUnchecked,
            format!(
                "the user's rights are unchecked: {reason}. Ask as a user with `+acl`, and name \
                 the program's user"
            ),
        )),
    }
}

fn is_old(version: &str) -> bool {
    let mut numbers = version.split('.').map_while(|part| part.parse().ok());
    let numbers = [numbers.next().unwrap_or(0), numbers.next().unwrap_or(0)];
    numbers < OLDEST_REDIS
}

fn of_memory(server: &ServerReport, lasting: &[String], findings: &mut Vec<Finding>) {
    let at = &server.address;
    let policy = server.eviction.as_deref().unwrap_or("noeviction");
    let is_server = server.product != "memory";
    match server.limit_bytes {
        // No limit is known: it isn't told, or entries are counted.
        None if policy == "noeviction" => {}
        Some(0) => {
            if is_server {
                findings.push(Finding::note(
                    at,
                    FindingKind::NoMemoryLimit,
                    "`maxmemory` is not set: a full machine ends the server".to_string(),
                ));
            }
        }
        Some(limit) if policy == "noeviction" => {
            let used = server.used_bytes.unwrap_or(0);
            if used / NEARLY.0 >= limit / NEARLY.1 {
                findings.push(Finding::warning(
                    at,
                    FindingKind::NearlyFull,
                    format!(
                        "{} of {} are in use: at the limit writes fail with `Full`",
                        bytes(used),
                        bytes(limit)
                    ),
                ));
            }
        }
        _ => {
            if lasting.is_empty() {
                return;
            }
            let evicted = server.evicted.unwrap_or(0);
            let so_far = match evicted {
                0 => String::new(),
                evicted => format!(" ({} keys so far)", count(evicted)),
            };
            findings.push(Finding {
                severity: match evicted {
                    0 => Severity::Warning,
                    _ => Severity::Fault,
                },
                kind: FindingKind::Eviction,
                subject: at.clone(),
                message: format!(
                    "a full store evicts by `{policy}`{so_far}, also entries of {}: keep these in \
                     a store with `noeviction`, apart from caches",
                    lasting.join(", ")
                ),
            });
        }
    }
}

fn missing(at: &str, commands: &[String], keyspaces: &[String]) -> Vec<Finding> {
    let mut findings = Vec::new();
    if !keyspaces.is_empty() {
        findings.push(Finding::fault(
            at,
            FindingKind::RightsMissing,
            format!(
                "the user may not write keys of {}: give `~` with their pattern",
                keyspaces.join(", ")
            ),
        ));
    }
    if !commands.is_empty() {
        let is_useful = |command: &String| USEFUL.contains(&command.as_str());
        let message = format!("the user may not send {}", commands.join(", "));
        findings.push(match commands.iter().all(is_useful) {
            true => Finding::note(
                at,
                FindingKind::RightsMissing,
                format!("{message}, which the library uses where it may"),
            ),
            false => Finding::warning(
                at,
                FindingKind::RightsMissing,
                format!("{message}: operations that need it fail with `Denied`"),
            ),
        });
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn redis_before_6_2_is_old() {
        for (version, expected) in [
            ("5.0.14", true),
            ("6.0.20", true),
            ("6.2", false),
            ("6.2.0-rc1", false),
            ("10.0.0", false),
        ] {
            assert_eq!(is_old(version), expected, "{version}");
        }
    }
}
