//! A keyspace as its declaration means it: a model that exists is right.

use proc_macro2::{Span, TokenStream, TokenTree};
use quote::ToTokens;
use syn::{Data, DeriveInput, Error, Fields, Ident, Path, Type};

use crate::attr::{
    ErrorOrMiss, FieldWords, Limit, Mistakes, Prefix, PrefixPart, StructWords, Ttl, Unread, Window,
    Word,
};
use crate::borrowed::check_owned;
use crate::check::check;
use crate::serde_words::{self, Layout};

/// The keyspace to generate for one struct.
pub(crate) struct Keyspace<'a> {
    pub(crate) item: &'a DeriveInput,
    /// The path of the library, where it has another name.
    pub(crate) krate: Option<Path>,
    pub(crate) prefix: Prefix,
    pub(crate) version: u32,
    pub(crate) ttl: Ttl,
    pub(crate) sliding: bool,
    pub(crate) inspect: bool,
    pub(crate) jitter: Option<u8>,
    /// Only of values.
    pub(crate) lease: Option<Ttl>,
    /// Only of values.
    pub(crate) stale: Option<Ttl>,
    /// The place of `stale`, or of `lease` where that stands alone.
    pub(crate) computed_by: Option<Span>,
    pub(crate) kind: Kind,
    pub(crate) key: Vec<KeyField<'a>>,
    /// True for an entry that can't be read back, which is a mistake. It is no keyspace of values.
    pub(crate) is_unreadable: bool,
}

/// The content of a keyspace.
pub(crate) enum Kind {
    /// The struct itself.
    Entry(Stored),
    /// Values of another type.
    Value(Box<Type>, Stored),
    /// Counters.
    Counter,
    /// Throttles.
    Throttle(Limits),
}

/// The limits to which a throttle holds its keys.
pub(crate) struct Limits {
    pub(crate) limits: Vec<Limit>,
    /// `None` is GCRA.
    pub(crate) window: Option<Window>,
    /// The burst of the only limit.
    pub(crate) burst: Option<u32>,
}

/// The way in which values are stored and read back.
pub(crate) struct Stored {
    /// `None` is CBOR.
    pub(crate) codec: Option<Type>,
    /// The keyspace that older entries are read from.
    pub(crate) migrates: Option<Type>,
    pub(crate) on_decode_error: ErrorOrMiss,
    pub(crate) on_unavailable: ErrorOrMiss,
    /// The word `shared`, if it is there.
    pub(crate) shared: Option<Ident>,
}

impl Stored {
    /// Returns the way the codec finds fields, as far as its name tells. Postcard is known by
    /// whatever path.
    fn layout(&self) -> Layout {
        let last = self.codec_path().and_then(|path| path.segments.last());
        if last.is_some_and(|last| last.ident == "Postcard") {
            Layout::Positions
        } else if self.codec.is_none() || self.built_in_codec().is_some() {
            Layout::Names
        } else {
            Layout::Unknown
        }
    }

    /// Returns the name of the codec, if that is the bare name of a built-in one.
    pub(crate) fn built_in_codec(&self) -> Option<&Ident> {
        let name = self.codec_path()?.get_ident()?;
        let built_in = ["Cbor", "Json", "Postcard"];
        built_in.iter().any(|codec| name == codec).then_some(name)
    }

    fn codec_path(&self) -> Option<&Path> {
        let mut codec = self.codec.as_ref()?;
        // A macro that passes a fragment on puts it into a group that nobody sees.
        while let Type::Group(group) = codec {
            codec = &group.elem;
        }
        let Type::Path(path) = codec else {
            return None;
        };
        Some(&path.path)
    }
}

/// A field that is a segment of the key.
pub(crate) struct KeyField<'a> {
    pub(crate) name: &'a Ident,
    pub(crate) ty: &'a Type,
    pub(crate) is_tag: bool,
    /// Serde neither writes nor reads it: it stands in the key alone.
    pub(crate) is_skipped: bool,
}

impl<'a> Keyspace<'a> {
    /// Says whether its reads, and its writes that ask for nothing, go on without the store.
    pub(crate) fn goes_on(&self) -> bool {
        let stored = self.kind.stored();
        stored.is_some_and(|stored| stored.on_unavailable == ErrorOrMiss::Miss)
    }

    /// Reads the declaration. Where it is wrong the model holds a stand-in, so that the code around
    /// the struct still has something to compile against and shows no mistakes of its own.
    pub(crate) fn parse(item: &'a DeriveInput, mistakes: &mut Mistakes) -> Self {
        let words = StructWords::parse(&item.attrs, mistakes);
        let name = item.ident.span();
        let Unread { text, attribute } = words.unread;
        if words.prefix.is_none() && !text && !attribute {
            let message = "missing `prefix`: write `prefix = \"session\"`";
            mistakes.at(name, message);
        }
        if words.ttl.is_none() && words.limit.is_none() && !attribute {
            let message = "missing `ttl`: write `ttl = \"30m\"` or `ttl = never`";
            mistakes.at(name, message);
        }
        check(&words, mistakes);
        let ttl = (words.ttl.and_then(|word| word.meaning)).unwrap_or(Ttl::Never);
        let stored = Stored {
            codec: words.codec.and_then(|word| word.meaning),
            migrates: words.migrates.and_then(|word| word.meaning),
            on_decode_error: (words.on_decode_error.and_then(|word| word.meaning))
                .unwrap_or(ErrorOrMiss::Error),
            on_unavailable: (words.on_unavailable.and_then(|word| word.meaning))
                .unwrap_or(ErrorOrMiss::Error),
            shared: words.shared.map(|word| word.name),
        };
        let mut is_unreadable = false;
        let kind = match (words.limit, words.counter, words.value) {
            (Some(limit), ..) => Kind::Throttle(Limits {
                limits: limit.meaning.unwrap_or_default(),
                // With a window it is a mistake.
                burst: (words.burst.filter(|_| words.window.is_none()))
                    .and_then(|word| word.meaning),
                window: words.window.and_then(|word| word.meaning),
            }),
            (None, Some(_), _) => Kind::Counter,
            (None, None, Some(value)) => Kind::value(value, stored, item, mistakes),
            (None, None, None) => {
                is_unreadable = !check_owned(item, mistakes);
                Kind::Entry(stored)
            }
        };
        let key = key_fields(item, &kind, mistakes);
        if let Kind::Entry(stored) = &kind {
            let key: Vec<&Ident> = key.iter().map(|field| field.name).collect();
            serde_words::check(item, &key, stored.layout(), mistakes);
        }
        let mut keyspace = Self {
            item,
            krate: words.krate.and_then(|word| word.meaning),
            prefix: (words.prefix.and_then(|word| word.meaning))
                .unwrap_or_else(|| Prefix::Text("invalid".to_string())),
            version: (words.version.and_then(|word| word.meaning)).unwrap_or(1),
            sliding: words.sliding.is_some(),
            inspect: words.inspect.is_some(),
            jitter: words.jitter.and_then(|word| word.meaning),
            computed_by: (words.stale.as_ref().or(words.lease.as_ref()))
                .map(|word| word.name.span()),
            lease: words.lease.and_then(|word| word.meaning),
            stale: words.stale.and_then(|word| word.meaning),
            ttl,
            key,
            kind,
            is_unreadable,
        };
        if mistakes.is_empty() {
            return keyspace;
        }
        // A stand-in needs no older version, and what it holds may not fit one. It computes nothing
        // either, and shares its keys with nobody.
        keyspace.prefix = Prefix::Text("invalid".to_string());
        if let Kind::Entry(stored) | Kind::Value(_, stored) = &mut keyspace.kind {
            stored.migrates = None;
        }
        (keyspace.lease, keyspace.stale) = (None, None);
        keyspace
    }

    /// Says whether the item is a struct that can be written as `Self { field: value }`, and no
    /// mistake.
    pub(crate) fn has_named_fields(&self) -> bool {
        match &self.item.data {
            Data::Struct(data) => !matches!(data.fields, Fields::Unnamed(_)),
            Data::Enum(_) | Data::Union(_) => false,
        }
    }

    /// `session@2:`, the text that every key begins with; `cached.<T::NAME>:` where a constant
    /// tells a part of it.
    pub(crate) fn head(&self) -> String {
        let prefix = self.prefix.pattern();
        match self.version {
            1 => format!("{prefix}:"),
            version => format!("{prefix}@{version}:"),
        }
    }
}

impl Prefix {
    /// The text, with each constant in angle brackets: `cached.<T::NAME>`.
    pub(crate) fn pattern(&self) -> String {
        let parts = match self {
            Self::Text(text) => return text.clone(),
            Self::Joined(parts) => parts.iter(),
        };
        let parts = parts.map(|part| match part {
            PrefixPart::Text(text) => text.value(),
            PrefixPart::Constant(path) => format!("<{}>", compact(path)),
        });
        parts.collect::<Vec<_>>().join(".")
    }

    /// The parts as they are written, `"cached", T::NAME`.
    pub(crate) fn parts(&self) -> Vec<String> {
        match self {
            Self::Text(text) => vec![format!("{text:?}")],
            Self::Joined(parts) => {
                let parts = parts.iter().map(|part| match part {
                    PrefixPart::Text(text) => format!("{:?}", text.value()),
                    PrefixPart::Constant(path) => compact(path),
                });
                parts.collect()
            }
        }
    }

    /// Says whether a constant of the prefix depends on a parameter of the struct.
    pub(crate) fn depends_on(&self, parameter: &Ident) -> bool {
        let Self::Joined(parts) = self else {
            return false;
        };
        let is_named = |ident: &Ident| ident == parameter || ident == "Self";
        parts.iter().any(|part| match part {
            PrefixPart::Text(_) => false,
            PrefixPart::Constant(path) => mentions(path.to_token_stream(), &is_named),
        })
    }
}

/// A path without the white space that tokens have between them.
pub(crate) fn compact(path: &impl ToTokens) -> String {
    let text = path.to_token_stream().to_string();
    let text = text.replace(" as ", "\u{0}").replace(' ', "");
    text.replace('\u{0}', " as ")
}

impl Limits {
    /// `5/min, burst 10`, `limits::LOGIN and 500/h`
    pub(crate) fn in_words(&self) -> String {
        let limits = self.limits.iter().map(|limit| match limit {
            Limit::Rate { text, .. } => text.value(),
            Limit::Constant(path) => compact(path),
        });
        let mut words = limits.collect::<Vec<_>>().join(" and ");
        match self.window {
            Some(Window::Fixed) => words.push_str(", fixed window"),
            Some(Window::Sliding) => words.push_str(", sliding window"),
            None => {}
        }
        if let Some(burst) = self.burst {
            words.push_str(&format!(", burst {burst}"));
        }
        words
    }
}

impl Kind {
    fn value(
        word: Word<Type>,
        stored: Stored,
        item: &DeriveInput,
        mistakes: &mut Mistakes,
    ) -> Self {
        let stand_in = || syn::parse_quote!(());
        let Some(ty) = word.meaning else {
            return Self::Value(Box::new(stand_in()), stored);
        };
        let borrowed = item.generics.lifetimes().find(|parameter| {
            let name = &parameter.lifetime.ident;
            mentions(ty.to_token_stream(), &|ident| ident == name)
        });
        let Some(parameter) = borrowed else {
            return Self::Value(Box::new(ty), stored);
        };
        let message = format!(
            "a stored value can't borrow from the key: write an owned type, or `'static` for `{}`",
            parameter.lifetime
        );
        mistakes.add(Error::new_spanned(ty, message));
        Self::Value(Box::new(stand_in()), stored)
    }

    /// Returns the type of values that aren't the struct itself.
    pub(crate) fn value_type(&self) -> Option<&Type> {
        match self {
            Self::Value(ty, _) => Some(ty),
            Self::Entry(_) | Self::Counter | Self::Throttle(_) => None,
        }
    }

    /// Returns the way in which values are stored; `None` for counters and throttles.
    pub(crate) fn stored(&self) -> Option<&Stored> {
        match self {
            Self::Entry(stored) | Self::Value(_, stored) => Some(stored),
            Self::Counter | Self::Throttle(_) => None,
        }
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
    let mut key: Vec<KeyField<'_>> = Vec::new();
    let mut tag: Option<Ident> = None;
    for field in fields {
        let words = FieldWords::parse(&field.attrs, mistakes);
        if let Some(second) = &words.tag {
            if let Some(first) = &tag {
                mistakes.at(
                    second.name.span(),
                    "a key has one `tag`: a cluster looks at the first",
                );
                mistakes.at(first.span(), "the `tag` is given here first");
            }
            tag.get_or_insert_with(|| second.name.clone());
        }
        match (kind, &words.key, &words.tag) {
            (Kind::Entry(_), None, None) => continue,
            (Kind::Entry(_), None, Some(tag)) => mistakes.at(
                tag.name.span(),
                "`tag` is for a part of the key: write `#[keyspace(key, tag)]`",
            ),
            (Kind::Entry(_), Some(_), _) | (_, None, _) | (_, Some(_), Some(_)) => {}
            (_, Some(key), None) => mistakes.at(
                key.name.span(),
                "every field of a counter, a throttle or a keyspace with `value` is part of the key already",
            ),
        }
        if let Some(name) = &field.ident {
            key.push(KeyField {
                name,
                ty: &field.ty,
                is_tag: words.tag.is_some(),
                is_skipped: matches!(kind, Kind::Entry(_)) && serde_words::is_skipped(item, field),
            });
        }
    }
    if key.is_empty() && matches!(kind, Kind::Entry(_)) {
        mistakes.at(
            name,
            "missing key: mark the fields that name an entry with `#[keyspace(key)]`",
        );
    }
    key
}
