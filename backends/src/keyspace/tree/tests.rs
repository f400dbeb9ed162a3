//! Trees of values of every shape, and of values that are too large.

use std::collections::BTreeMap;

use serde::{Serialize, Serializer};

use super::*;

#[derive(Serialize)]
struct Order {
    id: u64,
    note: Option<&'static str>,
    items: Vec<Item>,
    state: State,
}

#[derive(Serialize)]
struct Item {
    name: &'static str,
    price: f64,
}

#[derive(Serialize)]
enum State {
    New,
    Paid { by: &'static str },
    Sent(u8),
}

/// Shows a tree as text, a line each.
fn text<T: Serialize + ?Sized>(value: &T) -> Vec<String> {
    let tree = Tree::of(value);
    let line = |line: &Line| {
        let label = line.label.as_deref().map(|label| format!("{label}: "));
        let content = match &line.content {
            Content::Text { text, left_out: 0 } => format!("{text:?}"),
            Content::Text { text, left_out } => format!("text of {} and {left_out}", text.len()),
            Content::Number(number) => number.clone(),
            Content::Byte(byte) => byte.to_string(),
            Content::Word(word) => word.to_string(),
            Content::Bytes { first, length } => format!("{length} bytes {}", first.len()),
            Content::Compound {
                name,
                length,
                left_out,
                ..
            } => format!("{name}[{length} -{left_out}]"),
            Content::TooDeep => "too deep".to_string(),
        };
        let indent = " ".repeat(line.depth);
        format!("{indent}{}{content}", label.unwrap_or_default())
    };
    tree.lines().iter().map(line).collect()
}

#[test]
fn a_struct_is_shown_with_the_names_of_fields_and_variants() {
    let order = Order {
        id: 7,
        note: None,
        items: vec![Item {
            name: "<b>",
            price: 1e300,
        }],
        state: State::Paid { by: "card" },
    };
    assert_eq!(
        text(&order),
        [
            "Order[4 -0]",
            " id: 7",
            " note: none",
            " items: [1 -0]",
            "  0: Item[2 -0]",
            "   name: \"<b>\"",
            "   price: 1e300",
            " state: Paid[1 -0]",
            "  by: \"card\"",
        ]
    );
    assert_eq!(text(&State::New), ["New"]);
    assert_eq!(text(&State::Sent(3)), ["Sent[1 -0]", " 3"]);
}

#[test]
fn a_map_is_shown_by_its_keys() {
    let map = BTreeMap::from([((1, "a"), Some(true)), ((2, "b"), None)]);
    assert_eq!(text(&map), ["[2 -0]", " 1 \"a\": true", " 2 \"b\": none"]);
}

#[test]
fn bytes_are_shown_as_bytes_however_they_are_serialized() {
    assert_eq!(text(&vec![7_u8; 1_000]), ["1000 bytes 64"]);
    assert_eq!(text(&[7_u8; 16]), ["16 bytes 16"]);
    assert_eq!(text(serde_bytes::Bytes::new(b"ab")), ["2 bytes 2"]);
    assert_eq!(text(&(1_u8, "a")), ["[2 -0]", " 0: 1", " 1: \"a\""]);
    assert_eq!(text(&7_u8), ["7"]);
    assert_eq!(text(&Vec::<u8>::new()), ["[0 -0]"]);
}

#[test]
fn a_long_text_is_cut_at_a_character() {
    let long = "ü".repeat(8 << 20);
    assert_eq!(
        text(&long),
        [format!("text of 2000 and {}", (16 << 20) - 2000)]
    );
    let odd = format!("a{long}");
    assert_eq!(
        text(&odd),
        [format!("text of 1999 and {}", (16 << 20) - 1998)]
    );
}

#[test]
fn many_long_texts_are_bounded_together() {
    let texts = vec!["x".repeat(10_000); 90];
    let shown: usize = Tree::of(&texts)
        .lines()
        .iter()
        .map(|line| match &line.content {
            Content::Text { text, .. } => text.len(),
            _ => 0,
        })
        .sum();
    assert_eq!(shown, MOST_TEXT_OF_ALL);
}

#[test]
fn a_sequence_says_how_many_items_it_leaves_out() {
    let long: Vec<u32> = (0..1_000_000).collect();
    let shown = text(&long);
    assert_eq!(shown.len(), 1 + MOST_ITEMS);
    assert_eq!(shown[0], "[1000000 -999900]");
}

#[test]
fn a_tree_has_a_bounded_number_of_lines() {
    let wide = vec![vec![vec!["x"; 99]; 99]; 99];
    let lines = Tree::of(&wide).lines().len();
    assert!((MOST_LINES..MOST_LINES + 4).contains(&lines), "{lines}");
}

/// A value without an end: options and newtypes have no level of their own.
enum Endless {
    Items,
    Options,
    Variants,
}

impl Serialize for Endless {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Items => serializer.collect_seq([self]),
            Self::Options => serializer.serialize_some(self),
            Self::Variants => serializer.serialize_newtype_variant("Endless", 0, "More", self),
        }
    }
}

#[test]
fn a_value_without_an_end_is_cut() {
    assert_eq!(text(&Endless::Options), ["too deep"]);
    for endless in [Endless::Items, Endless::Variants] {
        let shown = text(&endless);
        assert_eq!(shown.len(), MOST_LEVELS + 1);
        assert!(shown[MOST_LEVELS].ends_with("too deep"), "{shown:?}");
    }
}

struct Refuses;

impl Serialize for Refuses {
    fn serialize<S: Serializer>(&self, _: S) -> Result<S::Ok, S::Error> {
        Err(serde::ser::Error::custom("it is locked"))
    }
}

#[test]
fn a_value_that_refuses_says_why_after_what_came_before() {
    let tree = Tree::of(&("first", Refuses));
    assert_eq!(tree.failed(), Some("it is locked"));
    assert_eq!(tree.lines().len(), 2);
}
