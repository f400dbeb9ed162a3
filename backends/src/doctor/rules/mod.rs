//! The rules by which facts become findings.

mod entries;
mod servers;
mod versions;

use super::finding::{Finding, FindingKind};
use super::report::{KeyspaceReport, Report, TtlReport};
use super::survey::{Survey, Tally};
use crate::backend::examined::ServerReport;
use crate::keyspace::check_keyspaces;
use crate::keyspace::owners::{Owners, Sought};
use crate::numbers::counted;

/// Puts the report together. `names_user` says whether the rights are those of a named user.
pub(super) fn report(
    servers: Vec<ServerReport>,
    owners: &Owners,
    survey: &Survey,
    names_user: bool,
) -> Report {
    let mut findings = Vec::new();
    if let Err(error) = check_keyspaces() {
        let message = error.to_string();
        findings.push(Finding::fault("store", FindingKind::Declarations, message));
    }
    for server in &servers {
        servers::findings(server, owners, survey, names_user, &mut findings);
    }
    for (sought, tally) in owners.keyspaces.iter().zip(&survey.tallies) {
        entries::findings(sought, tally, survey.is_whole, &mut findings);
    }
    versions::findings(owners, survey, &mut findings);
    of_keys(survey, &mut findings);
    // Stable: equal ones keep their order.
    findings.sort_by_key(|finding| std::cmp::Reverse(finding.severity));
    let keyspaces = owners.keyspaces.iter().zip(&survey.tallies);
    // Sessions that nobody declares are a row where there are any.
    let keyspaces =
        keyspaces.filter(|(sought, tally)| sought.registration.is_some() || tally.keys > 0);
    let rows = keyspaces.map(|(sought, tally)| row(sought, tally, survey.is_whole));
    Report {
        servers,
        is_whole: survey.is_whole,
        undeclared_keys: survey.undeclared,
        leases: survey.leases,
        keyspaces: rows.collect(),
        findings,
    }
}

fn row(sought: &Sought, tally: &Tally, is_whole: bool) -> KeyspaceReport {
    let readings = &tally.readings;
    let ttls = readings.three_ttls();
    KeyspaceReport {
        keyspace: sought.head.clone(),
        name: sought.name().to_string(),
        kind: sought.kind().as_str().to_string(),
        entries: tally.keys,
        sampled: readings.read,
        is_read_whole: tally.is_read_whole(is_whole),
        mean_bytes: readings.bytes / readings.loaded.max(1),
        largest_bytes: readings.largest,
        too_large: readings.too_large,
        ttl: ttls.map(|[shortest, median, longest]| TtlReport {
            shortest,
            median,
            longest,
        }),
        without_ttl: readings.without_ttl,
        undecodable: readings.undecodable,
        wrong_type: readings.wrong_type,
        malformed_keys: tally.malformed,
    }
}

fn of_keys(survey: &Survey, findings: &mut Vec<Finding>) {
    if survey.undeclared > 0 {
        let keys = counted(survey.undeclared, "key belongs", "keys belong");
        let message = format!("{keys} to no keyspace of this program");
        findings.push(Finding::note("store", FindingKind::UndeclaredKeys, message));
    }
    if !survey.is_whole {
        findings.push(Finding::note(
            "store",
            FindingKind::Partial,
            "it isn't certain that all keys were walked over: there were more than `max_keys`, or \
             keys moved between servers meanwhile",
        ));
    }
    if let Some(error) = &survey.gave_up {
        let message = format!("the store failed again and again, and was asked no more: {error}");
        findings.push(Finding::fault("store", FindingKind::Unread, message));
    }
}
