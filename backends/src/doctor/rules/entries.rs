//! The rules on the entries of a keyspace.

use crate::backend::Life;
use crate::doctor::finding::{Finding, FindingKind, Severity};
use crate::doctor::owners::Sought;
use crate::doctor::survey::Tally;
use crate::doctor::words::{counted, share};

/// Adds what is wrong with the entries of a keyspace.
pub(super) fn findings(sought: &Sought, tally: &Tally, findings: &mut Vec<Finding>) {
    let (at, readings) = (&sought.head, &tally.readings);
    if readings.is_denied {
        findings.push(Finding::fault(
            at,
            FindingKind::RightsMissing,
            "the user may not read entries: the sample ends here".to_string(),
        ));
    }
    let declares_an_end = sought
        .registration
        .is_some_and(|it| matches!(it.info().life, Life::In(_)));
    let shares = [
        (
            if declares_an_end { readings.endless } else { 0 },
            (Severity::Warning, FindingKind::NoEnd),
            "no end, though the keyspace declares one",
            "Somebody writes them without, or has taken their life",
        ),
        (
            readings.too_long,
            (Severity::Note, FindingKind::LongLife),
            "a longer life than declared",
            "A call set it, or an earlier program declared a longer one",
        ),
        (
            readings.undecodable,
            (Severity::Fault, FindingKind::Undecodable),
            "no value of the keyspace",
            "Reads fail with `Decode`, or miss",
        ),
        (
            readings.foreign,
            (Severity::Fault, FindingKind::ForeignType),
            "another type than text",
            "Another program writes keys of this keyspace",
        ),
    ];
    for (part, (severity, kind), what, why) in shares {
        if part > 0 {
            let share = share(part, readings.read, tally.keys);
            let message = format!("{what}: {share}. {why}");
            findings.push(Finding::new(severity, at, kind, message));
        }
    }
    if tally.malformed > 0 {
        findings.push(Finding::warning(
            at,
            FindingKind::MalformedKey,
            format!(
                "{} as those of the keyspace do and no key of it: the key fields were others, or \
                 another program writes there",
                counted(tally.malformed, "key begins", "keys begin")
            ),
        ));
    }
    if sought.registration.is_none() && tally.keys > 0 {
        findings.push(Finding::note(
            at,
            FindingKind::UndeclaredSessions,
            format!(
                "{} under a prefix that no macro declares: `register_sessions!` lets them be \
                 checked",
                counted(tally.keys, "session is", "sessions are")
            ),
        ));
    }
}
