//! The attributes of serde on a struct, as far as what it stores depends on them.

use syn::meta::ParseNestedMeta;
use syn::{Attribute, Data, DeriveInput, Error, Expr, Field, Ident, Token, Type};

use crate::attr::Mistakes;

/// Notes attributes with which Postcard, which finds fields by their position, reads other fields
/// than it wrote.
pub(crate) fn check_positions(item: &DeriveInput, mistakes: &mut Mistakes) {
    if let Some(tag) = find(&words(&item.attrs), "tag") {
        mistakes.add(Error::new(
            tag.span(),
            "Postcard can't read a tag back: remove `tag`, or choose another `codec`",
        ));
    }
    let Data::Struct(data) = &item.data else {
        return;
    };
    for field in &data.fields {
        let words = words(&field.attrs);
        let (written, read) = (
            find(&words, "skip_serializing"),
            find(&words, "skip_deserializing"),
        );
        let fault = match (find(&words, "flatten"), written, read) {
            (Some(word), ..) => (
                word,
                "Postcard can't read flattened fields back: remove `flatten`, or choose another `codec`",
            ),
            (None, Some(word), None) => (
                word,
                "Postcard would read this field where none was written: write `skip`, or choose another `codec`",
            ),
            (None, None, Some(word)) => (
                word,
                "Postcard would read the next field here: write `skip`, or choose another `codec`",
            ),
            _ => continue,
        };
        mistakes.at(fault.0.span(), fault.1);
    }
}

/// Notes fields that are never written and without which nothing is read.
pub(crate) fn check_names(item: &DeriveInput, mistakes: &mut Mistakes) {
    let Data::Struct(data) = &item.data else {
        return;
    };
    if find(&words(&item.attrs), "default").is_some() {
        return;
    }
    for field in data.fields.iter().filter(|field| !is_option(field)) {
        let words = words(&field.attrs);
        let is_read = ["default", "skip_deserializing"];
        if let Some(word) = find(&words, "skip_serializing")
            && !is_read.iter().any(|word| find(&words, word).is_some())
        {
            mistakes.at(
                word.span(),
                "an entry couldn't be read back without this field: write `default` beside it, or `skip`",
            );
        }
    }
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

pub(crate) fn find<'a>(words: &'a [Ident], name: &str) -> Option<&'a Ident> {
    words.iter().find(|word| *word == name)
}

/// Lists the words in all `#[serde(..)]`. What serde itself refuses is left to serde.
pub(crate) fn words(attributes: &[Attribute]) -> Vec<Ident> {
    let mut words = Vec::new();
    for attribute in attributes {
        if attribute.path().is_ident("serde") {
            let _ = attribute.parse_nested_meta(|meta| note(&meta, &mut words));
        }
    }
    words
}

fn note(meta: &ParseNestedMeta<'_>, words: &mut Vec<Ident>) -> syn::Result<()> {
    words.extend(meta.path.get_ident().cloned());
    if meta.input.peek(Token![=]) {
        meta.value()?.parse::<Expr>()?;
    } else if !meta.input.is_empty() && !meta.input.peek(Token![,]) {
        // `rename(serialize = "..", deserialize = "..")`.
        meta.parse_nested_meta(|meta| note(&meta, &mut Vec::new()))?;
    }
    Ok(())
}
