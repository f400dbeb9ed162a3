//! The fields of structs: their defaults, their aliases and their names.

use serde::Deserialize;

use super::assert_shape;

#[test]
fn a_field_that_may_be_missing_has_a_default() {
    fn three() -> u8 {
        3
    }
    #[derive(Deserialize)]
    struct Session {
        id: String,
        nick: Option<String>,
        #[serde(default)]
        visits: u32,
        #[serde(default = "three")]
        tries: u8,
        seen: u64,
        #[serde(skip)]
        cached: u8,
    }

    assert_shape::<Session>(&[
        "value: struct",
        "value.id: string",
        "value.nick: option, default",
        "value.nick?: string",
        "value.visits: u32, default",
        "value.tries: u8, default",
        "value.seen: u64",
    ]);
}

#[test]
fn a_container_default_is_a_default_of_every_field() {
    #[derive(Deserialize, Default)]
    #[serde(default)]
    struct Settings {
        dark: bool,
        size: u8,
    }

    assert_shape::<Settings>(&[
        "value: struct",
        "value.dark: bool, default",
        "value.size: u8, default",
    ]);
}

#[test]
fn an_alias_names_its_field() {
    #[derive(Deserialize)]
    struct User {
        #[serde(alias = "id", alias = "zid")]
        key: u64,
        #[serde(default, alias = "b")]
        admin: bool,
        name: String,
    }

    assert_shape::<User>(&[
        "value: struct",
        "value.key: u64",
        "value.id: alias key",
        "value.zid: alias key",
        "value.admin: bool, default",
        "value.b: alias admin",
        "value.name: string",
    ]);
}

#[test]
fn odd_names_stay_apart_from_separators() {
    #[derive(Deserialize)]
    struct Odd {
        #[serde(rename = "a.b")]
        dot: u8,
        #[serde(rename = "c[]: ?,\\\n")]
        rest: u8,
        #[serde(rename = "ünï-code_1$")]
        fine: u8,
        #[serde(rename = "\u{200b}")]
        hidden: u8,
        #[serde(rename = "")]
        empty: u8,
    }

    assert_shape::<Odd>(&[
        "value: struct",
        "value.a\\u{2e}b: u8",
        "value.c\\u{5b}\\u{5d}\\u{3a}\\u{20}\\u{3f}\\u{2c}\\u{5c}\\u{a}: u8",
        "value.ünï-code_1$: u8",
        "value.\\u{200b}: u8",
        "value.: u8",
    ]);
}
