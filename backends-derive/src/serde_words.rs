//! The attributes of serde on an entry, as far as the stored form of the entry depends on them.

use syn::ext::IdentExt;
use syn::meta::ParseNestedMeta;
use syn::spanned::Spanned;
use syn::{Attribute, Data, DeriveInput, Expr, ExprLit, Field, Ident, Lit, Token, Type};

use crate::attr::Mistakes;

/// The way a codec finds the fields of a struct.
pub(crate) enum Layout {
    Names,
    Positions,
    /// The codec is the user's own.
    Unknown,
}

/// Notes attributes with which an entry doesn't come back as it was, or not under its key.
pub(crate) fn check(item: &DeriveInput, key: &[&Ident], layout: Layout, mistakes: &mut Mistakes) {
    let Data::Struct(data) = &item.data else {
        return;
    };
    let container = Words::of(&item.attrs);
    // Another type is written or read in place of one that isn't itself, with attributes of its
    // own.
    if !container.is_read_as_itself() || container.find("into").is_some() {
        return;
    }
    let is_key = |field: &&Field| field.ident.as_ref().is_some_and(|name| key.contains(&name));
    let (key, others): (Vec<&Field>, Vec<&Field>) = data.fields.iter().partition(is_key);
    for field in key {
        check_key(field, mistakes);
    }
    match layout {
        Layout::Names => {
            check_defaults(&container, &others, mistakes);
            for field in &data.fields {
                check_name(&container, field, mistakes);
            }
        }
        Layout::Positions => {
            check_flat(&container, data.fields.iter(), mistakes);
            check_positions(&others, mistakes);
        }
        Layout::Unknown => {}
    }
}

/// Says whether serde neither writes nor reads a field. Where a container is read as another type,
/// its fields' own attributes don't tell.
pub(crate) fn is_skipped(item: &DeriveInput, field: &Field) -> bool {
    let words = Words::of(&field.attrs);
    Words::of(&item.attrs).is_read_as_itself()
        && (words.find("skip").is_some()
            || words.find("skip_serializing").is_some()
                && words.find("skip_deserializing").is_some())
}

/// A key field that is only written, or only read, comes back as its default: the entry comes back
/// under another key.
fn check_key(field: &Field, mistakes: &mut Mistakes) {
    let words = Words::of(&field.attrs);
    let (written, read) = (
        words.find("skip_serializing"),
        words.find("skip_deserializing"),
    );
    let (word, what) = match (written, read) {
        (Some(word), None) => (word, "written"),
        (None, Some(word)) => (word, "read"),
        _ => return,
    };
    let message = format!(
        "the entry would come back under another key, because this key field isn't {what}: \
         remove `{word}`, or write `skip`, with which reads take the field from the key"
    );
    mistakes.at(word.span(), &message);
}

/// Notes attributes that make a struct a map, which Postcard can't read back.
fn check_flat<'a>(
    container: &Words,
    fields: impl Iterator<Item = &'a Field>,
    mistakes: &mut Mistakes,
) {
    if let Some(tag) = container.find("tag") {
        mistakes.at(
            tag.span(),
            "Postcard can't read a tag back: remove `tag`, or choose another `codec`",
        );
    }
    for field in fields {
        if let Some(word) = Words::of(&field.attrs).find("flatten") {
            mistakes.at(
                word.span(),
                "Postcard can't read flattened fields back: remove `flatten`, or choose another `codec`",
            );
        }
    }
}

/// Notes attributes with which Postcard, which finds fields by their position, reads other fields
/// than it wrote.
fn check_positions(fields: &[&Field], mistakes: &mut Mistakes) {
    for field in fields {
        let words = Words::of(&field.attrs);
        let (written, read) = (
            words.find("skip_serializing"),
            words.find("skip_deserializing"),
        );
        let (word, message) = match (written, read) {
            (Some(word), None) => (
                word,
                "Postcard would read this field where none was written: write `skip`, or choose another `codec`",
            ),
            (None, Some(word)) => (
                word,
                "Postcard would read the next field here: write `skip`, or choose another `codec`",
            ),
            _ => continue,
        };
        mistakes.at(word.span(), message);
    }
}

/// Notes fields that are never written and without which nothing is read.
fn check_defaults(container: &Words, fields: &[&Field], mistakes: &mut Mistakes) {
    if container.find("default").is_some() {
        return;
    }
    for field in fields.iter().filter(|field| !is_option(field)) {
        let words = Words::of(&field.attrs);
        let is_read = ["default", "skip_deserializing"];
        if let Some(word) = words.find("skip_serializing")
            && !is_read.iter().any(|word| words.find(word).is_some())
        {
            mistakes.at(
                word.span(),
                "an entry couldn't be read back without this field: write `default` beside it, or `skip`",
            );
        }
    }
}

/// Notes a field that is written under a name that it isn't read by.
fn check_name(container: &Words, field: &Field, mistakes: &mut Mistakes) {
    let words = Words::of(&field.attrs);
    let Some(own) = &field.ident else {
        return;
    };
    let is_left_out = ["skip", "skip_serializing", "skip_deserializing", "flatten"];
    if is_left_out.iter().any(|word| words.find(word).is_some()) {
        return;
    }
    let (of_all, of_field) = (container.names("rename_all"), words.names("rename"));
    let own = own.unraw().to_string();
    let written = of_field.written.or_else(|| by_rule(&own, of_all.written));
    let read = of_field.read.or_else(|| by_rule(&own, of_all.read));
    let (Some(written), Some(read)) = (written, read) else {
        return;
    };
    if written == read || words.has_alias(&written) {
        return;
    }
    let place = words
        .find("rename")
        .or_else(|| container.find("rename_all"));
    let message = format!(
        "`{own}` is written as `{written}` and read as `{read}`, so what is stored can't be read \
         back: write one name for both, or an `alias`"
    );
    mistakes.at(place.map_or(field.span(), |word| word.span()), &message);
}

/// Returns the name of a field by the rule of `rename_all`; `None` if serde knows no such rule.
fn by_rule(field: &str, rule: Option<String>) -> Option<String> {
    let capitalized = |word: &str| {
        let mut letters = word.chars();
        let first = letters.next().map(|first| first.to_ascii_uppercase());
        first.into_iter().chain(letters).collect::<String>()
    };
    let pascal = || field.split('_').map(capitalized).collect::<String>();
    Some(match rule.as_deref() {
        None | Some("lowercase" | "snake_case") => field.to_string(),
        Some("UPPERCASE" | "SCREAMING_SNAKE_CASE") => field.to_ascii_uppercase(),
        Some("PascalCase") => pascal(),
        Some("camelCase") => {
            let pascal = pascal();
            let first = pascal.get(..1).unwrap_or_default().to_ascii_lowercase();
            first + pascal.get(1..).unwrap_or_default()
        }
        Some("kebab-case") => field.replace('_', "-"),
        Some("SCREAMING-KEBAB-CASE") => field.replace('_', "-").to_ascii_uppercase(),
        Some(_) => return None,
    })
}

/// Says whether serde reads nothing as `None` here.
fn is_option(field: &Field) -> bool {
    let Type::Path(path) = &field.ty else {
        return false;
    };
    path.path
        .segments
        .last()
        .is_some_and(|last| last.ident == "Option")
}

/// The words in all `#[serde(..)]` of an item. Mistakes that serde itself refuses are left to
/// serde.
pub(crate) struct Words(Vec<SerdeWord>);

struct SerdeWord {
    /// The word in whose parentheses this one stands.
    within: Option<Ident>,
    name: Ident,
    /// The text behind `=`.
    text: Option<String>,
}

/// The names that a word like `rename` gives.
#[derive(Default)]
struct Names {
    written: Option<String>,
    read: Option<String>,
}

impl Words {
    pub(crate) fn of(attributes: &[Attribute]) -> Self {
        let mut words = Vec::new();
        for attribute in attributes {
            if attribute.path().is_ident("serde") {
                let _ = attribute.parse_nested_meta(|meta| note(&meta, None, &mut words));
            }
        }
        Self(words)
    }

    pub(crate) fn find(&self, name: &str) -> Option<&Ident> {
        let mut words = self.0.iter().filter(|word| word.within.is_none());
        let found = words.find(|word| word.name == name);
        found.map(|word| &word.name)
    }

    /// Says whether no other type is read in place of the struct.
    pub(crate) fn is_read_as_itself(&self) -> bool {
        let words = ["from", "try_from"];
        words.iter().all(|word| self.find(word).is_none())
    }

    fn has_alias(&self, name: &str) -> bool {
        self.0
            .iter()
            .any(|word| word.name == "alias" && word.text.as_deref() == Some(name))
    }

    /// `rename = "a"`, or `rename(serialize = "a", deserialize = "b")`
    fn names(&self, name: &str) -> Names {
        let mut names = Names::default();
        for word in &self.0 {
            let (written, read) = match &word.within {
                None if word.name == name && word.text.is_some() => (true, true),
                Some(within) if within == name => {
                    (word.name == "serialize", word.name == "deserialize")
                }
                _ => continue,
            };
            if written {
                names.written.clone_from(&word.text);
            }
            if read {
                names.read.clone_from(&word.text);
            }
        }
        names
    }
}

fn note(
    meta: &ParseNestedMeta<'_>,
    within: Option<&Ident>,
    words: &mut Vec<SerdeWord>,
) -> syn::Result<()> {
    let name = meta.path.get_ident().cloned();
    let mut text = None;
    let mut inner = Vec::new();
    if meta.input.peek(Token![=]) {
        text = literal(meta.value()?.parse()?);
    } else if !meta.input.is_empty() && !meta.input.peek(Token![,]) {
        // `rename(serialize = "..", deserialize = "..")`.
        meta.parse_nested_meta(|meta| note(&meta, name.as_ref(), &mut inner))?;
    }
    words.extend(name.map(|name| SerdeWord {
        within: within.cloned(),
        name,
        text,
    }));
    words.extend(inner);
    Ok(())
}

fn literal(value: Expr) -> Option<String> {
    match value {
        Expr::Lit(ExprLit {
            lit: Lit::Str(text),
            ..
        }) => Some(text.value()),
        _ => None,
    }
}
