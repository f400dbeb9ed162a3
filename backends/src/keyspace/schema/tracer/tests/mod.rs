//! The layouts that a trace finds in each kind of type.

#![allow(dead_code)]

mod enums;
mod fields;
mod flattened;
mod limits;
mod mocks;
mod recursion;
mod types;

use std::collections::HashMap;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::trace;

#[test]
fn a_trace_finds_the_same_each_time() {
    #[derive(Deserialize, Serialize)]
    struct Point {
        x: HashMap<String, (u8, Option<i32>)>,
    }

    assert_eq!(trace::<Point>(false), trace::<Point>(false));
}

#[track_caller]
fn assert_shape<T: DeserializeOwned>(expected: &[&str]) {
    assert_eq!(lines_of::<T>(false), expected);
}

fn lines_of<T: DeserializeOwned>(human_readable: bool) -> Vec<String> {
    let lines = trace::<T>(human_readable);
    let mut paths: Vec<_> = lines.iter().map(|line| &line.path).collect();
    paths.sort();
    paths.dedup();
    assert_eq!(paths.len(), lines.len(), "a path has one line");
    lines
        .into_iter()
        .map(|line| {
            let default = if line.default { ", default" } else { "" };
            format!("{}: {}{default}", line.path, line.kind)
        })
        .collect()
}
