//! The page of one entry, and the question whether to delete it.

use maud::{Markup, html};

use super::keyspace::value;
use super::tree::tree;
use super::{Frame, framed};
use crate::backend::Expiry;
use crate::inspector::catalog::Listed;
use crate::inspector::entry::{Entry, EntryContent};
use crate::inspector::fields::fields;
use crate::inspector::text;
use crate::keyspace::{Key, Kind};
use crate::quota::{Decision, Quota};

pub(in crate::inspector::web) fn entry(
    frame: &Frame<'_>,
    listed: &Listed,
    key: &Key,
    handle: &str,
    entry: &Entry,
) -> Markup {
    let content = html! {
        (back(frame, listed))
        (key_fields(listed, key))
        dl.facts {
            dt { @match listed.info.kind {
                Kind::Counter => "The window ends in",
                _ => "Ends in",
            } }
            dd #left { (life(entry.expiry)) }
            @if let Some(size) = entry.size {
                dt { "Size" }
                dd { (text::size(size)) }
            }
            dt { "Codec" }
            dd { (listed.info.codec) }
            dt { "Version" }
            dd { (listed.info.version) }
        }
        section aria-labelledby="content" {
            (content(&entry.content))
        }
        @if frame.deletes && listed.may_be_deleted {
            (button(frame, handle, "delete", "Delete this entry"))
        }
    };
    let title = format!("Entry of {}", listed.name);
    framed(frame.links, &title, &content)
}

/// Makes the page that asks for the second time. The button leads to the deletion of what is there
/// now.
pub(in crate::inspector::web) fn ask_again(
    frame: &Frame<'_>,
    listed: &Listed,
    key: &Key,
    handle: &str,
    deletion: &str,
) -> Markup {
    let content = html! {
        p { "This can't be undone." }
        (key_fields(listed, key))
        (button(frame, deletion, "sure", "Yes, delete it"))
        p { a href=(frame.links.to(&format!("entries/{handle}"))) { "No, keep it" } }
    };
    let title = format!("Delete this entry of {}?", listed.name);
    framed(frame.links, &title, &content)
}

/// Makes the page after a deletion.
pub(in crate::inspector::web) fn deleted(
    frame: &Frame<'_>,
    listed: &Listed,
    was_there: bool,
) -> Markup {
    let (title, text) = match was_there {
        true => ("Deleted", "The entry is deleted."),
        false => ("Gone", "The entry was gone already."),
    };
    let content = html! {
        p role="status" { (text) }
        (back(frame, listed))
    };
    framed(frame.links, title, &content)
}

fn back(frame: &Frame<'_>, listed: &Listed) -> Markup {
    let link = frame.links.to(&format!("keyspaces/{}", listed.name));
    html! { p { a href=(link) { "All entries of " (listed.name) } } }
}

fn key_fields(listed: &Listed, key: &Key) -> Markup {
    let fields = fields(listed, key);
    html! {
        @if !listed.info.key_fields.is_empty() {
            h2 { "Key" }
            dl.facts {
                @for (name, field) in fields {
                    dt { (name) }
                    dd.text { (value(&field)) }
                }
            }
        }
    }
}

/// The rest of a life, which the script counts down.
fn life(expiry: Option<Expiry>) -> Markup {
    html! {
        @match expiry {
            Some(Expiry::In(left)) => {
                span role="timer" data-left=(left.as_millis()) { (text::time(left)) }
            },
            Some(Expiry::Never) => "no end",
            None => "unknown",
        }
    }
}

fn content(content: &EntryContent) -> Markup {
    html! {
        @match content {
            EntryContent::Value(value) => {
                h2 #content { "Value" }
                (tree(value))
            },
            EntryContent::Quotas(quotas) => {
                h2 #content { "Limits" }
                (limits(quotas))
            },
            EntryContent::NoValue { why, first } => {
                h2 #content { "Not a value of this keyspace" }
                p.error role="alert" { (text::visible(why)) }
                p { "The first bytes:" }
                pre.text { @if first.is_empty() { "none" } @else { (text::hex(first)) } }
            },
            EntryContent::ForeignType { why } => {
                h2 #content { "Not a value of this library" }
                p.error role="alert" { (text::visible(why)) }
            },
        }
    }
}

fn limits(quotas: &[(Quota, Decision)]) -> Markup {
    html! {
        div.wide tabindex="0" role="region" aria-labelledby="content" {
            table {
                thead {
                    tr {
                        th scope="col" { "Limit" }
                        th scope="col" { "Used up" }
                        th scope="col" { "All back in" }
                    }
                }
                tbody {
                    @for (quota, decision) in quotas {
                        tr {
                            th scope="row" { (quota) }
                            td {
                                (text::number(decision.limit.saturating_sub(decision.remaining)))
                                " of " (text::number(decision.limit))
                            }
                            td { @match decision.reset_after.is_zero() {
                                true => "nothing is used up",
                                false => (life(Some(Expiry::In(decision.reset_after)))),
                            } }
                        }
                    }
                }
            }
        }
    }
}

fn button(frame: &Frame<'_>, handle: &str, action: &str, label: &str) -> Markup {
    html! {
        form method="post" action=(frame.links.to(&format!("entries/{handle}/{action}"))) {
            input type="hidden" name="token" value=(frame.token);
            button.danger type="submit" { (label) }
        }
    }
}
