//! The rules on servers: version, memory, rights.

use crate::backend::Life;
use crate::backend::examined::{Rights, ServerReport};
use crate::doctor::finding::{Finding, FindingKind, Severity};
use crate::doctor::survey::Survey;
use crate::keyspace::owners::Owners;
use crate::keyspace::{Kind, OnUnavailable};
use crate::numbers::{counted, size};

/// The oldest version of Redis that the library runs on.
const OLDEST_REDIS: [u32; 2] = [6, 2];
/// The commands without which the library gets along, by another way or with less.
const USEFUL: [&str; 8] = [
    "INFO",
    "SELECT",
    "CLIENT SETNAME",
    "CLUSTER NODES",
    "MGET",
    "EXISTS",
    "MULTI",
    "EXEC",
];
/// A server is nearly full at nine tenths of its limit.
const NEARLY: f64 = 0.9;

/// Adds what is wrong with a server.
pub(super) fn findings(
    server: &ServerReport,
    owners: &Owners,
    survey: &Survey,
    names_user: bool,
    findings: &mut Vec<Finding>,
) {
    let at = &server.address;
    match &server.version {
        Some(version) if server.product == "redis" && is_old(version) => {
            let message = format!("Redis {version} is too old: the library needs 6.2, or Valkey");
            findings.push(Finding::fault(at, FindingKind::OldServer, message));
        }
        None if server.product != "memory" => findings.push(Finding::warning(
            at,
            FindingKind::ServerUnchecked,
            "version, memory and eviction are unchecked: the doctor's user may not send INFO",
        )),
        _ => findings.extend(of_memory(server, owners, survey)),
    }
    match &server.rights {
        Rights::All => {}
        Rights::Missing {
            commands,
            keyspaces,
        } => findings.extend(missing(at, commands, keyspaces)),
        Rights::Unchecked { reason } => findings.push(Finding::new(
            match names_user {
                true => Severity::Warning,
                false => Severity::Note,
            },
            at,
            FindingKind::RightsUnchecked,
            format!(
                "the user's rights are unchecked: {reason}. Ask as a user who has \
                 `+acl|whoami +acl|dryrun`, and name the program's user"
            ),
        )),
    }
}

fn is_old(version: &str) -> bool {
    let mut numbers = version.split('.').map_while(|part| part.parse().ok());
    let numbers = [numbers.next().unwrap_or(0), numbers.next().unwrap_or(0)];
    numbers < OLDEST_REDIS
}

fn of_memory(server: &ServerReport, owners: &Owners, survey: &Survey) -> Option<Finding> {
    let at = &server.address;
    let policy = server.maxmemory_policy.as_deref().unwrap_or("noeviction");
    match (server.maxmemory, policy) {
        (Some(0), _) => (server.product != "memory").then(|| {
            Finding::note(
                at,
                FindingKind::NoMemoryLimit,
                "`maxmemory` isn't set: when the machine's memory runs out, the kernel may kill \
                 the server",
            )
        }),
        (Some(limit), "noeviction") => {
            let used = server.used_memory.unwrap_or(0);
            (used as f64 >= NEARLY * limit as f64).then(|| {
                let (used, limit) = (size(used), size(limit));
                let message = format!("{used} of {limit} are in use: a full store answers `Full`");
                Finding::warning(at, FindingKind::NearlyFull, message)
            })
        }
        (None, "noeviction") => None,
        (_, policy) => {
            let lasting = lasting(owners, survey, policy.starts_with("volatile"));
            let evicted = server.evicted_keys.unwrap_or(0);
            let evicted = counted(evicted, "key was", "keys were");
            (!lasting.is_empty()).then(|| {
                Finding::warning(
                    at,
                    FindingKind::Eviction,
                    format!(
                        "a full store evicts by `{policy}` ({evicted} so far, of all programs), \
                         and may evict {}: keep these in a store with `noeviction`, apart from \
                         caches",
                        lasting.join(", ")
                    ),
                )
            })
        }
    }
}

/// Lists the keyspaces that have entries here which can't be computed again. A `volatile` policy
/// evicts none without an end.
fn lasting(owners: &Owners, survey: &Survey, is_volatile: bool) -> Vec<String> {
    let keyspaces = owners.keyspaces.iter().zip(&survey.tallies);
    let lasting = keyspaces.filter(|(sought, tally)| {
        let is_safe = sought.info().is_some_and(|info| match info.kind {
            Kind::Value => true,
            Kind::Entry => info.on_unavailable == OnUnavailable::Miss,
            _ => false,
        });
        let never_ends = sought
            .info()
            .is_some_and(|info| info.life == Life::Never && is_volatile);
        tally.keys > 0 && !is_safe && !never_ends
    });
    let names = lasting.map(|(sought, _)| format!("`{}`", sought.head));
    let leases = (survey.leases > 0).then(|| "leases".to_string());
    names.chain(leases).collect()
}

fn missing(at: &str, commands: &[String], keyspaces: &[String]) -> Vec<Finding> {
    let kind = FindingKind::RightsMissing;
    let mut findings = Vec::new();
    if !keyspaces.is_empty() {
        findings.push(Finding::warning(
            at,
            kind,
            format!(
                "the user may not write keys of {}: if the program keeps them here, give their \
                 pattern (`~`)",
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
                kind,
                format!("{message}: the library uses them if it may"),
            ),
            false => Finding::warning(
                at,
                kind,
                format!("{message}: operations that need them fail with `Denied`"),
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

    #[test]
    fn a_server_is_nearly_full_from_nine_tenths_on() {
        let mut server = ServerReport {
            address: "a".to_string(),
            product: "redis".to_string(),
            version: Some("7.0.15".to_string()),
            mode: None,
            key_count: None,
            used_memory: Some(899),
            maxmemory: Some(1_000),
            maxmemory_policy: Some("noeviction".to_string()),
            evicted_keys: Some(0),
            rights: Rights::All,
        };
        let owners = Owners::of_the_program();
        let survey = Survey::empty(&owners);
        assert_eq!(of_memory(&server, &owners, &survey), None);
        server.used_memory = Some(900);
        let finding = of_memory(&server, &owners, &survey).unwrap();
        assert_eq!(finding.kind, FindingKind::NearlyFull);
        server.maxmemory = Some(u64::MAX);
        assert_eq!(of_memory(&server, &owners, &survey), None);
    }
}
