//! The words of `#[keyspace(..)]`, each parsed to what it means, each mistake at its own tokens.

mod parse;
mod reading;
mod table;
mod words;

use syn::{Attribute, LitStr, Path};

use self::parse::{crate_path, expected};
use self::reading::{Place, each_word, once, stands_alone, unknown, value};
use self::table::CRATE;
pub(crate) use self::table::{KindWord, StructWords};
pub(crate) use self::words::{
    ErrorOrMiss, Limit, Mistakes, Prefix, PrefixPart, Ttl, Unread, Window, Word,
};

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
                let meaning = value(&name, input, RENAME, |input, example| {
                    expected("text", example, input.parse())
                });
                once(&mut rename, name, meaning, mistakes);
            } else {
                mistakes.add(unknown(&name, &ON_VARIANT));
            }
        },
    );
    rename?.meaning
}

#[cfg(test)]
mod tests;
