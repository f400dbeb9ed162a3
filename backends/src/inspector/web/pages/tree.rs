//! A decoded value as nested lists.

use maud::{Markup, html};

use crate::inspector::text;
use crate::keyspace::tree::{CompoundKind, Content, Line, Tree};

/// Makes the lists. A tree has a bounded depth, so this may call itself.
pub(super) fn tree(tree: &Tree) -> Markup {
    html! {
        div.wide.tree tabindex="0" role="region" aria-labelledby="content" {
            (level(tree.lines()))
        }
        @if let Some(failed) = tree.failed() {
            p.error role="alert" { "The value refuses to be shown as a whole: " (text::visible(failed)) }
        }
    }
}

fn level(lines: &[Line]) -> Markup {
    html! {
        ul {
            @for (line, below) in items(lines) {
                li {
                    @if let Some(label) = &line.label {
                        span.label { (text::visible(label)) ":" } " "
                    }
                    (content(&line.content))
                    @if !below.is_empty() {
                        (level(below))
                    }
                }
            }
        }
    }
}

/// Returns the lines of the first level, each with the lines below it.
fn items(mut lines: &[Line]) -> impl Iterator<Item = (&Line, &[Line])> {
    std::iter::from_fn(move || {
        let (first, rest) = lines.split_first()?;
        let below = rest.iter().take_while(|line| line.depth > first.depth);
        let (below, next) = rest.split_at(below.count());
        lines = next;
        Some((first, below))
    })
}

fn content(content: &Content) -> Markup {
    html! {
        @match content {
            Content::Text { text, left_out } => {
                @if text.is_empty() && *left_out == 0 {
                    em { "empty text" }
                } @else {
                    span.text { (text::visible(text)) }
                }
                @if *left_out > 0 {
                    " " em { (text::number(*left_out as u64)) " more bytes" }
                }
            },
            Content::Number(number) => span.number { (number) },
            Content::Byte(byte) => span.number { (byte) },
            Content::Word(word) => span.word { (text::visible(word)) },
            Content::Bytes { first, length } => {
                code.text { (text::hex(first)) }
                @let left_out = length - first.len();
                @if left_out > 0 {
                    " " em { (text::number(left_out as u64)) " more bytes" }
                }
            },
            Content::Compound { name, kind, length, left_out } => {
                (head(name, *kind, *length))
                @if *left_out > 0 {
                    " " em { (text::number(*left_out as u64)) " of them left out" }
                }
            },
            Content::TooDeep => em { "deeper levels are left out" },
        }
    }
}

fn head(name: &str, kind: CompoundKind, length: usize) -> Markup {
    html! {
        @if !name.is_empty() {
            span.word { (text::visible(name)) } " "
        }
        @match kind {
            CompoundKind::Items => span.quiet { (text::count(length, "item", "items")) },
            CompoundKind::Map => span.quiet { (text::count(length, "key", "keys")) },
            CompoundKind::Fields if length == 0 => span.quiet { "no fields" },
            CompoundKind::Fields | CompoundKind::Variant => {},
        }
    }
}
