//! The page of one keyspace.

use maud::{Markup, html};

use super::{Frame, framed};
use crate::inspector::catalog::Listed;
use crate::inspector::fields::fields;
use crate::inspector::listing::{ListedEntry, MOST, Rest};
use crate::inspector::text;
use crate::inspector::web::form::field_name;
use crate::keyspace::declared_life;

/// The entries on the page, with their handles.
#[derive(Debug)]
pub(in crate::inspector::web) struct Found {
    pub(in crate::inspector::web) entries: Vec<(ListedEntry, String)>,
    pub(in crate::inspector::web) rest: Rest,
    pub(in crate::inspector::web) foreign: usize,
}

/// Makes the page. `found` is missing if the entries may not be shown.
pub(in crate::inspector::web) fn keyspace(
    frame: &Frame<'_>,
    listed: &Listed,
    found: Option<&Found>,
) -> Markup {
    let content = html! {
        (facts(listed))
        @match found {
            Some(found) => {
                (look_up(frame, listed))
                (list(frame, listed, found))
            },
            None => p {
                "Keys and values of this keyspace aren't shown. Its declaration would have to say "
                code { "inspect" } "."
            },
        }
    };
    framed(frame.links, &listed.name, &content)
}

fn facts(listed: &Listed) -> Markup {
    let info = listed.info;
    html! {
        dl.facts {
            dt { "Type" }
            dd { code { (listed.path()) } }
            dt { "Keys" }
            dd { code { (listed.key_form()) } }
            dt { "Kind" }
            dd { (info.kind.as_str()) }
            dt { "Value" }
            dd { code { (info.value) } " by " (info.codec) }
            dt { "Declared life" }
            dd { (declared_life(info)) }
            @if let Some(older) = info.migrates {
                dt { "Migrates from" }
                dd { (older.name) ", version " (older.version) }
            }
        }
    }
}

/// A form that names one entry: by `POST`, so that no key is in an address.
fn look_up(frame: &Frame<'_>, listed: &Listed) -> Markup {
    let action = frame.links.to(&format!("keyspaces/{}", listed.name));
    html! {
        section aria-labelledby="look-up" {
            h2 #look-up { "Look up an entry" }
            form.fields method="post" action=(action) autocomplete="off" {
                input type="hidden" name="token" value=(frame.token);
                @for (position, field) in listed.info.key_fields.iter().enumerate() {
                    @let name = field_name(position);
                    div {
                        label for=(name) { (field) }
                        input id=(name) name=(name) type="text" autocapitalize="off" spellcheck="false";
                    }
                }
                button type="submit" { "Look up" }
            }
        }
    }
}

fn list(frame: &Frame<'_>, listed: &Listed, found: &Found) -> Markup {
    html! {
        section aria-labelledby="entries" {
            h2 #entries { "Entries" }
            @if found.entries.is_empty() {
                p { @match found.rest {
                    Rest::OutOfTime => "None was found in the time that a page takes.",
                    _ => "There are none.",
                } }
            } @else {
                p { (shown(found)) }
                div.wide tabindex="0" role="region" aria-labelledby="entries" {
                    table {
                        thead {
                            tr {
                                @if listed.info.key_fields.is_empty() {
                                    th scope="col" { "Entry" }
                                }
                                @for field in listed.info.key_fields {
                                    th scope="col" { (field) }
                                }
                                th scope="col" { "Ends in" }
                            }
                        }
                        tbody {
                            @for (entry, handle) in &found.entries {
                                (row(frame, listed, entry, handle))
                            }
                        }
                    }
                }
                (more(frame, listed, found))
            }
            @if found.foreign > 0 {
                p {
                    (text::count(found.foreign, "text", "texts"))
                    " under the prefix can't be a key of this keyspace, and isn't shown."
                }
            }
        }
    }
}

fn shown(found: &Found) -> String {
    let count = text::count(found.entries.len(), "entry", "entries");
    match found.rest {
        Rest::Nothing => format!("{count}, in no order."),
        Rest::More => format!("{count} of more, in no order."),
        Rest::OutOfTime => format!("{count}, in no order. There may be more."),
    }
}

fn row(frame: &Frame<'_>, listed: &Listed, entry: &ListedEntry, handle: &str) -> Markup {
    let link = frame.links.to(&format!("entries/{handle}"));
    let fields = fields(listed, &entry.key);
    let mut values = fields.iter().map(|(_, value)| value.as_str());
    // Many entries have the same first field, and a link is often read out by itself.
    let all: Vec<&str> = values.clone().collect();
    let all = text::visible(&all.join(", "));
    html! {
        tr {
            th scope="row" {
                @match values.next() {
                    Some(first) => a href=(link) aria-label=(all) { (value(first)) },
                    None => a href=(link) { "the one entry" },
                }
            }
            @for field in values {
                td { (value(field)) }
            }
            td { @match entry.expiry {
                Some(expiry) => (text::life(expiry)),
                None => "unknown",
            } }
        }
    }
}

/// The value of a key field. An empty one can be seen, and be followed as a link.
pub(super) fn value(value: &str) -> Markup {
    html! {
        @if value.is_empty() {
            em { "empty" }
        } @else {
            (text::visible(value))
        }
    }
}

fn more(frame: &Frame<'_>, listed: &Listed, found: &Found) -> Markup {
    let link = frame.links.to(&format!("keyspaces/{}?more", listed.name));
    html! {
        @if found.rest == Rest::More {
            @if found.entries.len() < MOST {
                p { a href=(link) { "Show up to " (text::number(MOST as u64)) } }
            } @else {
                p { "No more are listed. Look an entry up by its key fields." }
            }
        }
    }
}
