//! The words of `#[keyspace(..)]`, each parsed to what it means, each mistake at its own tokens.

use std::time::Duration;

use proc_macro2::{Span, TokenTree};
use syn::ext::IdentExt;
use syn::parse::{ParseStream, Parser};
use syn::{Attribute, Error, Ident, LitStr, Path, Result, Token, Type};

/// All mistakes of one item, reported together.
#[derive(Default)]
pub(crate) struct Mistakes(Option<Error>);

/// The words on a struct.
#[derive(Default)]
pub(crate) struct StructWords {
    pub(crate) prefix: Option<Word<LitStr>>,
    pub(crate) ttl: Option<Word<Ttl>>,
    pub(crate) value: Option<Word<Type>>,
    pub(crate) counter: Option<Word<()>>,
    /// Whether a word was there and didn't parse, so that it isn't reported as missing too.
    pub(crate) bad_prefix: bool,
    pub(crate) bad_ttl: bool,
    pub(crate) bad_value: bool,
}

/// A word where it stands, and what it means.
pub(crate) struct Word<T> {
    pub(crate) name: Ident,
    pub(crate) meaning: T,
}

/// How long entries live.
#[derive(Clone)]
pub(crate) enum Ttl {
    Never,
    For(Duration),
    Constant(Path),
}

const STRUCT_WORDS: &str = "`prefix`, `ttl`, `value` and `counter`";
/// 10,000 years of 365.25 days, as the library has it.
const MAX_TTL: Duration = Duration::from_secs(10_000 * 31_557_600);

impl Mistakes {
    pub(crate) fn add(&mut self, error: Error) {
        match &mut self.0 {
            Some(all) => all.combine(error),
            None => self.0 = Some(error),
        }
    }

    pub(crate) fn at(&mut self, span: Span, message: &str) {
        self.add(Error::new(span, message));
    }

    pub(crate) fn into_error(self) -> Option<Error> {
        self.0
    }
}

impl StructWords {
    pub(crate) fn parse(attributes: &[Attribute], mistakes: &mut Mistakes) -> Self {
        let mut words = Self::default();
        each_word(attributes, mistakes, |name, input, mistakes| {
            match name.to_string().as_str() {
                "prefix" => {
                    words.bad_prefix = true;
                    let word = value(&name, input, "prefix = \"session\"", prefix)?;
                    once(&mut words.prefix, name, word, mistakes);
                    words.bad_prefix = false;
                }
                "ttl" => {
                    words.bad_ttl = true;
                    let word = value(&name, input, "ttl = \"30m\"` or `ttl = never", ttl)?;
                    once(&mut words.ttl, name, word, mistakes);
                    words.bad_ttl = false;
                }
                "value" => {
                    words.bad_value = true;
                    let word = value(&name, input, "value = String", |input| input.parse())?;
                    once(&mut words.value, name, word, mistakes);
                    words.bad_value = false;
                }
                "counter" => once(&mut words.counter, name, (), mistakes),
                _ => return Err(unknown(&name, STRUCT_WORDS)),
            }
            Ok(())
        });
        words
    }
}

/// Returns where `#[keyspace(key)]` stands on a field, if it does.
pub(crate) fn key_word(attributes: &[Attribute], mistakes: &mut Mistakes) -> Option<Ident> {
    let mut key: Option<Word<()>> = None;
    each_word(attributes, mistakes, |name, _, mistakes| {
        if name != "key" {
            return Err(unknown(&name, "`key`"));
        }
        once(&mut key, name, (), mistakes);
        Ok(())
    });
    key.map(|word| word.name)
}

/// Calls `word` with each word of each `#[keyspace(..)]`; after a mistake it goes on behind the next comma.
fn each_word(
    attributes: &[Attribute],
    mistakes: &mut Mistakes,
    mut word: impl FnMut(Ident, ParseStream<'_>, &mut Mistakes) -> Result<()>,
) {
    for attribute in attributes {
        if !attribute.path().is_ident("keyspace") {
            continue;
        }
        let tokens = match attribute.meta.require_list() {
            Ok(list) => list.tokens.clone(),
            Err(error) => {
                mistakes.add(error);
                continue;
            }
        };
        let parser = |input: ParseStream<'_>| {
            while !input.is_empty() {
                let parsed = Ident::parse_any(input).and_then(|name| word(name, input, mistakes));
                if let Err(error) = parsed {
                    mistakes.add(error);
                } else if !input.is_empty() && !input.peek(Token![,]) {
                    mistakes.add(input.error("expected `,`"));
                }
                skip_past_comma(input)?;
            }
            Ok(())
        };
        if let Err(error) = parser.parse2(tokens) {
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
    if input.parse::<Option<Token![=]>>()?.is_none() {
        return Err(Error::new(
            name.span(),
            format!("`{name}` takes a value: write `{example}`"),
        ));
    }
    parse(input)
}

fn once<T>(slot: &mut Option<Word<T>>, name: Ident, meaning: T, mistakes: &mut Mistakes) {
    let Some(first) = slot else {
        *slot = Some(Word { name, meaning });
        return;
    };
    let mut error = Error::new(name.span(), format!("`{name}` is given twice"));
    error.combine(Error::new(
        first.name.span(),
        format!("`{name}` is given here first"),
    ));
    mistakes.add(error);
}

fn unknown(name: &Ident, known: &str) -> Error {
    Error::new(
        name.span(),
        format!("unknown word `{name}`: the words here are {known}"),
    )
}

fn prefix(input: ParseStream<'_>) -> Result<LitStr> {
    let text: LitStr = input.parse()?;
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
        let path: Path = input.parse().map_err(|error| {
            let message = "expected a time: write `ttl = \"30m\"`, `ttl = never` or the path of a `Duration` constant";
            Error::new(error.span(), message)
        })?;
        return Ok(if path.is_ident("never") {
            Ttl::Never
        } else {
            Ttl::Constant(path)
        });
    }
    let text: LitStr = input.parse()?;
    let duration = humantime::parse_duration(&text.value()).map_err(|error| {
        let message =
            format!("not a time ({error}): write it as `\"30m\"`, `\"60s\"` or `\"1h30m\"`");
        Error::new(text.span(), message)
    })?;
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
