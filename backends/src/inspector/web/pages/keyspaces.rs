//! The page with all keyspaces.

use maud::{Markup, html};

use super::{Frame, framed};
use crate::inspector::Reads;
use crate::inspector::catalog::{Listed, catalog};
use crate::inspector::survey::{Counted, SAMPLED, Sample, Survey};
use crate::inspector::text;
use crate::keyspace::{Kind, declared_life};

/// Makes the page. `reads` is missing if nobody counts them.
pub(in crate::inspector::web) fn keyspaces(
    frame: &Frame<'_>,
    survey: &Survey,
    reads: Option<&Reads>,
) -> Markup {
    let content = html! {
        (summary(survey, reads.is_some()))
        @if catalog().is_empty() {
            p { "This program declares no keyspace." }
        } @else {
            div.wide {
                table.cards role="table" {
                    thead role="rowgroup" {
                        tr role="row" {
                            @for head in heads(reads.is_some()) {
                                th scope="col" role="columnheader" { (head) }
                            }
                        }
                    }
                    tbody role="rowgroup" {
                        @for (listed, counted) in catalog().iter().zip(&survey.keyspaces) {
                            (row(frame, listed, counted, survey.has_stopped, reads))
                        }
                    }
                }
            }
        }
    };
    framed(frame.links, "Keyspaces", &content)
}

fn heads(has_reads: bool) -> impl Iterator<Item = &'static str> {
    let reads = has_reads.then_some("Hit ratio");
    ["Keyspace", "Kind and value", "Declared life", "Entries"]
        .into_iter()
        .chain(reads)
        .chain(["Left to live", "Size of values", "Entries shown"])
}

fn summary(survey: &Survey, has_reads: bool) -> Markup {
    let least = if survey.has_stopped { "at least " } else { "" };
    html! {
        p {
            @if survey.has_stopped {
                "The store may have more than the " (text::number(survey.walked as u64))
                " keys that were looked at, so each count is the least that there is. "
            } @else {
                "All " (text::number(survey.walked as u64)) " keys that are text were looked at. "
            }
            "Lives and sizes are those of up to " (SAMPLED) " entries of each keyspace."
        }
        dl.facts {
            dt { "Keys that no keyspace declares" }
            dd #undeclared { (least) (text::number(survey.undeclared as u64)) }
            @if survey.other_versions > 0 {
                dt { "Keys of versions that this program doesn't declare" }
                dd { (least) (text::number(survey.other_versions as u64)) }
            }
            @if survey.leases > 0 {
                dt { "Leases" }
                dd { (least) (text::number(survey.leases as u64)) }
            }
        }
        @if !has_reads {
            p.quiet { "Reads aren't counted here: a program that wraps its backend in " code { "Reads" } " shows hit ratios." }
        }
    }
}

fn row(
    frame: &Frame<'_>,
    listed: &Listed,
    counted: &Counted,
    has_stopped: bool,
    reads: Option<&Reads>,
) -> Markup {
    let info = listed.info;
    html! {
        tr role="row" {
            th scope="row" role="rowheader" data-label="Keyspace" {
                a href=(frame.links.to(&format!("keyspaces/{}", listed.name))) { (listed.name) }
                div.quiet { code { (listed.key_form()) } }
            }
            td role="cell" data-label="Kind and value" {
                div {
                    (info.kind.as_str()) " of " code { (info.value) }
                    div.quiet { (info.codec) }
                }
            }
            td role="cell" data-label="Declared life" { (declared_life(info)) }
            td role="cell" data-label="Entries" { (entries(counted.entries, has_stopped)) }
            @if let Some(reads) = reads {
                td role="cell" data-label="Hit ratio" { (hit_ratio(listed, reads)) }
            }
            td role="cell" data-label="Left to live" { (lives(&counted.sample)) }
            td role="cell" data-label="Size of values" { (sizes(&counted.sample)) }
            td role="cell" data-label="Entries shown" {
                @match listed.inspected {
                    Some(_) => "yes",
                    None => "no",
                }
            }
        }
    }
}

fn entries(entries: usize, has_stopped: bool) -> String {
    let number = text::number(entries as u64);
    match (entries, has_stopped) {
        (0, true) => "none met".to_string(),
        (_, true) => format!("at least {number}"),
        (_, false) => number,
    }
}

fn hit_ratio(listed: &Listed, reads: &Reads) -> Markup {
    let is_read = !matches!(listed.info.kind, Kind::Throttle | Kind::Throttles);
    let (hits, misses) = reads.of(listed.info.prefix);
    let all = hits.saturating_add(misses);
    html! {
        @if !is_read {
            "is not read"
        } @else if all == 0 {
            "no reads"
        } @else {
            div {
                (format!("{:.1} %", hits as f64 * 100.0 / all as f64))
                div.quiet { "of " (text::number(all)) }
            }
        }
    }
}

fn lives(sample: &Sample) -> Markup {
    html! {
        @match sample.lives {
            Some(lives) => div {
                (range(text::time(lives.shortest), text::time(lives.longest)))
                @if sample.endless > 0 {
                    div { (sample.endless) " without an end" }
                }
                (of(sample))
            },
            None if sample.endless > 0 => div { "no end" (of(sample)) },
            None => "unknown",
        }
    }
}

fn sizes(sample: &Sample) -> Markup {
    html! {
        @match sample.sizes {
            Some(sizes) => div {
                (range(text::size(sizes.smallest), text::size(sizes.largest)))
                @if sizes.smallest < sizes.largest {
                    div.quiet { (text::size(sizes.sum / sample.entries.max(1))) " on average" }
                }
            },
            None => "unknown",
        }
    }
}

fn range(least: String, most: String) -> String {
    match least == most {
        true => least,
        false => format!("{least} to {most}"),
    }
}

fn of(sample: &Sample) -> Markup {
    html! { div.quiet { "of " (text::count(sample.entries, "entry", "entries")) } }
}
