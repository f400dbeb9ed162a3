//! A keyspace as its declaration means it: a model that exists is right.

use proc_macro2::{TokenStream, TokenTree};
use quote::ToTokens;
use syn::{Data, DeriveInput, Error, Fields, Ident, Type};

use crate::attr::{Mistakes, StructWords, Ttl, Word, key_word};

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
        if words.prefix.is_none() {
            let message = "missing `prefix`: write `prefix = \"session\"`";
            mistakes.at(name, message);
        }
        if words.ttl.is_none() {
            let message = "missing `ttl`: write `ttl = \"30m\"` or `ttl = never`";
            mistakes.at(name, message);
        }
        if let (Some(counter), Some(value)) = (&words.counter, &words.value) {
            let message = "a keyspace is a `counter` or has a `value`, not both";
            mistakes.at(counter.name.span(), message);
            mistakes.at(value.name.span(), message);
        }
        let kind = match (words.counter, words.value) {
            (Some(_), _) => Kind::Counter,
            (None, Some(value)) => Kind::value(value, item, mistakes),
            (None, None) => Kind::Entry,
        };
        Self {
            item,
            prefix: (words.prefix.and_then(|word| word.meaning))
                .map_or("invalid".to_string(), |text| text.value()),
            ttl: (words.ttl.and_then(|word| word.meaning)).unwrap_or(Ttl::Never),
            key: key_fields(item, &kind, mistakes),
            kind,
        }
    }
}

impl Kind {
    fn value(word: Word<Type>, item: &DeriveInput, mistakes: &mut Mistakes) -> Self {
        let stand_in = || syn::parse_quote!(());
        let Some(ty) = word.meaning else {
            return Self::Value(Box::new(stand_in()));
        };
        let borrowed = item.generics.lifetimes().find(|parameter| {
            let name = &parameter.lifetime.ident;
            mentions(ty.to_token_stream(), &|ident| ident == name)
        });
        let Some(parameter) = borrowed else {
            return Self::Value(Box::new(ty));
        };
        let message = format!(
            "a stored value can't borrow from the key: write an owned type, or `'static` for `{}`",
            parameter.lifetime
        );
        mistakes.add(Error::new_spanned(ty, message));
        Self::Value(Box::new(stand_in()))
    }
}

/// Says whether one of the identifiers of `tokens`, at any depth, is one that is looked for.
pub(crate) fn mentions(tokens: TokenStream, is_looked_for: &dyn Fn(&Ident) -> bool) -> bool {
    tokens.into_iter().any(|token| match token {
        TokenTree::Ident(ident) => is_looked_for(&ident),
        TokenTree::Group(group) => mentions(group.stream(), is_looked_for),
        TokenTree::Punct(_) | TokenTree::Literal(_) => false,
    })
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
            "a keyspace has named fields: write `struct Name { field: Type }`",
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
