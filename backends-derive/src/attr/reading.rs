//! Reading the words of `#[keyspace(..)]` one by one.

use proc_macro2::{Span, TokenTree};
use syn::ext::IdentExt;
use syn::parse::ParseStream;
use syn::{Attribute, Error, Ident, LitStr, Meta, Result, Token};

use super::words::{Mistakes, Unread, Word};

/// The place where attributes stand, and the text that one writes there.
pub(super) struct Place {
    /// A whole attribute.
    pub(super) example: &'static str,
    /// The sentence of the known words.
    pub(super) words: fn() -> String,
    /// The word that a text by itself is probably meant for.
    pub(super) text: Option<&'static str>,
}

/// Calls `word` with each word of each `#[keyspace(..)]`; after a mistake it goes on behind the
/// next comma.
pub(super) fn each_word(
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
                let known = mistakes.count();
                match Ident::parse_any(input) {
                    Ok(name) => word(name, input, mistakes),
                    Err(error) => {
                        unread.text |= input.peek(LitStr);
                        mistakes.add(no_word(input, error.span(), place));
                    }
                }
                let is_right = mistakes.count() == known;
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

pub(super) fn value<T>(
    name: &Ident,
    input: ParseStream<'_>,
    example: &str,
    parse: impl FnOnce(ParseStream<'_>, &str) -> Result<T>,
) -> Result<T> {
    let has_value = input.parse::<Option<Token![=]>>()?.is_some();
    if has_value && !input.is_empty() && !input.peek(Token![,]) {
        return parse(input, example);
    }
    let message = format!("`{name}` takes a value: write {example}");
    Err(Error::new(name.span(), message))
}

pub(super) fn stands_alone(name: &Ident, input: ParseStream<'_>) -> Result<()> {
    if input.is_empty() || input.peek(Token![,]) {
        return Ok(());
    }
    let message = format!("`{name}` stands alone: write `{name}` and a comma or nothing behind it");
    Err(Error::new(name.span(), message))
}

/// Notes a word in its place, or a mistake if the place is taken.
pub(super) fn once<T>(
    place: &mut Option<Word<T>>,
    name: Ident,
    meaning: Result<T>,
    mistakes: &mut Mistakes,
) {
    let meaning = mistakes.keep(meaning);
    let Some(first) = place else {
        *place = Some(Word { name, meaning });
        return;
    };
    mistakes.at(name.span(), &format!("`{name}` is given twice"));
    mistakes.at(first.name.span(), &format!("`{name}` is given here first"));
}

pub(super) fn unknown(name: &Ident, place: &Place) -> Error {
    let known = (place.words)();
    Error::new(name.span(), format!("unknown word `{name}`: {known}"))
}
