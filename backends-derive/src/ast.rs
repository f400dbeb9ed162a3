//! A keyspace as its declaration means it: a model that exists is right.

use syn::{Data, DeriveInput, Fields, Ident, Type};

use crate::attr::{Mistakes, StructWords, Ttl, key_word};

/// What to generate for one struct.
pub(crate) struct Keyspace<'a> {
    pub(crate) item: &'a DeriveInput,
    pub(crate) prefix: String,
    pub(crate) ttl: Ttl,
    pub(crate) kind: Kind,
    pub(crate) key: Vec<KeyField<'a>>,
}

/// What the keyspace holds.
pub(crate) enum Kind {
    /// The struct itself.
    Entry,
    /// Values of another type.
    Value(Box<Type>),
    /// Counters.
    Counter,
}

/// A field that is a segment of the key.
pub(crate) struct KeyField<'a> {
    pub(crate) name: &'a Ident,
    pub(crate) ty: &'a Type,
}

impl<'a> Keyspace<'a> {
    /// Reads the declaration. Where it is wrong the model holds a stand-in, so that the code around the struct still has
    /// something to compile against and shows no mistakes of its own.
    pub(crate) fn parse(item: &'a DeriveInput, mistakes: &mut Mistakes) -> Self {
        let words = StructWords::parse(&item.attrs, mistakes);
        let name = item.ident.span();
        if words.prefix.is_none() && !words.bad_prefix {
            mistakes.at(
                name,
                "missing `prefix`: write `#[keyspace(prefix = \"...\", ...)]`",
            );
        }
        if words.ttl.is_none() && !words.bad_ttl {
            mistakes.at(
                name,
                "missing `ttl`: write `ttl = \"30m\"` or `ttl = never`",
            );
        }
        if let (Some(counter), Some(_)) = (&words.counter, &words.value) {
            let message = "a `counter` has no `value`: it counts in `i64`";
            mistakes.at(counter.name.span(), message);
        }
        let kind = match (words.counter, words.value) {
            (Some(_), _) => Kind::Counter,
            (None, Some(value)) => Kind::Value(Box::new(value.meaning)),
            (None, None) if words.bad_value => Kind::Value(Box::new(syn::parse_quote!(()))),
            (None, None) => Kind::Entry,
        };
        Self {
            item,
            prefix: words
                .prefix
                .map_or("invalid".to_string(), |word| word.meaning.value()),
            ttl: words.ttl.map_or(Ttl::Never, |word| word.meaning),
            key: key_fields(item, &kind, mistakes),
            kind,
        }
    }
}

fn key_fields<'a>(
    item: &'a DeriveInput,
    kind: &Kind,
    mistakes: &mut Mistakes,
) -> Vec<KeyField<'a>> {
    let name = item.ident.span();
    let fields = match &item.data {
        Data::Struct(data) => &data.fields,
        Data::Enum(data) => {
            mistakes.at(data.enum_token.span, "a keyspace is a struct, not an enum");
            return Vec::new();
        }
        Data::Union(data) => {
            mistakes.at(data.union_token.span, "a keyspace is a struct, not a union");
            return Vec::new();
        }
    };
    if let Fields::Unnamed(_) = fields {
        mistakes.at(
            name,
            "a keyspace has named fields: they name the key's segments",
        );
        return Vec::new();
    }
    let mut key = Vec::new();
    for field in fields {
        let word = key_word(&field.attrs, mistakes);
        match (kind, &word) {
            (Kind::Entry, None) => continue,
            (Kind::Entry, Some(_)) | (_, None) => {}
            (_, Some(word)) => mistakes.at(
                word.span(),
                "every field of a counter or of a keyspace with `value` is part of the key already",
            ),
        }
        if let Some(name) = &field.ident {
            key.push(KeyField {
                name,
                ty: &field.ty,
            });
        }
    }
    if key.is_empty() && matches!(kind, Kind::Entry) {
        mistakes.at(
            name,
            "missing key: mark the fields that name an entry with `#[keyspace(key)]`",
        );
    }
    key
}
