//! The words of `#[keyspace(..)]`, each parsed to what it means, each mistake at its own tokens.

use std::time::Duration;

use proc_macro2::{Span, TokenStream, TokenTree};
use syn::ext::IdentExt;
use syn::parse::ParseStream;
use syn::{Attribute, Error, Expr, ExprPath, Ident, LitStr, Result, Token, Type};

/// All mistakes of one item, reported together.
#[derive(Default)]
pub(crate) struct Mistakes(Vec<Error>);

/// The words on a struct.
#[derive(Default)]
pub(crate) struct StructWords {
    pub(crate) prefix: Option<Word<LitStr>>,
    pub(crate) ttl: Option<Word<Ttl>>,
    pub(crate) value: Option<Word<Type>>,
    pub(crate) counter: Option<Word<()>>,
}

/// A word where it stands.
pub(crate) struct Word<T> {
    pub(crate) name: Ident,
    /// `None` if it is a mistake, which has been noted.
    pub(crate) meaning: Option<T>,
}

/// How long entries live.
#[derive(Clone)]
pub(crate) enum Ttl {
    Never,
    For(Duration),
    Constant(ExprPath),
}

const PREFIX: &str = "`prefix = \"session\"`";
const TTL: &str = "`ttl = \"30m\"` or `ttl = never`";
const VALUE: &str = "`value = String`";
const STRUCT_WORDS: &str = "on a struct the words are `prefix`, `ttl`, `value` and `counter`";
const FIELD_WORDS: &str = "on a field the word is `key`";
/// 10,000 years of 365.25 days, as the library has it.
const MAX_TTL: Duration = Duration::from_secs(10_000 * 31_557_600);

impl Mistakes {
    pub(crate) fn add(&mut self, error: Error) {
        self.0.push(error);
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
        each_word(attributes, mistakes, |name, input, mistakes| {
            match name.to_string().as_str() {
                "prefix" => {
                    let meaning = value(&name, input, PREFIX, prefix);
                    once(&mut words.prefix, name, meaning, mistakes);
                }
                "ttl" => {
                    let meaning = value(&name, input, TTL, ttl);
                    once(&mut words.ttl, name, meaning, mistakes);
                }
                "value" => {
                    let meaning = value(&name, input, VALUE, |input| input.parse());
                    once(&mut words.value, name, meaning, mistakes);
                }
                "counter" => {
                    let meaning = stands_alone(&name, input);
                    once(&mut words.counter, name, meaning, mistakes);
                }
                "key" => mistakes.at(
                    name.span(),
                    "`key` marks a field: write `#[keyspace(key)]` on it",
                ),
                _ => mistakes.add(unknown(&name, STRUCT_WORDS)),
            }
        });
        words
    }
}

/// Returns where `#[keyspace(key)]` stands on a field, if it does.
pub(crate) fn key_word(attributes: &[Attribute], mistakes: &mut Mistakes) -> Option<Ident> {
    let mut key: Option<Word<()>> = None;
    each_word(attributes, mistakes, |name, input, mistakes| {
        if name == "key" {
            let meaning = stands_alone(&name, input);
            once(&mut key, name, meaning, mistakes);
        } else {
            mistakes.add(unknown(&name, FIELD_WORDS));
        }
    });
    key.map(|word| word.name)
}

/// Calls `word` with each word of each `#[keyspace(..)]`; after a mistake it goes on behind the next comma.
fn each_word(
    attributes: &[Attribute],
    mistakes: &mut Mistakes,
    mut word: impl FnMut(Ident, ParseStream<'_>, &mut Mistakes),
) {
    for attribute in attributes {
        if !attribute.path().is_ident("keyspace") {
            continue;
        }
        let words = |input: ParseStream<'_>| {
            while !input.is_empty() {
                let known = mistakes.0.len();
                match Ident::parse_any(input) {
                    Ok(name) => word(name, input, mistakes),
                    Err(error) => mistakes.add(error),
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
        let list = attribute.meta.require_list();
        if let Err(error) = list.and_then(|list| list.parse_args_with(words)) {
            mistakes.add(error);
        }
    }
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

fn prefix(input: ParseStream<'_>) -> Result<LitStr> {
    let text: LitStr = input
        .parse()
        .map_err(|error| Error::new(error.span(), format!("expected text: write {PREFIX}")))?;
    let value = text.value();
    let is_allowed = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "_.-".contains(c);
    let begins = value.starts_with(|c: char| c.is_ascii_lowercase());
    if begins && value.chars().all(is_allowed) {
        return Ok(text);
    }
    Err(Error::new(
        text.span(),
        "a prefix is a lower-case letter and then lower-case letters, digits, `_`, `.` or `-`",
    ))
}

fn ttl(input: ParseStream<'_>) -> Result<Ttl> {
    if !input.peek(LitStr) {
        return ttl_path(input);
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
        let message = "a `ttl` of zero: write `ttl = never` for entries without an end";
        return Err(Error::new(text.span(), message));
    }
    if duration > MAX_TTL {
        let message =
            "a `ttl` of more than 10,000 years: write `ttl = never` for entries without an end";
        return Err(Error::new(text.span(), message));
    }
    Ok(Ttl::For(duration))
}

fn ttl_path(input: ParseStream<'_>) -> Result<Ttl> {
    let value: Expr = input.parse()?;
    let mut inner = &value;
    // A macro that passes a fragment on puts it into a group that nobody sees.
    while let Expr::Group(group) = inner {
        inner = &group.expr;
    }
    match inner {
        Expr::Path(path) if path.path.is_ident("never") => Ok(Ttl::Never),
        Expr::Path(path) => Ok(Ttl::Constant(path.clone())),
        other => {
            let message =
                format!("expected a time: write {TTL}, or the path of a `Duration` constant");
            Err(Error::new_spanned(other, message))
        }
    }
}
