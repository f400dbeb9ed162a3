//! The rules on versions: whether older ones are still needed, and those that nobody declares.

use crate::doctor::finding::{Finding, FindingKind};
use crate::doctor::survey::Survey;
use crate::keyspace::owners::{Owners, Sought};
use crate::numbers::{counted, number};

/// Says of each `migrates` whether it is still needed, and names versions that nobody declares.
pub(super) fn findings(owners: &Owners, survey: &Survey, findings: &mut Vec<Finding>) {
    for (sought, tally) in owners.keyspaces.iter().zip(&survey.tallies) {
        findings.extend(of_migrates(sought, tally.keys, owners, survey));
    }
    for (prefix, versions) in &survey.other_versions {
        let keys = versions.values().sum();
        let versions = versions.iter().map(|(version, keys)| match version {
            1 => format!("`{prefix}` ({})", number(*keys)),
            version => format!("`{prefix}@{version}` ({})", number(*keys)),
        });
        let versions = versions.collect::<Vec<_>>().join(", ");
        let keys = counted(keys, "key is", "keys are");
        let message = format!(
            "{keys} of versions that this program doesn't declare: {versions}. An earlier or a \
             later program has written them"
        );
        findings.push(Finding::warning(
            prefix,
            FindingKind::UnknownVersion,
            message,
        ));
    }
}

/// Entries are read through the whole chain of older versions, so the first link is needed until
/// all of these are empty.
fn of_migrates(sought: &Sought, entries: u64, owners: &Owners, survey: &Survey) -> Option<Finding> {
    let info = sought.info()?;
    let name = info.migrates?.name;
    let older = |message: String| {
        let kind = FindingKind::OlderVersion;
        Some(Finding::note(&sought.head, kind, message))
    };
    let mut left = Vec::new();
    for older_version in info.versions().skip(1) {
        let Some(position) = owners.position(older_version) else {
            return older(format!(
                "`{}` isn't registered, so its entries aren't counted: `register_keyspace!` does \
                 it",
                older_version.name
            ));
        };
        let keys = survey.tallies[position].keys;
        if keys > 0 {
            left.push(format!("{} of `{}`", number(keys), older_version.name));
        }
    }
    if !left.is_empty() {
        let left = left.join(", ");
        return older(format!(
            "entries are left, {left}: `migrates = {name}` has to stay"
        ));
    }
    if !survey.is_whole {
        return older(format!(
            "no entry of an older version was seen, but not all keys were walked over: \
             `migrates = {name}` has to stay"
        ));
    }
    // Another store, or another namespace, may have the entries.
    (entries > 0).then(|| {
        Finding::note(
            &sought.head,
            FindingKind::MigratesUnneeded,
            format!(
                "no entry of an older version is left: `migrates = {name}` may be taken out, if no \
                 program writes older ones any more, and no other store has any"
            ),
        )
    })
}
