//! Keyspaces of one program that are in each other's way are named with both their places.
#![allow(dead_code)]

use reinhardt_backends::{ErrorKind, Keyspace, check_keyspaces};

mod shop {
    use super::Keyspace;

    #[derive(Keyspace)]
    #[keyspace(prefix = "twice", ttl = "1m", counter)]
    pub(super) struct Visits {
        id: u32,
    }
}

mod blog {
    use super::Keyspace;

    #[derive(Keyspace)]
    #[keyspace(prefix = "twice", ttl = "1m", value = String)]
    pub(super) struct Draft {
        id: u32,
    }

    #[derive(Keyspace)]
    #[keyspace(prefix = "twice", ttl = "1m", value = String, version = 3)]
    pub(super) struct Stray {
        id: u32,
    }
}

#[test]
fn a_conflict_names_both_types_and_both_places() {
    let error = check_keyspaces().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidConfig);
    let text = error.to_string();
    let conflicts: Vec<&str> = text.split("; ").collect();
    let of = |one: &str, other: &str| {
        let names = |conflict: &&&str| conflict.contains(one) && conflict.contains(other);
        conflicts
            .iter()
            .find(names)
            .copied()
            .unwrap_or_else(|| panic!("{text}"))
    };
    let same_keys = of("::shop::Visits`", "::blog::Draft`");
    assert!(
        same_keys.contains("two keyspaces have the keys `twice:..`"),
        "{same_keys}"
    );
    assert_eq!(
        same_keys.matches("prefix_conflicts.rs:").count(),
        2,
        "{same_keys}"
    );
    let stray = of("::blog::Draft`", "::blog::Stray`");
    assert!(
        stray.contains("neither `migrates` from the other"),
        "{stray}"
    );
}
