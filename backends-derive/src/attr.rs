//! The words of `#[keyspace(..)]`, each parsed to what it means, each mistake at its own tokens.

use std::time::Duration;

use proc_macro2::{Span, TokenStream, TokenTree};
use syn::ext::IdentExt;
use syn::parse::{Parse, ParseStream};
use syn::{
    Attribute, Error, Expr, ExprLit, ExprPath, Ident, Lit, LitInt, LitStr, Meta, Path, Result,
    Token, Type,
};

/// All mistakes of one item, reported together.
#[derive(Default)]
pub(crate) struct Mistakes(Vec<Error>);

/// The words on a struct.
#[derive(Default)]
pub(crate) struct StructWords {
    pub(crate) prefix: Option<Word<Prefix>>,
    pub(crate) ttl: Option<Word<Ttl>>,
    pub(crate) value: Option<Word<Type>>,
    pub(crate) counter: Option<Word<()>>,
    pub(crate) limit: Option<Word<Vec<Limit>>>,
    pub(crate) burst: Option<Word<u32>>,
    pub(crate) window: Option<Word<Window>>,
    pub(crate) version: Option<Word<u32>>,
    pub(crate) codec: Option<Word<Type>>,
    pub(crate) sliding: Option<Word<()>>,
    pub(crate) jitter: Option<Word<u8>>,
    pub(crate) shared: Option<Word<()>>,
    pub(crate) lease: Option<Word<Ttl>>,
    pub(crate) stale: Option<Word<Ttl>>,
    pub(crate) migrates: Option<Word<Type>>,
    pub(crate) on_decode_error: Option<Word<OnDecodeError>>,
    pub(crate) krate: Option<Word<Path>>,
    pub(crate) unread: Unread,
}

/// What no word could be read from, which has been noted: nobody is told again that a word is
/// missing.
#[derive(Default)]
pub(crate) struct Unread {
    /// A text by itself.
    pub(crate) text: bool,
    /// An attribute without parentheses.
    pub(crate) attribute: bool,
}

/// The words on a field.
#[derive(Default)]
pub(crate) struct FieldWords {
    pub(crate) key: Option<Word<()>>,
    pub(crate) tag: Option<Word<()>>,
}

/// The words on a type that is a part of a key.
#[derive(Default)]
pub(crate) struct SegmentWords {
    pub(crate) display: Option<Word<()>>,
    pub(crate) krate: Option<Word<Path>>,
}

/// A word where it stands.
pub(crate) struct Word<T> {
    pub(crate) name: Ident,
    /// `None` if it is a mistake, which has been noted.
    pub(crate) meaning: Option<T>,
}

/// The first part of every key.
pub(crate) enum Prefix {
    Text(String),
    /// Parts that dots join, the first one a text.
    Joined(Vec<PrefixPart>),
}

/// A part of a prefix.
pub(crate) enum PrefixPart {
    Text(LitStr),
    Constant(ExprPath),
}

/// How long entries live.
#[derive(Clone)]
pub(crate) enum Ttl {
    Never,
    /// The time, and the text that it is written as.
    For(Duration, String),
    Constant(ExprPath),
}

/// One limit of a throttle.
pub(crate) enum Limit {
    /// How many in which time, as text.
    Rate {
        /// As it is written.
        text: LitStr,
        count: u32,
        period: Duration,
    },
    /// The path of a constant `Quota`.
    Constant(ExprPath),
}

/// The windows that limits can be counted in.
#[derive(Clone, Copy)]
pub(crate) enum Window {
    Fixed,
    Sliding,
}

/// What reading does with bytes that don't decode.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum OnDecodeError {
    Error,
    Miss,
}

const PREFIX: &str =
    "`prefix = \"session\"`, or `prefix = [\"cached\", T::NAME]` for parts that are joined by dots";
const TTL: &str = "`ttl = \"30m\"` or `ttl = never`";
const VALUE: &str = "`value = String`";
const LIMIT: &str = "`limit = \"5/min\"`, or `limit = [\"10/s\", \"500/h\"]` for several at once";
const BURST: &str = "`burst = 10`";
const WINDOW: &str = "`window = \"fixed\"` or `window = \"sliding\"`";
const VERSION: &str = "`version = 2`";
const CODEC: &str = "`codec = Json`, or the path of a type that implements `Codec`";
const JITTER: &str = "`jitter = \"10%\"`";
const LEASE: &str = "`lease = \"10s\"`";
const STALE: &str = "`stale = \"10m\"`";
const MIGRATES: &str = "`migrates = SessionV1`";
const ON_DECODE_ERROR: &str = "`on_decode_error = \"miss\"` or `on_decode_error = \"error\"`";
const CRATE: &str = "`crate = path::to::reinhardt_backends`";
/// Where attributes stand, and what one writes there.
struct Place {
    /// A whole attribute.
    example: &'static str,
    /// The sentence of the known words.
    words: &'static str,
    /// The word that a text by itself is probably meant for.
    text: Option<&'static str>,
}

const ON_STRUCT: Place = Place {
    example: "`#[keyspace(prefix = \"session\", ttl = \"30m\")]`",
    words: STRUCT_WORDS,
    text: Some("prefix"),
};
const ON_FIELD: Place = Place {
    example: "`#[keyspace(key)]`",
    words: FIELD_WORDS,
    text: None,
};
const ON_SEGMENT: Place = Place {
    example: "`#[keyspace(display)]`",
    words: SEGMENT_WORDS,
    text: None,
};
const ON_VARIANT: Place = Place {
    example: "`#[keyspace(rename = \"eu\")]`",
    words: VARIANT_WORDS,
    text: Some("rename"),
};
const STRUCT_WORDS: &str = "on a struct the words are `prefix`, `ttl`, `value`, `counter`, `limit`, `burst`, `window`, \
    `version`, `codec`, `sliding`, `jitter`, `shared`, `lease`, `stale`, `migrates`, `on_decode_error` and `crate`";
const FIELD_WORDS: &str = "on a field the words are `key` and `tag`";
const RENAME: &str = "`rename = \"eu\"`";
const SEGMENT_WORDS: &str = "on a part of a key the words are `display` and `crate`";
const VARIANT_WORDS: &str = "on a variant the word is `rename`";
/// How many limits a throttle has at most, as the library has it.
const MOST_LIMITS: usize = 8;
/// 10,000 years of 365.25 days, as the library has it.
const MAX_TTL: Duration = Duration::from_secs(10_000 * 31_557_600);

impl Mistakes {
    pub(crate) fn add(&mut self, error: Error) {
        self.0.push(error);
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn at(&mut self, span: Span, message: &str) {
        self.add(Error::new(span, message));
    }

    /// Returns what `result` holds, or keeps its error.
    fn keep<T>(&mut self, result: Result<T>) -> Option<T> {
        result.map_err(|error| self.add(error)).ok()
    }

    pub(crate) fn into_compile_errors(self) -> TokenStream {
        self.0.iter().map(Error::to_compile_error).collect()
    }
}

impl StructWords {
    pub(crate) fn parse(attributes: &[Attribute], mistakes: &mut Mistakes) -> Self {
        let mut words = Self::default();
        words.unread = each_word(attributes, &ON_STRUCT, mistakes, |name, input, mistakes| {
            words.note(name, input, mistakes);
        });
        words
    }

    fn note(&mut self, name: Ident, input: ParseStream<'_>, mistakes: &mut Mistakes) {
        macro_rules! takes {
            ($place:ident, $example:expr, $parse:expr) => {{
                let meaning = value(&name, input, $example, $parse);
                once(&mut self.$place, name, meaning, mistakes);
            }};
        }
        match name.to_string().as_str() {
            "prefix" => takes!(prefix, PREFIX, prefix),
            "ttl" => takes!(ttl, TTL, ttl),
            "value" => takes!(value, VALUE, |input| expected(
                "a type",
                VALUE,
                input.parse()
            )),
            "limit" => takes!(limit, LIMIT, limits),
            "burst" => takes!(burst, BURST, burst),
            "window" => takes!(window, WINDOW, window),
            "version" => takes!(version, VERSION, version),
            "codec" => takes!(codec, CODEC, |input| expected(
                "a type",
                CODEC,
                input.parse()
            )),
            "jitter" => takes!(jitter, JITTER, jitter),
            "lease" => takes!(lease, LEASE, lease),
            "stale" => takes!(stale, STALE, stale),
            "migrates" => takes!(migrates, MIGRATES, |input| expected(
                "a type",
                MIGRATES,
                input.parse()
            )),
            "on_decode_error" => takes!(on_decode_error, ON_DECODE_ERROR, on_decode_error),
            "crate" => takes!(krate, CRATE, crate_path),
            "counter" => once(
                &mut self.counter,
                name.clone(),
                stands_alone(&name, input),
                mistakes,
            ),
            "sliding" => once(
                &mut self.sliding,
                name.clone(),
                stands_alone(&name, input),
                mistakes,
            ),
            "shared" => once(
                &mut self.shared,
                name.clone(),
                stands_alone(&name, input),
                mistakes,
            ),
            "key" | "tag" => mistakes.at(
                name.span(),
                &format!("`{name}` marks a field: write `#[keyspace({name})]` on it"),
            ),
            _ => mistakes.add(unknown(&name, STRUCT_WORDS)),
        }
    }
}

impl FieldWords {
    pub(crate) fn parse(attributes: &[Attribute], mistakes: &mut Mistakes) -> Self {
        let mut words = Self::default();
        each_word(attributes, &ON_FIELD, mistakes, |name, input, mistakes| {
            let meaning = stands_alone(&name, input);
            match name.to_string().as_str() {
                "key" => once(&mut words.key, name, meaning, mistakes),
                "tag" => once(&mut words.tag, name, meaning, mistakes),
                _ => mistakes.add(unknown(&name, FIELD_WORDS)),
            }
        });
        words
    }
}

impl SegmentWords {
    pub(crate) fn parse(attributes: &[Attribute], mistakes: &mut Mistakes) -> Self {
        let mut words = Self::default();
        each_word(
            attributes,
            &ON_SEGMENT,
            mistakes,
            |name, input, mistakes| match name.to_string().as_str() {
                "display" => {
                    let meaning = stands_alone(&name, input);
                    once(&mut words.display, name, meaning, mistakes);
                }
                "crate" => {
                    let meaning = value(&name, input, CRATE, crate_path);
                    once(&mut words.krate, name, meaning, mistakes);
                }
                _ => mistakes.add(unknown(&name, SEGMENT_WORDS)),
            },
        );
        words
    }
}

/// Returns what `#[keyspace(rename = "eu")]` on a variant has it written as.
pub(crate) fn variant_name(attributes: &[Attribute], mistakes: &mut Mistakes) -> Option<LitStr> {
    let mut rename: Option<Word<LitStr>> = None;
    each_word(
        attributes,
        &ON_VARIANT,
        mistakes,
        |name, input, mistakes| {
            if name == "rename" {
                let meaning = value(&name, input, RENAME, |input| {
                    expected("text", RENAME, input.parse())
                });
                once(&mut rename, name, meaning, mistakes);
            } else {
                mistakes.add(unknown(&name, VARIANT_WORDS));
            }
        },
    );
    rename?.meaning
}

/// Calls `word` with each word of each `#[keyspace(..)]`; after a mistake it goes on behind the
/// next comma.
fn each_word(
    attributes: &[Attribute],
    place: &Place,
    mistakes: &mut Mistakes,
    mut word: impl FnMut(Ident, ParseStream<'_>, &mut Mistakes),
) -> Unread {
    let mut unread = Unread::default();
    for attribute in attributes {
        if !attribute.path().is_ident("keyspace") {
            continue;
        }
        let words = |input: ParseStream<'_>| {
            while !input.is_empty() {
                let known = mistakes.0.len();
                match Ident::parse_any(input) {
                    Ok(name) => word(name, input, mistakes),
                    Err(error) => {
                        unread.text |= input.peek(LitStr);
                        mistakes.add(no_word(input, error.span(), place));
                    }
                }
                let is_right = mistakes.0.len() == known;
                if is_right && !input.is_empty() && !input.peek(Token![,]) {
                    mistakes.add(input.error("expected `,`"));
                    // Nothing but the comma is missing: what follows is a word.
                    if input.peek(Ident::peek_any) {
                        continue;
                    }
                }
                skip_past_comma(input)?;
            }
            Ok(())
        };
        let Meta::List(list) = &attribute.meta else {
            let message = format!("the words stand in parentheses: write {}", place.example);
            mistakes.add(Error::new_spanned(&attribute.meta, message));
            unread.attribute = true;
            continue;
        };
        if let Err(error) = list.parse_args_with(words) {
            mistakes.add(error);
        }
    }
    unread
}

/// Says what to write where no word begins.
fn no_word(input: ParseStream<'_>, found: Span, place: &Place) -> Error {
    let text: Option<LitStr> = input.fork().parse().ok();
    let message = match (text, place.text) {
        (Some(text), Some(word)) => {
            let text = text.token();
            format!("a text follows the word that it is for: write `{word} = {text}`")
        }
        _ => format!("expected a word: {}", place.words),
    };
    Error::new(found, message)
}

fn skip_past_comma(input: ParseStream<'_>) -> Result<()> {
    while !input.is_empty() {
        if input.parse::<Option<Token![,]>>()?.is_some() {
            break;
        }
        input.parse::<TokenTree>()?;
    }
    Ok(())
}

fn value<T>(
    name: &Ident,
    input: ParseStream<'_>,
    example: &str,
    parse: impl FnOnce(ParseStream<'_>) -> Result<T>,
) -> Result<T> {
    let has_value = input.parse::<Option<Token![=]>>()?.is_some();
    if has_value && !input.is_empty() && !input.peek(Token![,]) {
        return parse(input);
    }
    let message = format!("`{name}` takes a value: write {example}");
    Err(Error::new(name.span(), message))
}

fn stands_alone(name: &Ident, input: ParseStream<'_>) -> Result<()> {
    if input.is_empty() || input.peek(Token![,]) {
        return Ok(());
    }
    let message = format!("`{name}` stands alone: write `{name}` and a comma or nothing behind it");
    Err(Error::new(name.span(), message))
}

/// Notes a word in its place, or a mistake if the place is taken.
fn once<T>(place: &mut Option<Word<T>>, name: Ident, meaning: Result<T>, mistakes: &mut Mistakes) {
    let meaning = mistakes.keep(meaning);
    let Some(first) = place else {
        *place = Some(Word { name, meaning });
        return;
    };
    mistakes.at(name.span(), &format!("`{name}` is given twice"));
    mistakes.at(first.name.span(), &format!("`{name}` is given here first"));
}

fn unknown(name: &Ident, known: &str) -> Error {
    Error::new(name.span(), format!("unknown word `{name}`: {known}"))
}

/// Says what to write in place of what the parser says.
fn expected<T>(what: &str, example: &str, result: Result<T>) -> Result<T> {
    let message = || format!("expected {what}: write {example}");
    result.map_err(|error| Error::new(error.span(), message()))
}

fn crate_path(input: ParseStream<'_>) -> Result<Path> {
    expected("a path", CRATE, Path::parse_mod_style(input))
}

/// One text, or several parts in brackets.
fn prefix(input: ParseStream<'_>) -> Result<Prefix> {
    if !input.peek(syn::token::Bracket) {
        let text: LitStr = expected("text", PREFIX, input.parse())?;
        return prefix_text(&text).map(Prefix::Text);
    }
    let list;
    let brackets = syn::bracketed!(list in input);
    let parts = list.parse_terminated(Expr::parse, Token![,])?;
    let parts = parts.iter().map(prefix_part).collect::<Result<Vec<_>>>()?;
    match parts.first() {
        Some(PrefixPart::Text(first)) => prefix_text(first)?,
        Some(PrefixPart::Constant(path)) => {
            let message = format!("a prefix begins with a text, then constants: write {PREFIX}");
            return Err(Error::new_spanned(path, message));
        }
        None => {
            let message = format!("a prefix without a part: write {PREFIX}");
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

fn prefix_part(value: &Expr) -> Result<PrefixPart> {
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
            let message =
                format!("expected a text or the path of a `&'static str` constant: write {PREFIX}");
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

fn version(input: ParseStream<'_>) -> Result<u32> {
    let version: LitInt = expected("a number", VERSION, input.parse())?;
    match version.base10_parse() {
        Ok(number) if number > 0 => Ok(number),
        _ => Err(Error::new(
            version.span(),
            "a version is a whole number from 1 on; without the word it is 1",
        )),
    }
}

impl Limit {
    /// Returns the path, if the limit is a constant.
    pub(crate) fn constant(&self) -> Option<&ExprPath> {
        match self {
            Self::Constant(path) => Some(path),
            Self::Rate { .. } => None,
        }
    }
}

/// One limit, or several in brackets.
fn limits(input: ParseStream<'_>) -> Result<Vec<Limit>> {
    if !input.peek(syn::token::Bracket) {
        return Ok(vec![limit(input)?]);
    }
    let list;
    let brackets = syn::bracketed!(list in input);
    let limits = list.parse_terminated(limit, Token![,])?;
    if limits.is_empty() || limits.len() > MOST_LIMITS {
        let message = format!("a throttle has from one to eight limits: write {LIMIT}");
        return Err(Error::new(brackets.span.join(), message));
    }
    Ok(limits.into_iter().collect())
}

/// `"5/min"`, `"100/10s"`, `limits::LOGIN`
fn limit(input: ParseStream<'_>) -> Result<Limit> {
    if !input.peek(LitStr) {
        return limit_path(input);
    }
    let text: LitStr = input.parse()?;
    let wrong = |why: &str| Error::new(text.span(), format!("{why}: write {LIMIT}"));
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

fn limit_path(input: ParseStream<'_>) -> Result<Limit> {
    let value: Expr = input.parse()?;
    match ungrouped(&value) {
        Expr::Path(path) => Ok(Limit::Constant(path.clone())),
        other => {
            let message =
                format!("expected a limit: write {LIMIT}; or the path of a `Quota` constant");
            Err(Error::new_spanned(other, message))
        }
    }
}

fn burst(input: ParseStream<'_>) -> Result<u32> {
    let burst: LitInt = expected("a number", BURST, input.parse())?;
    match burst.base10_parse() {
        Ok(number) if number > 0 => Ok(number),
        _ => Err(Error::new(
            burst.span(),
            format!("a burst is a whole number from 1 to 4,294,967,295: write {BURST}"),
        )),
    }
}

fn window(input: ParseStream<'_>) -> Result<Window> {
    let found = input.span();
    let text: Option<LitStr> = input.parse().ok();
    match text.map(|text| text.value()).as_deref() {
        Some("fixed") => Ok(Window::Fixed),
        Some("sliding") => Ok(Window::Sliding),
        _ => Err(Error::new(
            found,
            format!("neither `\"fixed\"` nor `\"sliding\"`: write {WINDOW}"),
        )),
    }
}

fn jitter(input: ParseStream<'_>) -> Result<u8> {
    let text: LitStr = expected("text", JITTER, input.parse())?;
    let percent = text.value().strip_suffix('%').map(str::parse);
    match percent {
        Some(Ok(percent @ 1..=90)) => Ok(percent),
        _ => Err(Error::new(
            text.span(),
            format!("a jitter is a whole number of percent from 1 to 90: write {JITTER}"),
        )),
    }
}

fn on_decode_error(input: ParseStream<'_>) -> Result<OnDecodeError> {
    let found = input.span();
    let text: Option<LitStr> = input.parse().ok();
    match text.map(|text| text.value()).as_deref() {
        Some("error") => Ok(OnDecodeError::Error),
        Some("miss") => Ok(OnDecodeError::Miss),
        _ => Err(Error::new(
            found,
            format!("neither `\"miss\"` nor `\"error\"`: write {ON_DECODE_ERROR}"),
        )),
    }
}

fn ttl(input: ParseStream<'_>) -> Result<Ttl> {
    const INSTEAD: &str = "write `ttl = never` for entries without an end";
    time(input, "ttl", TTL, INSTEAD)
}

fn lease(input: ParseStream<'_>) -> Result<Ttl> {
    const INSTEAD: &str =
        "write `lease = \"10s\"`, the time that a dead process may keep others waiting";
    with_an_end(
        input,
        "lease",
        LEASE,
        INSTEAD,
        "a lease without an end would outlive a dead process for ever",
    )
}

fn stale(input: ParseStream<'_>) -> Result<Ttl> {
    const INSTEAD: &str =
        "write `stale = \"10m\"`, the time that an old value is served while it is refreshed";
    with_an_end(
        input,
        "stale",
        STALE,
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

#[cfg(test)]
mod tests;
