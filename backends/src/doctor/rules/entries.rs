//! The rules on the entries of a keyspace.

use crate::backend::Life;
use crate::doctor::finding::{Finding, FindingKind, Severity};
use crate::doctor::survey::Tally;
use crate::doctor::words::share;
use crate::keyspace::owners::Sought;
use crate::keyspace::{Kind, OnDecodeError};
use crate::numbers::counted;

/// Adds what is wrong with the entries of a keyspace.
pub(super) fn findings(
    sought: &Sought,
    tally: &Tally,
    is_whole: bool,
    findings: &mut Vec<Finding>,
) {
    let (at, readings) = (&sought.head, &tally.readings);
    let (decode_severity, reads) = match sought.info().map(|info| info.on_decode_error) {
        Some(OnDecodeError::Miss) => (Severity::Warning, "Reads find nothing there"),
        _ => (Severity::Fault, "Reads fail with `Decode`"),
    };
    let shares = [
        (
            if is_meant_to_end(sought) {
                readings.without_ttl
            } else {
                0
            },
            (Severity::Warning, FindingKind::MissingTtl),
            "have no end, and are meant to have one",
            "Another program writes them, or has made them persistent",
        ),
        (
            readings.long_ttl,
            (Severity::Note, FindingKind::LongTtl),
            "live for longer than the keyspace declares",
            "A call set the life, or an earlier program declared a longer one",
        ),
        (
            readings.undecodable,
            (decode_severity, FindingKind::Undecodable),
            "don't decode as values of the keyspace",
            reads,
        ),
        (
            readings.wrong_type,
            (Severity::Fault, FindingKind::WrongType),
            "hold another type of Redis than text",
            "Another program writes keys of this keyspace",
        ),
        (
            readings.too_large,
            (Severity::Note, FindingKind::TooLarge),
            "are larger than 1 MiB, and weren't loaded",
            "Large values hold up other calls on the same connection",
        ),
    ];
    for (part, (severity, kind), what, why) in shares {
        if part > 0 {
            let share = share(part, readings.read, tally.is_read_whole(is_whole));
            let message = format!("{share} {what}. {why}");
            findings.push(Finding::new(severity, at, kind, message));
        }
    }
    if readings.is_denied {
        findings.push(Finding::warning(
            at,
            FindingKind::Unread,
            "the doctor's user may not read these entries: it needs PTTL and GETRANGE",
        ));
    }
    if readings.failed > 0 {
        let entries = counted(readings.failed, "entry", "entries");
        let message = format!("{entries} of the sample could not be read");
        findings.push(Finding::warning(at, FindingKind::Unread, message));
    }
    if tally.malformed > 0 {
        let keys = counted(tally.malformed, "key begins", "keys begin");
        let message = format!(
            "{keys} as those of the keyspace do, and can't be read as one: the key fields were \
             others, or another program writes there"
        );
        findings.push(Finding::warning(at, FindingKind::MalformedKey, message));
    }
    if sought.registration.is_none() && tally.keys > 0 {
        let sessions = counted(tally.keys, "session is", "sessions are");
        let message = format!(
            "{sessions} under a prefix that no macro declares: with `register_sessions!` or \
             `register_tower_sessions!` they are checked"
        );
        findings.push(Finding::note(at, FindingKind::UndeclaredSessions, message));
    }
}

/// Says whether every entry of the keyspace has an end as the library writes it.
fn is_meant_to_end(sought: &Sought) -> bool {
    let declares_an_end = sought
        .info()
        .is_some_and(|info| matches!(info.life, Life::In(_)));
    declares_an_end
        || matches!(
            sought.kind(),
            Kind::Sessions | Kind::TowerSessions | Kind::Throttles
        )
}
