//! The words of `#[keyspace(..)]`, each parsed to what it means, each mistake at its own tokens.

mod parse;
mod table;

use std::time::Duration;

use proc_macro2::{Span, TokenStream, TokenTree};
use syn::ext::IdentExt;
use syn::parse::ParseStream;
use syn::{Attribute, Error, ExprPath, Ident, LitStr, Meta, Path, Result, Token};

use self::parse::{crate_path, expected};
pub(crate) use self::table::StructWords;
use self::table::{CRATE, struct_words};

/// All mistakes of one item, reported together.
#[derive(Default)]
pub(crate) struct Mistakes(Vec<Error>);

/// The input from which no word could be read. It has been noted: nobody is told again that a word
/// is missing.
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

/// The life of entries.
#[derive(Clone)]
pub(crate) enum Ttl {
    Never,
    /// The time, and the text that it is written as.
    For(Duration, String),
    Constant(ExprPath),
}

/// One limit of a throttle.
pub(crate) enum Limit {
    /// A number for a time, as text.
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

/// The outcome of reading bytes that don't decode.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum OnDecodeError {
    Error,
    Miss,
}

/// The place where attributes stand, and the text that one writes there.
struct Place {
    /// A whole attribute.
    example: &'static str,
    /// The sentence of the known words.
    words: fn() -> String,
    /// The word that a text by itself is probably meant for.
    text: Option<&'static str>,
}

const ON_STRUCT: Place = Place {
    example: "`#[keyspace(prefix = \"session\", ttl = \"30m\")]`",
    words: struct_words,
    text: Some("prefix"),
};
const ON_FIELD: Place = Place {
    example: "`#[keyspace(key)]`",
    words: || "on a field the words are `key` and `tag`".to_string(),
    text: None,
};
const ON_SEGMENT: Place = Place {
    example: "`#[keyspace(display)]`",
    words: || "on a part of a key the words are `display` and `crate`".to_string(),
    text: None,
};
const ON_VARIANT: Place = Place {
    example: "`#[keyspace(rename = \"eu\")]`",
    words: || "on a variant the word is `rename`".to_string(),
    text: Some("rename"),
};
const RENAME: &str = "`rename = \"eu\"`";

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
}

impl FieldWords {
    pub(crate) fn parse(attributes: &[Attribute], mistakes: &mut Mistakes) -> Self {
        let mut words = Self::default();
        each_word(attributes, &ON_FIELD, mistakes, |name, input, mistakes| {
            let meaning = stands_alone(&name, input);
            match name.to_string().as_str() {
                "key" => once(&mut words.key, name, meaning, mistakes),
                "tag" => once(&mut words.tag, name, meaning, mistakes),
                _ => mistakes.add(unknown(&name, &ON_FIELD)),
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
                _ => mistakes.add(unknown(&name, &ON_SEGMENT)),
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
                mistakes.add(unknown(&name, &ON_VARIANT));
            }
        },
    );
    rename?.meaning
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
        _ => format!("expected a word: {}", (place.words)()),
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

fn unknown(name: &Ident, place: &Place) -> Error {
    let known = (place.words)();
    Error::new(name.span(), format!("unknown word `{name}`: {known}"))
}

#[cfg(test)]
mod tests;
