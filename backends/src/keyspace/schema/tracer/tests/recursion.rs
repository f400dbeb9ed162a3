//! Types inside of themselves.

use serde::Deserialize;

use super::{assert_shape, lines_of};

#[test]
fn a_type_inside_of_itself_is_recursive() {
    #[derive(Deserialize)]
    struct Tree {
        children: Vec<Tree>,
        name: String,
    }
    #[derive(Deserialize)]
    struct Wrapped(Vec<Wrapped>);
    #[derive(Deserialize)]
    struct Chain {
        next: Option<Box<Chain>>,
    }

    assert_shape::<Tree>(&[
        "value: struct",
        "value.children: seq",
        "value.children[]: recursive into value",
        "value.name: string",
    ]);
    assert_shape::<Wrapped>(&["value: seq", "value[]: recursive into value"]);
    assert_shape::<Chain>(&[
        "value: struct",
        "value.next: option, default",
        "value.next?: recursive into value",
    ]);
}

#[test]
fn a_recursive_line_says_into_what() {
    #[derive(Deserialize)]
    struct Order {
        items: Vec<Item>,
    }
    #[derive(Deserialize)]
    struct Item {
        within: Vec<Order>,
    }
    mod other {
        use serde::Deserialize;

        #[derive(Deserialize)]
        pub(super) struct Order {
            pub(super) items: Vec<Item>,
        }
        #[derive(Deserialize)]
        pub(super) struct Item {
            pub(super) within: Vec<Item>,
        }
    }

    let shape = |into: &str| {
        let last = format!("value.items[].within[]: recursive into {into}");
        let lines = [
            "value: struct",
            "value.items: seq",
            "value.items[]: struct",
            "value.items[].within: seq",
        ];
        [&lines.map(str::to_string)[..], &[last]].concat()
    };
    assert_eq!(lines_of::<Order>(false), shape("value"));
    assert_eq!(lines_of::<other::Order>(false), shape("value.items[]"));
}

#[test]
fn a_recursive_value_is_made_up_from_the_variant_that_ends() {
    #[derive(Deserialize)]
    enum Expr {
        Add(Box<Expr>, Box<Expr>, u8),
        Literal(i64),
    }

    assert_shape::<Expr>(&[
        "value: enum",
        "value.Add: tuple 3",
        "value.Add.0: recursive into value",
        "value.Add.1: recursive into value",
        "value.Add.2: u8",
        "value.Literal: newtype i64",
    ]);
}

#[test]
fn a_generic_type_inside_of_its_kind_is_not_recursive() {
    #[derive(Deserialize)]
    struct Page<T> {
        item: T,
    }

    assert_shape::<Page<Page<u8>>>(&["value: struct", "value.item: struct", "value.item.item: u8"]);
}
