//! The values of the words: each parser takes what stands behind `=`, and the example that an
//! error shows.

use std::time::Duration;

use syn::parse::{Parse, ParseStream};
use syn::{Error, Expr, ExprLit, ExprPath, Lit, LitInt, LitStr, Path, Result, Token, Type};

use super::words::{ErrorOrMiss, Limit, Prefix, PrefixPart, Ttl, Window};

/// The most limits that a throttle may have, as the library has it.
const MOST_LIMITS: usize = 8;
/// 10,000 years of 365.25 days, as the library has it.
const MAX_TTL: Duration = Duration::from_secs(10_000 * 31_557_600);

/// Says what to write in place of what the parser says.
pub(super) fn expected<T>(what: &str, example: &str, result: Result<T>) -> Result<T> {
    let message = || format!("expected {what}: write {example}");
    result.map_err(|error| Error::new(error.span(), message()))
}

pub(super) fn value_type(input: ParseStream<'_>, example: &str) -> Result<Type> {
    expected("a type", example, input.parse())
}

pub(super) fn codec(input: ParseStream<'_>, example: &str) -> Result<Type> {
    expected("a type", example, input.parse())
}

pub(super) fn migrates(input: ParseStream<'_>, example: &str) -> Result<Type> {
    expected("a type", example, input.parse())
}

pub(super) fn crate_path(input: ParseStream<'_>, example: &str) -> Result<Path> {
    expected("a path", example, Path::parse_mod_style(input))
}

/// One text, or several parts in brackets.
pub(super) fn prefix(input: ParseStream<'_>, example: &str) -> Result<Prefix> {
    if !input.peek(syn::token::Bracket) {
        let text: LitStr = expected("text", example, input.parse())?;
        return prefix_text(&text).map(Prefix::Text);
    }
    let list;
    let brackets = syn::bracketed!(list in input);
    let parts = list.parse_terminated(Expr::parse, Token![,])?;
    let parts = parts
        .iter()
        .map(|part| prefix_part(part, example))
        .collect::<Result<Vec<_>>>()?;
    match parts.first() {
        Some(PrefixPart::Text(first)) => prefix_text(first)?,
        Some(PrefixPart::Constant(path)) => {
            let message = format!("a prefix begins with a text, then constants: write {example}");
            return Err(Error::new_spanned(path, message));
        }
        None => {
            let message = format!("a prefix without a part: write {example}");
            return Err(Error::new(brackets.span.join(), message));
        }
    };
    let mut texts = Vec::with_capacity(parts.len());
    for part in &parts {
        match part {
            PrefixPart::Text(text) => texts.push(text.value()),
            PrefixPart::Constant(_) => return Ok(Prefix::Joined(parts)),
        }
    }
    Ok(Prefix::Text(texts.join(".")))
}

fn prefix_part(value: &Expr, example: &str) -> Result<PrefixPart> {
    match ungrouped(value) {
        Expr::Path(path) => Ok(PrefixPart::Constant(path.clone())),
        Expr::Lit(ExprLit {
            lit: Lit::Str(text),
            ..
        }) => match text.value() {
            value if !value.is_empty() && value.chars().all(is_in_prefix) => {
                Ok(PrefixPart::Text(text.clone()))
            }
            _ => Err(Error::new(
                text.span(),
                "a part of a prefix holds lower-case letters, digits, `_`, `.` or `-`, and at least one",
            )),
        },
        other => {
            let message = format!(
                "expected a text or the path of a `&'static str` constant: write {example}"
            );
            Err(Error::new_spanned(other, message))
        }
    }
}

fn prefix_text(text: &LitStr) -> Result<String> {
    let value = text.value();
    if value.starts_with(|c: char| c.is_ascii_lowercase()) && value.chars().all(is_in_prefix) {
        return Ok(value);
    }
    Err(Error::new(
        text.span(),
        "a prefix is a lower-case letter and then lower-case letters, digits, `_`, `.` or `-`",
    ))
}

fn is_in_prefix(c: char) -> bool {
    c.is_ascii_lowercase() || c.is_ascii_digit() || "_.-".contains(c)
}

pub(super) fn version(input: ParseStream<'_>, example: &str) -> Result<u32> {
    let version: LitInt = expected("a number", example, input.parse())?;
    match version.base10_parse() {
        Ok(number) if number > 0 => Ok(number),
        _ => Err(Error::new(
            version.span(),
            "a version is a whole number from 1 on; without the word it is 1",
        )),
    }
}

/// One limit, or several in brackets.
pub(super) fn limits(input: ParseStream<'_>, example: &str) -> Result<Vec<Limit>> {
    if !input.peek(syn::token::Bracket) {
        return Ok(vec![limit(input, example)?]);
    }
    let list;
    let brackets = syn::bracketed!(list in input);
    let mut limits = Vec::new();
    while !list.is_empty() {
        limits.push(limit(&list, example)?);
        if !list.is_empty() {
            list.parse::<Token![,]>()?;
        }
    }
    if limits.is_empty() || limits.len() > MOST_LIMITS {
        let message = format!("a throttle has from one to eight limits: write {example}");
        return Err(Error::new(brackets.span.join(), message));
    }
    Ok(limits)
}

/// `"5/min"`, `"100/10s"`, `limits::LOGIN`
pub(super) fn limit(input: ParseStream<'_>, example: &str) -> Result<Limit> {
    if !input.peek(LitStr) {
        return limit_path(input, example);
    }
    let text: LitStr = input.parse()?;
    let wrong = |why: &str| Error::new(text.span(), format!("{why}: write {example}"));
    let value = text.value();
    let Some((count, period)) = value.split_once('/') else {
        return Err(wrong("a limit is a number, `/` and a time"));
    };
    let count: u32 = match count.trim().parse() {
        Ok(0) => return Err(wrong("a limit of zero lets nothing pass")),
        Ok(count) => count,
        Err(_) => {
            return Err(wrong(
                "the first part of a limit is a whole number up to 4,294,967,295",
            ));
        }
    };
    let period = period.trim();
    let period = match period.starts_with(char::is_alphabetic) {
        true => format!("1{period}"),
        false => period.to_string(),
    };
    let period = duration(&period).map_err(|why| wrong(&format!("not a time ({why})")))?;
    if period.is_zero() {
        return Err(wrong("a limit in no time"));
    }
    Ok(Limit::Rate {
        count,
        period,
        text,
    })
}

fn limit_path(input: ParseStream<'_>, example: &str) -> Result<Limit> {
    let value: Expr = input.parse()?;
    match ungrouped(&value) {
        Expr::Path(path) => Ok(Limit::Constant(path.clone())),
        other => {
            let message =
                format!("expected a limit: write {example}; or the path of a `Quota` constant");
            Err(Error::new_spanned(other, message))
        }
    }
}

pub(super) fn burst(input: ParseStream<'_>, example: &str) -> Result<u32> {
    let burst: LitInt = expected("a number", example, input.parse())?;
    match burst.base10_parse() {
        Ok(number) if number > 0 => Ok(number),
        _ => Err(Error::new(
            burst.span(),
            format!("a burst is a whole number from 1 to 4,294,967,295: write {example}"),
        )),
    }
}

pub(super) fn window(input: ParseStream<'_>, example: &str) -> Result<Window> {
    let found = input.span();
    let text: Option<LitStr> = input.parse().ok();
    match text.map(|text| text.value()).as_deref() {
        Some("fixed") => Ok(Window::Fixed),
        Some("sliding") => Ok(Window::Sliding),
        _ => Err(Error::new(
            found,
            format!("neither `\"fixed\"` nor `\"sliding\"`: write {example}"),
        )),
    }
}

pub(super) fn jitter(input: ParseStream<'_>, example: &str) -> Result<u8> {
    let text: LitStr = expected("text", example, input.parse())?;
    let percent = text.value().strip_suffix('%').map(str::parse);
    match percent {
        Some(Ok(percent @ 1..=90)) => Ok(percent),
        _ => Err(Error::new(
            text.span(),
            format!("a jitter is a whole number of percent from 1 to 90: write {example}"),
        )),
    }
}

pub(super) fn error_or_miss(input: ParseStream<'_>, example: &str) -> Result<ErrorOrMiss> {
    let found = input.span();
    let text: Option<LitStr> = input.parse().ok();
    match text.map(|text| text.value()).as_deref() {
        Some("error") => Ok(ErrorOrMiss::Error),
        Some("miss") => Ok(ErrorOrMiss::Miss),
        _ => Err(Error::new(
            found,
            format!("neither `\"miss\"` nor `\"error\"`: write {example}"),
        )),
    }
}

pub(super) fn ttl(input: ParseStream<'_>, example: &str) -> Result<Ttl> {
    const INSTEAD: &str = "write `ttl = never` for entries without an end";
    time(input, "ttl", example, INSTEAD)
}

pub(super) fn lease(input: ParseStream<'_>, example: &str) -> Result<Ttl> {
    const INSTEAD: &str =
        "write `lease = \"10s\"`, the time that a dead process may keep others waiting";
    with_an_end(
        input,
        "lease",
        example,
        INSTEAD,
        "a lease without an end would outlive a dead process for ever",
    )
}

pub(super) fn stale(input: ParseStream<'_>, example: &str) -> Result<Ttl> {
    const INSTEAD: &str =
        "write `stale = \"10m\"`, the time that an old value is served while it is refreshed";
    with_an_end(
        input,
        "stale",
        example,
        INSTEAD,
        "an old value that has no end is never given up",
    )
}

/// Reads a time that can't be `never`.
fn with_an_end(
    input: ParseStream<'_>,
    name: &str,
    example: &str,
    instead: &str,
    without: &str,
) -> Result<Ttl> {
    let place = input.span();
    match time(input, name, example, instead)? {
        Ttl::Never => Err(Error::new(place, format!("{without}: {instead}"))),
        other => Ok(other),
    }
}

fn time(input: ParseStream<'_>, name: &str, example: &str, instead: &str) -> Result<Ttl> {
    if !input.peek(LitStr) {
        return time_path(input, name, example);
    }
    let text: LitStr = input.parse()?;
    let duration = humantime::parse_duration(&text.value()).map_err(|error| {
        let message =
            format!("not a time ({error}): write it as `\"30m\"`, `\"60s\"` or `\"1h30m\"`");
        Error::new(text.span(), message)
    })?;
    if text.value().contains('M') {
        let message = "`M` means months: write `m` for minutes, or days";
        return Err(Error::new(text.span(), message));
    }
    if duration.is_zero() {
        let message = format!("a `{name}` of zero: {instead}");
        return Err(Error::new(text.span(), message));
    }
    if duration > MAX_TTL {
        let message = format!("a `{name}` of more than 10,000 years: {instead}");
        return Err(Error::new(text.span(), message));
    }
    Ok(Ttl::For(duration, text.value()))
}

/// Reads a time; `M` would be months.
fn duration(text: &str) -> std::result::Result<Duration, String> {
    if text.contains('M') {
        return Err("`M` means months, `m` is minutes".to_string());
    }
    humantime::parse_duration(text).map_err(|error| error.to_string())
}

/// Says whether it is a name that other libraries have for a life without an end.
fn is_no_end(path: &ExprPath) -> bool {
    let names = ["None", "Never", "forever", "none"];
    names.iter().any(|name| path.path.is_ident(name))
}

/// `30m`, which is a number with a suffix to the compiler.
fn unquoted_time(value: &Expr) -> Option<String> {
    let Expr::Lit(ExprLit {
        lit: Lit::Int(number),
        ..
    }) = value
    else {
        return None;
    };
    let time = number.to_string();
    duration(&time).is_ok().then_some(time)
}

fn time_path(input: ParseStream<'_>, name: &str, example: &str) -> Result<Ttl> {
    let value: Expr = input.parse()?;
    match ungrouped(&value) {
        Expr::Path(path) if path.path.is_ident("never") => Ok(Ttl::Never),
        Expr::Path(path) if is_no_end(path) => {
            let message = format!("expected a time: write {example}");
            Err(Error::new_spanned(path, message))
        }
        Expr::Path(path) => Ok(Ttl::Constant(path.clone())),
        other => {
            let message = match unquoted_time(other) {
                Some(time) => format!("a time stands in quotes: write `{name} = \"{time}\"`"),
                None => format!(
                    "expected a time: write {example}, or the path of a `Duration` constant"
                ),
            };
            Err(Error::new_spanned(other, message))
        }
    }
}

/// A macro that passes a fragment on puts it into a group that nobody sees.
fn ungrouped(mut value: &Expr) -> &Expr {
    while let Expr::Group(group) = value {
        value = &group.expr;
    }
    value
}
