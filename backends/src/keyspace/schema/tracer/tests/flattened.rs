//! Structs with flattened fields.

use std::collections::HashMap;

use serde::Deserialize;

use super::assert_shape;

#[derive(Deserialize)]
struct Inner {
    x: u8,
    point: Option<u8>,
}

#[test]
fn a_flattened_struct_shows_the_fields_that_it_cannot_be_read_without() {
    #[derive(Deserialize)]
    struct Flat {
        id: Vec<Part>,
        #[serde(flatten)]
        inner: Inner,
        #[serde(flatten)]
        deeper: Deeper,
        #[serde(flatten)]
        rest: HashMap<String, String>,
        optional: Option<u8>,
        last: (u8, bool),
    }
    #[derive(Deserialize)]
    struct Part {
        size: u16,
    }
    #[derive(Deserialize)]
    struct Deeper {
        name: String,
        #[serde(flatten)]
        inner: Deepest,
    }
    #[derive(Deserialize)]
    struct Deepest {
        at: Part,
    }
    #[derive(Deserialize)]
    struct Around(Option<Flat>, u8);

    let flat = "opaque (a flattened struct, but for its required fields)";
    let any = "opaque (asks for any type)";
    assert_shape::<Around>(&[
        "value: tuple 2",
        "value.0: option",
        &format!("value.0?: {flat}"),
        "value.0?.id: seq",
        "value.0?.id[]: struct",
        "value.0?.id[].size: u16",
        "value.0?.last: tuple 2",
        "value.0?.last.0: u8",
        "value.0?.last.1: bool",
        &format!("value.0?.x: {any}"),
        &format!("value.0?.name: {any}"),
        &format!("value.0?.at: {any}"),
        "value.1: u8",
    ]);
}

#[test]
fn a_flattened_struct_without_a_required_field_is_opaque() {
    #[derive(Deserialize)]
    struct Flat {
        optional: Option<u8>,
        #[serde(flatten)]
        rest: HashMap<String, u8>,
    }

    assert_shape::<(Flat, u8)>(&[
        "value: tuple 2",
        "value.0: opaque (a flattened struct, but for its required fields)",
        "value.1: u8",
    ]);
}

#[test]
fn a_flattened_struct_inside_of_itself_is_recursive() {
    #[derive(Deserialize)]
    struct Tree {
        children: Vec<Tree>,
        #[serde(flatten)]
        inner: Inner,
    }

    assert_shape::<Tree>(&[
        "value: opaque (a flattened struct, but for its required fields)",
        "value.children: seq",
        "value.children[]: recursive into value",
        "value.x: opaque (asks for any type)",
    ]);
}

#[test]
fn a_variant_with_flattened_fields_shows_those_that_are_required() {
    #[derive(Deserialize)]
    enum Event {
        Made {
            by: String,
            #[serde(flatten)]
            inner: Inner,
        },
        Gone,
    }

    assert_shape::<Event>(&[
        "value: enum",
        "value.Made: newtype opaque (a flattened struct, but for its required fields)",
        "value.Made.by: string",
        "value.Made.x: opaque (asks for any type)",
        "value.Gone: unit",
    ]);
}
