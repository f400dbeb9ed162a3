//! The rules by which facts become findings.

mod entries;
mod servers;

use super::finding::{Finding, FindingKind};
use super::owners::{Owners, Sought};
use super::report::{KeysReport, KeyspaceReport, Lives, Report};
use super::survey::{Survey, Tally};
use super::words::{count, counted};
use crate::backend::examined::ServerReport;
use crate::keyspace::{KeyspaceInfo, Kind, OnUnavailable, check_keyspaces, versioned};

/// Puts the report together.
pub(super) fn report(servers: Vec<ServerReport>, owners: &Owners, survey: &Survey) -> Report {
    let mut findings = Vec::new();
    if let Err(error) = check_keyspaces() {
        findings.push(Finding::fault(
            "store",
            FindingKind::Declarations,
            error.to_string(),
        ));
    }
    let lasting = lasting(owners, survey);
    for server in &servers {
        servers::findings(server, &lasting, &mut findings);
    }
    for (sought, tally) in owners.keyspaces.iter().zip(&survey.tallies) {
        entries::findings(sought, tally, &mut findings);
    }
    of_versions(owners, survey, &mut findings);
    of_keys(survey, &servers, &mut findings);
    // Stable: equal ones keep their order.
    findings.sort_by_key(|finding| std::cmp::Reverse(finding.severity));
    let keyspaces = owners.keyspaces.iter().zip(&survey.tallies);
    let keyspaces = keyspaces.filter(|(sought, tally)| is_shown(sought, tally));
    Report {
        servers,
        keys: KeysReport {
            walked: survey.walked.keys,
            is_whole: survey.walked.is_whole,
            undeclared: survey.undeclared,
            leases: survey.leases,
        },
        keyspaces: keyspaces
            .map(|(sought, tally)| row(sought, tally))
            .collect(),
        findings,
    }
}

/// Lists the keyspaces whose entries are more than what can be computed again.
fn lasting(owners: &Owners, survey: &Survey) -> Vec<String> {
    let keyspaces = owners.keyspaces.iter().zip(&survey.tallies);
    let lasting = keyspaces.filter(|(sought, tally)| match sought.registration {
        Some(registration) => match registration.info() {
            info if info.kind == Kind::Value => false,
            info if info.kind == Kind::Entry => info.on_unavailable == OnUnavailable::Error,
            _ => true,
        },
        None => tally.keys > 0,
    });
    lasting
        .map(|(sought, _)| format!("`{}`", sought.head))
        .collect()
}

/// Sessions that nobody declares are a row where there are any.
fn is_shown(sought: &Sought, tally: &Tally) -> bool {
    sought.registration.is_some() || tally.keys > 0
}

fn row(sought: &Sought, tally: &Tally) -> KeyspaceReport {
    let readings = &tally.readings;
    let lives = readings.three_lives();
    KeyspaceReport {
        keys: sought.head.clone(),
        name: sought.name().to_string(),
        kind: sought.kind().as_str().to_string(),
        entries: tally.keys,
        read: readings.read,
        mean_bytes: readings.bytes / readings.read.max(1),
        largest_bytes: readings.largest,
        lives: lives.map(|[shortest, median, longest]| Lives {
            shortest,
            median,
            longest,
        }),
        endless: readings.endless,
        undecodable: readings.undecodable,
        foreign: readings.foreign,
        malformed: tally.malformed,
    }
}

/// Says of each `migrates` whether it is still needed, and names versions that nobody declares.
fn of_versions(owners: &Owners, survey: &Survey, findings: &mut Vec<Finding>) {
    let tally_of = |info: &KeyspaceInfo| {
        let head = versioned(info);
        let all = owners.keyspaces.iter().zip(&survey.tallies);
        let mut found = all.filter(|(sought, _)| sought.head == head);
        found
            .next()
            .map_or(0, |(_, tally)| tally.keys + tally.malformed)
    };
    for sought in &owners.keyspaces {
        let Some(older) = sought.registration.and_then(|it| it.info().migrates) else {
            continue;
        };
        // An older version has its own `migrates` for the versions before it.
        let left = tally_of(older);
        let name = older.name;
        findings.push(match (left, survey.walked.is_whole) {
            (0, true) => Finding::note(
                &sought.head,
                FindingKind::MigratesUnneeded,
                format!("no entry of `{name}` is left: `migrates = {name}` may be taken out"),
            ),
            (0, false) => Finding::note(
                &sought.head,
                FindingKind::OlderVersion,
                format!(
                    "no entry of `{name}` is among the keys that were walked over: walk over all \
                     before you take `migrates = {name}` out"
                ),
            ),
            (left, _) => Finding::note(
                &sought.head,
                FindingKind::OlderVersion,
                format!(
                    "{} left: `migrates = {name}` has to stay",
                    counted(
                        left,
                        &format!("entry of `{name}` is"),
                        &format!("entries of `{name}` are")
                    )
                ),
            ),
        });
    }
    for (head, keys) in &survey.other_versions {
        findings.push(Finding::warning(
            head,
            FindingKind::UnknownVersion,
            format!(
                "{} of a version that this program doesn't declare: a later or an earlier program \
                 has written there",
                counted(*keys, "key is", "keys are")
            ),
        ));
    }
}

fn of_keys(survey: &Survey, servers: &[ServerReport], findings: &mut Vec<Finding>) {
    if survey.undeclared > 0 {
        findings.push(Finding::note(
            "store",
            FindingKind::Undeclared,
            format!(
                "{} to no keyspace of this program",
                counted(survey.undeclared, "key belongs", "keys belong")
            ),
        ));
    }
    if !survey.walked.is_whole {
        let all = servers.iter().filter_map(|server| server.keys).sum();
        findings.push(Finding::note(
            "store",
            FindingKind::Partial,
            format!(
                "{} of some {} keys were walked over: the numbers of entries are parts of the \
                 real ones",
                count(survey.walked.keys),
                count(all)
            ),
        ));
    }
}
