//! Keyspaces, lists and entries as text. Everything that is stored has its control characters
//! escaped.

use std::fmt::Write;

use crate::inspector::catalog::{Listed, catalog};
use crate::inspector::entry::{Entry, EntryContent};
use crate::inspector::fields::fields;
use crate::inspector::listing::{Listing, Rest};
use crate::inspector::survey::Survey;
use crate::inspector::text::{count, hex, life, number, size, time, visible};
use crate::keyspace::tree::{CompoundKind, Content, Tree};
use crate::keyspace::{Key, declared_life};
use crate::table::table;

pub(super) fn keyspaces(survey: &Survey) -> String {
    let heads = ["keyspace", "kind", "value", "life", "entries", "shown"];
    let least = if survey.has_stopped { ">= " } else { "" };
    let rows = catalog().iter().zip(&survey.keyspaces);
    let rows = rows.map(|(listed, counted)| {
        [
            listed.key_form(),
            listed.info.kind.as_str().to_string(),
            format!("{} ({})", listed.info.value, listed.info.codec),
            declared_life(listed.info),
            format!("{least}{}", number(counted.entries as u64)),
            if listed.inspected.is_some() {
                "yes"
            } else {
                "no"
            }
            .to_string(),
        ]
    });
    let mut text = table(&heads, rows) + "\n";
    let walked = number(survey.walked as u64);
    let undeclared = number(survey.undeclared as u64);
    let versions = number(survey.other_versions as u64);
    let leases = number(survey.leases as u64);
    let _ = match survey.has_stopped {
        true => writeln!(
            text,
            "\nThere may be more than the {walked} keys that were looked at."
        ),
        false => writeln!(text, "\nAll {walked} keys that are text were looked at."),
    };
    let _ = writeln!(
        text,
        "No keyspace declares {least}{undeclared} of them. {least}{versions} have a version that this \
         program doesn't declare. {least}{leases} are leases."
    );
    text
}

pub(super) fn listing(listed: &Listed, listing: &Listing) -> String {
    let mut heads = listed.info.key_fields.to_vec();
    heads.push("ends in");
    let rows = listing.entries.iter().map(|entry| {
        let fields = fields(listed, &entry.key).into_iter();
        let mut row: Vec<String> = fields.map(|(_, value)| field(&value)).collect();
        row.push(entry.expiry.map_or_else(|| "unknown".to_string(), life));
        row
    });
    let mut text = table(&heads, rows) + "\n";
    let shown = count(listing.entries.len(), "entry", "entries");
    let _ = match listing.rest {
        Rest::Nothing => writeln!(text, "\n{shown}."),
        Rest::More => writeln!(text, "\n{shown} of more."),
        Rest::OutOfTime => writeln!(text, "\n{shown}. There may be more: the time was used up."),
    };
    if listing.foreign > 0 {
        let foreign = count(listing.foreign, "text", "texts");
        let _ = writeln!(
            text,
            "{foreign} under the prefix can't be a key of this keyspace."
        );
    }
    text
}

pub(super) fn entry(listed: &Listed, key: &Key, entry: &Entry) -> String {
    let mut facts: Vec<(&str, String)> = Vec::new();
    for (name, value) in fields(listed, key) {
        facts.push((name, field(&value)));
    }
    let expiry = entry.expiry.map_or_else(|| "unknown".to_string(), life);
    facts.push(("ends in", expiry));
    if let Some(bytes) = entry.size {
        facts.push(("size", size(bytes)));
    }
    facts.push(("codec", listed.info.codec.to_string()));
    facts.push(("version", listed.info.version.to_string()));
    let width = facts.iter().map(|(name, _)| name.chars().count()).max();
    let width = width.unwrap_or_default();
    let mut text = String::new();
    for (name, fact) in facts {
        let _ = writeln!(text, "{name:width$}  {fact}");
    }
    text.push('\n');
    content(&mut text, &entry.content);
    text
}

fn content(text: &mut String, content: &EntryContent) {
    let _ = match content {
        EntryContent::Value(value) => {
            tree(text, value);
            Ok(())
        }
        EntryContent::Quotas(quotas) => quotas.iter().try_for_each(|(quota, decision)| {
            let used = decision.limit.saturating_sub(decision.remaining);
            let (used, limit) = (number(used), number(decision.limit));
            match decision.reset_after.is_zero() {
                true => writeln!(text, "{quota}: nothing is used up"),
                false => writeln!(
                    text,
                    "{quota}: {used} of {limit} used up, all back in {}",
                    time(decision.reset_after)
                ),
            }
        }),
        EntryContent::NoValue { why, first } => writeln!(
            text,
            "not a value of this keyspace: {}\nthe first bytes: {}",
            visible(why),
            hex(first)
        ),
        EntryContent::ForeignType { why } => {
            writeln!(text, "not a value of this library: {}", visible(why))
        }
    };
}

fn tree(text: &mut String, tree: &Tree) {
    for line in tree.lines() {
        let indent = "  ".repeat(line.depth);
        let label = line.label.as_deref().map(|label| visible(label) + ": ");
        let label = label.unwrap_or_default();
        let _ = writeln!(text, "{indent}{label}{}", words(&line.content));
    }
    if let Some(failed) = tree.failed() {
        let _ = writeln!(
            text,
            "the value refuses to be shown as a whole: {}",
            visible(failed)
        );
    }
}

fn words(content: &Content) -> String {
    let more = |left_out: usize, what: &str| match left_out {
        0 => String::new(),
        left_out => format!(" ({} {what})", number(left_out as u64)),
    };
    match content {
        Content::Text { text, left_out } => {
            format!("\"{}\"{}", visible(text), more(*left_out, "more bytes"))
        }
        Content::Number(number) => number.clone(),
        Content::Byte(byte) => byte.to_string(),
        Content::Word(word) => visible(word),
        Content::Bytes { first, length } => {
            let more = more(length - first.len(), "more bytes");
            format!("{}{more}", hex(first))
        }
        Content::Compound {
            name,
            kind,
            length,
            left_out,
        } => {
            let length = match kind {
                CompoundKind::Items => count(*length, "item", "items"),
                CompoundKind::Map => count(*length, "key", "keys"),
                CompoundKind::Fields | CompoundKind::Variant => String::new(),
            };
            let head = format!("{} {length}", visible(name));
            format!("{}{}", head.trim(), more(*left_out, "left out"))
        }
        Content::TooDeep => "(deeper levels are left out)".to_string(),
    }
}

fn field(value: &str) -> String {
    match value {
        "" => "(empty)".to_string(),
        value => visible(value),
    }
}
