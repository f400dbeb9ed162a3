//! The table of the page, and the claims of the tests about it.

use std::collections::{BTreeMap, BTreeSet};
use std::error::Error;

use reinhardt_backends::session::SessionError;
use reinhardt_backends::{BackendError, ErrorKind};
use reinhardt_backends_tests::said;
use tower_sessions::session_store;

const PAGE: &str = include_str!("../../backends/docs/failures.md");
/// The words of a row that no server says so, but a made-up one.
const MADE_UP: &str = "*(made up)*";
/// The words of a row that no test provokes.
const NOT_PROVOKED: &str = "*(not provoked)*";

/// What is known of a write after an error, in the words of the page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Known {
    NotSent,
    Refused,
    Unknown,
    Part,
    NoWrite,
    Taken,
}

impl Known {
    const ALL: [Self; 6] = [
        Self::NotSent,
        Self::Refused,
        Self::Unknown,
        Self::Part,
        Self::NoWrite,
        Self::Taken,
    ];

    fn words(self) -> &'static str {
        match self {
            Self::NotSent => "nothing was sent",
            Self::Refused => "refused",
            Self::Unknown => "unknown",
            Self::Part => "a part was done",
            Self::NoWrite => "no write",
            Self::Taken => "taken",
        }
    }
}

/// A claim of a test: an error of this text and this kind comes, and so much is known of the write.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Claim {
    pub(crate) text: &'static str,
    pub(crate) kind: &'static str,
    pub(crate) known: Known,
    pub(crate) is_made_up: bool,
}

inventory::collect!(Claim);

/// Claims that a text of the page is met: `row!("the server answered OOM", Full, Refused)`. A claim
/// that begins with `made up` is about a server, a store or a runtime that only a test has.
macro_rules! row {
    (made up, $text:literal, $kind:ident, $known:ident) => {
        $crate::page::row!(@ $text, $kind, $known, true)
    };
    ($text:literal, $kind:ident, $known:ident) => {
        $crate::page::row!(@ $text, $kind, $known, false)
    };
    (@ $text:literal, $kind:ident, $known:ident, $is_made_up:literal) => {{
        const CLAIM: $crate::page::Claim = $crate::page::Claim {
            text: $text,
            kind: stringify!($kind),
            known: $crate::page::Known::$known,
            is_made_up: $is_made_up,
        };
        ::inventory::submit! { CLAIM }
        CLAIM
    }};
}

pub(crate) use row;

/// An error as a caller sees it.
#[derive(Debug)]
pub(crate) struct Met {
    /// The text without the kind, without what `outcome_unknown` and `failed_indices` tell, and
    /// without the node that answered.
    text: String,
    kind: String,
    outcome_unknown: bool,
    names_entries: bool,
    /// Everything that the error says, its causes included.
    said: String,
}

impl Met {
    /// Looks at an error of a call, or of a session.
    pub(crate) fn of(error: &(dyn Error + 'static)) -> Self {
        if let Some(error) = error.downcast_ref::<SessionError>() {
            return Self::of_session(error);
        }
        match error.downcast_ref::<session_store::Error>() {
            Some(error) => Self::of_tower_sessions(error),
            None => Self::of_call(error.downcast_ref().expect("an error that has a row")),
        }
    }

    /// Reads the words in which the store for tower-sessions hands an error on.
    fn of_tower_sessions(error: &session_store::Error) -> Self {
        let (kind, words) = match error {
            session_store::Error::Encode(words) => ("Encode", words),
            session_store::Error::Decode(words) => ("Decode", words),
            session_store::Error::Backend(words) => ("Backend", words),
        };
        let (_, text) = words.split_once(": ").unwrap();
        Self {
            text: text.to_string(),
            kind: kind.to_string(),
            outcome_unknown: text.contains("(outcome unknown)"),
            names_entries: false,
            said: said(error),
        }
    }

    fn of_call(error: &BackendError) -> Self {
        let shown = error.to_string();
        let text = shown.strip_prefix(&format!("{}: ", error.kind())).unwrap();
        let text = text.trim_end_matches(" (outcome unknown)");
        let names_entries = !error.failed_indices().is_empty();
        let text = match text.rsplit_once(" (entries [") {
            Some((text, _)) if names_entries => text,
            _ => text,
        };
        // The node of a cluster that answered so.
        let text = match text.split_once(" (127.0.0.1:") {
            Some((answer, _)) if answer.starts_with("the server answered ") => answer,
            _ => text,
        };
        let may_pass = matches!(
            error.kind(),
            ErrorKind::Unavailable | ErrorKind::Timeout | ErrorKind::Conflict
        );
        assert_eq!(error.is_transient(), may_pass, "{error}");
        Self {
            text: text.to_string(),
            kind: format!("{:?}", error.kind()),
            outcome_unknown: error.outcome_unknown(),
            names_entries,
            said: said(error),
        }
    }

    fn of_session(error: &SessionError) -> Self {
        let kind = match error {
            SessionError::Gone => "SessionGone",
            SessionError::Conflict => "SessionConflict",
            SessionError::OtherOwner => "SessionOtherOwner",
            _ => "SessionBackend",
        };
        Self {
            text: error.to_string(),
            kind: kind.to_string(),
            outcome_unknown: error.outcome_unknown(),
            names_entries: false,
            said: said(error),
        }
    }
}

impl Met {
    /// Says whether a word stands anywhere in the error, or its causes.
    pub(crate) fn says(&self, word: &str) -> bool {
        self.said.contains(word)
    }
}

impl Claim {
    /// Says whether an error is the one of the claim.
    pub(crate) fn is_met_by(&self, met: &Met) -> bool {
        let says_unknown = match self.known {
            Known::Unknown => met.outcome_unknown,
            Known::Part => met.outcome_unknown || met.names_entries,
            Known::NotSent | Known::Refused | Known::NoWrite | Known::Taken => !met.outcome_unknown,
        };
        matches(self.text, &met.text) && self.kind == met.kind && says_unknown
    }

    /// Checks that an error is the one of the claim, and shows no secret.
    #[track_caller]
    pub(crate) fn check(&self, error: &(impl Error + 'static)) {
        check(std::slice::from_ref(self), Met::of(error));
    }
}

/// Checks that an error is that of one of the claims, and shows no secret.
#[track_caller]
pub(crate) fn check(claims: &[Claim], met: Met) {
    assert!(
        claims.iter().any(|claim| claim.is_met_by(&met)),
        "{met:#?} is none of {claims:#?}"
    );
    for secret in ["topsecret", "hiddenkey", "pa55"] {
        assert!(!met.said.contains(secret), "{}", met.said);
    }
}

/// Says whether a text is that of a pattern, in which `..` stands for anything.
fn matches(pattern: &str, text: &str) -> bool {
    let mut parts = pattern.split("..");
    let Some(mut rest) = text.strip_prefix(parts.next().unwrap_or_default()) else {
        return false;
    };
    let parts: Vec<&str> = parts.collect();
    let Some((last, between)) = parts.split_last() else {
        return rest.is_empty();
    };
    for part in between {
        match rest.split_once(part) {
            Some((_, behind)) => rest = behind,
            None => return false,
        }
    }
    rest.ends_with(last)
}

/// A row of the table.
#[derive(Debug)]
struct Row {
    texts: Vec<&'static str>,
    kinds: BTreeSet<String>,
    known: BTreeSet<&'static str>,
    is_made_up: bool,
    is_provoked: bool,
}

/// Returns the rows of the table; those that name a group have no kind.
fn rows() -> Vec<Row> {
    let (_, table) = PAGE.split_once("# Every error").unwrap();
    let (table, _) = table.split_once("\n# ").unwrap();
    let rows = table.lines().filter(|line| line.starts_with("| `"));
    rows.map(|row| {
        let cells: Vec<&str> = row.trim_matches('|').split(" | ").collect();
        let [texts, kinds, known, advice] = cells[..] else {
            panic!("not four cells: {row}")
        };
        let words = Known::ALL.map(Known::words).into_iter();
        Row {
            texts: code(texts),
            // Of `SessionError::Gone` the claims have the name in one word.
            kinds: code(kinds)
                .into_iter()
                .map(|kind| kind.replace("Error::", ""))
                .collect(),
            known: words.filter(|words| known.contains(words)).collect(),
            is_made_up: advice.contains(MADE_UP),
            is_provoked: !advice.contains(NOT_PROVOKED),
        }
    })
    .collect()
}

/// Returns the pieces of code in a cell: between single, or double backticks.
fn code(cell: &'static str) -> Vec<&'static str> {
    let mut pieces = Vec::new();
    let mut rest = cell;
    while let Some(begin) = rest.find('`') {
        let quoted = &rest[begin..];
        let fence = match quoted.starts_with("``") {
            true => "``",
            false => "`",
        };
        let quoted = &quoted[fence.len()..];
        let (piece, behind) = quoted.split_once(fence).unwrap();
        pieces.push(piece.trim());
        rest = behind;
    }
    pieces
}

#[test]
fn a_gap_stands_for_anything() {
    assert!(matches(
        "the server answered OOM",
        "the server answered OOM"
    ));
    assert!(!matches("the server answered", "the server answered OOM"));
    assert!(matches(
        ".. bytes, the limit is ..",
        "17 bytes, the limit is 16"
    ));
    assert!(!matches(".. bytes", "17 bytes, the limit is 16"));
    assert!(!matches("a..b..c", "acb"));
}

/// Neither the page nor the tests have what the other hasn't.
#[test]
fn every_row_is_provoked_and_every_provoked_error_has_a_row() {
    let mut claims: BTreeMap<&str, Vec<&Claim>> = BTreeMap::new();
    for claim in inventory::iter::<Claim>() {
        claims.entry(claim.text).or_default().push(claim);
    }
    let rows = rows();
    assert!(rows.len() > 80, "{} rows", rows.len());
    let mut faults = Vec::new();
    let mut met = BTreeSet::new();
    for row in &rows {
        let mut kinds = BTreeSet::new();
        let mut known = BTreeSet::new();
        for text in &row.texts {
            if !met.insert(*text) {
                faults.push(format!("{text:?} stands twice"));
            }
            let claims = claims.get(text).map(Vec::as_slice).unwrap_or_default();
            if claims.is_empty() == row.is_provoked {
                faults.push(format!("{text:?} has {} claims", claims.len()));
            }
            if row.is_provoked && claims.iter().all(|claim| claim.is_made_up) != row.is_made_up {
                faults.push(format!("{text:?} is made up, or not: {claims:?}"));
            }
            kinds.extend(claims.iter().map(|claim| claim.kind.to_string()));
            known.extend(claims.iter().map(|claim| claim.known.words()));
        }
        if row.is_provoked && (kinds != row.kinds || known != row.known) {
            faults.push(format!("{row:?} has claims of {kinds:?} and {known:?}"));
        }
        if row.known.is_empty() {
            faults.push(format!("{row:?} says nothing of a write"));
        }
    }
    let unknown = claims.keys().filter(|text| !met.contains(*text));
    faults.extend(unknown.map(|text| format!("{text:?} has no row")));
    assert!(faults.is_empty(), "{faults:#?}");
}
