//! The code that a keyspace becomes: the traits, and the accessors as inherent methods.

use std::time::Duration;

use proc_macro2::{Span, TokenStream};
use quote::{ToTokens, format_ident, quote, quote_spanned};
use syn::ext::IdentExt;
use syn::{DeriveInput, GenericParam, Ident, Type};

use crate::accessors::accessors;
use crate::ast::{Keyspace, Kind, Limits, Stored};
use crate::attr::{Limit, Mistakes, OnDecodeError, Prefix, PrefixPart, Ttl, Window};
use crate::scope::{Scope, place, tuple};

/// Expands the derive: every mistake of the item, and code that compiles all the same.
pub(crate) fn derive(item: &DeriveInput) -> TokenStream {
    let mut mistakes = Mistakes::default();
    let keyspace = Keyspace::parse(item, &mut mistakes);
    let scope = Scope::new(&keyspace);
    let errors = mistakes.into_compile_errors();
    let keyspace = keyspace_impl(&scope);
    let kind = (!scope.keyspace.is_unreadable).then(|| kind_impls(&scope));
    let accessors = accessors(&scope);
    // A stand-in is no keyspace of the program's.
    let registration = errors.is_empty().then(|| registration(&scope));
    quote!(#errors #keyspace #kind #accessors #registration)
}

/// ```text
/// impl Keyspace for Session {
///     const INFO: KeyspaceInfo =
///         KeyspaceInfo::new("Session", "session", Kind::Entry, &["id"], Life::In(..));
///     type OwnedKey = <String as KeySegment>::Owned;
///     fn parse_key(text: &str) -> Option<Self::OwnedKey> {
///         let mut segments = Segments::new(&Self::INFO, text)?;
///         let key = segments.parse_next::<String>()?;
///         segments.end()?;
///         Some(key)
///     }
/// }
/// ```
fn keyspace_impl(scope: &Scope<'_>) -> TokenStream {
    let library = &scope.library;
    let item = scope.keyspace.item;
    let name = &item.ident;
    let info = info(scope);
    let types = &scope.field_types;
    let parsed = tuple(
        types
            .iter()
            .map(|ty| quote!(__segments.parse_next::<#ty>()?)),
    );
    let (owned_key, key_fields) = owned_key(scope);
    let (impl_generics, ty_generics, _) = item.generics.split_for_impl();
    let bounds = scope.bounds(None);
    quote! {
        #[automatically_derived]
        impl #impl_generics #library::keyspace::Keyspace for #name #ty_generics #bounds {
            const INFO: #library::keyspace::KeyspaceInfo = #info;
            #owned_key

            fn parse_key(__text: &::core::primitive::str) -> ::core::option::Option<Self::OwnedKey> {
                #[allow(unused_mut)]
                let mut __segments = #library::keyspace::Segments::new(&Self::INFO, __text)?;
                let __key = #parsed;
                __segments.end()?;
                ::core::option::Option::Some(__key)
            }
        }
        #key_fields
    }
}

/// The type of keys that are read back, and implementations that it names.
///
/// A private type is shown at the place of the associated type that it stands in. So each key field
/// whose type may be private has one of its own, unless it is the only such field.
///
/// ```text
/// type OwnedKey = <UserId as KeySegment>::Owned;
///
/// type OwnedKey = (
///     <Self as KeyField<0>>::Owned,
///     <Self as KeyField<1>>::Owned,
///     <String as KeySegment>::Owned,
/// );
/// impl KeyField<0> for Orders { type Owned = <Region as KeySegment>::Owned; }
/// impl KeyField<1> for Orders { type Owned = <UserId as KeySegment>::Owned; }
/// ```
fn owned_key(scope: &Scope<'_>) -> (TokenStream, TokenStream) {
    let library = &scope.library;
    let read_back = |ty: &Type| quote!(<#ty as #library::keyspace::KeySegment>::Owned);
    let types = scope.field_types.iter();
    let private: Vec<&Type> = types.filter_map(|ty| may_be_private(ty)).collect();
    if let [] | [_] = private[..] {
        let owned = tuple(scope.field_types.iter().map(|ty| read_back(ty)));
        let place = private.first().map_or(Span::call_site(), place);
        return (associated("OwnedKey", &owned, place), quote!());
    }
    let name = &scope.keyspace.item.ident;
    let (impl_generics, ty_generics, _) = scope.keyspace.item.generics.split_for_impl();
    let bounds = scope.bounds(None);
    let mut fields = TokenStream::new();
    let owned = tuple(scope.field_types.iter().enumerate().map(|(at, ty)| {
        let owned = read_back(ty);
        let Some(private) = may_be_private(ty) else {
            return owned;
        };
        let owned = associated("Owned", &owned, place(private));
        fields.extend(quote! {
            #[automatically_derived]
            impl #impl_generics #library::keyspace::KeyField<#at> for #name #ty_generics #bounds {
                #owned
            }
        });
        quote!(<Self as #library::keyspace::KeyField<#at>>::Owned)
    }));
    (associated("OwnedKey", &owned, Span::call_site()), fields)
}

/// Returns the type, without references, unless it is one that everybody sees by its name.
fn may_be_private(ty: &Type) -> Option<&Type> {
    const BUILT_IN: [&str; 26] = [
        "Arc",
        "Box",
        "Cow",
        "IpAddr",
        "Ipv4Addr",
        "Ipv6Addr",
        "SocketAddr",
        "SocketAddrV4",
        "SocketAddrV6",
        "String",
        "Uuid",
        "bool",
        "char",
        "i128",
        "i16",
        "i32",
        "i64",
        "i8",
        "isize",
        "str",
        "u128",
        "u16",
        "u32",
        "u64",
        "u8",
        "usize",
    ];
    let last = match ty {
        Type::Group(group) => return may_be_private(&group.elem),
        Type::Paren(paren) => return may_be_private(&paren.elem),
        Type::Reference(reference) => return may_be_private(&reference.elem),
        Type::Path(path) => path.path.segments.last(),
        _ => None,
    };
    let is_built_in = last.is_some_and(|last| BUILT_IN.iter().any(|name| last.ident == name));
    (!is_built_in).then_some(ty)
}

/// `type Value = String;`, at the place where the type is written: if it is private, it is shown
/// there.
fn associated(name: &str, ty: &TokenStream, place: Span) -> TokenStream {
    let name = Ident::new(name, place);
    quote_spanned!(place=> type #name = #ty;)
}

/// ```text
/// KeyspaceInfo::new("Session", "session", Kind::Entry, &["id"], Life::In(Duration::new(1800, 0)))
///     .version(2).head("session@2:").value("Session", <Json as Codec>::NAME)
///     .location(Location::new(module_path!(), file!(), line!(), column!()))
/// KeyspaceInfo::migrates(<the same>, &<SessionV1 as Keyspace>::INFO)
/// ```
fn info(scope: &Scope<'_>) -> TokenStream {
    let Scope {
        library, keyspace, ..
    } = scope;
    // A constant that is no TTL fails in the call of `new`: all of it stands where the constant is
    // named.
    let span = match &keyspace.ttl {
        Ttl::Constant(path) => place(path),
        Ttl::Never | Ttl::For(..) => Span::call_site(),
    };
    let name = keyspace.item.ident.unraw().to_string();
    let prefix = match &keyspace.prefix {
        Prefix::Text(text) => text,
        // It is set below.
        Prefix::Joined(_) => "",
    };
    let kind = kind(keyspace);
    let fields = scope.fields.iter().map(|field| field.unraw().to_string());
    let life = match &keyspace.ttl {
        _ if matches!(keyspace.kind, Kind::Throttle(_)) => {
            let owned = &scope.owned;
            quote!(#library::keyspace::longest_life(<#owned as #library::keyspace::Throttled>::QUOTAS))
        }
        Ttl::Never => quote!(#library::Life::Never),
        Ttl::For(ttl, _) => {
            let ttl = duration(*ttl);
            quote!(#library::Life::In(#ttl))
        }
        Ttl::Constant(path) => quote!(#library::Life::In(#path)),
    };
    let words = words(scope);
    let location = location(scope);
    let new = quote_spanned! {span=>
        <#library::keyspace::KeyspaceInfo>::new(
            #name, #prefix, #library::keyspace::Kind::#kind, &[#(#fields),*], #life
        )
    };
    let info = quote!(#new #words .location(#location));
    let info = joined(scope, info);
    let info = computing(scope, info);
    let Some(older) = keyspace
        .kind
        .stored()
        .and_then(|stored| stored.migrates.as_ref())
    else {
        return info;
    };
    // One that is no older version fails in the call of `migrates`, which stands where it is named.
    let span = place(older);
    let library = library.at(span);
    quote_spanned! {span=>
        <#library::keyspace::KeyspaceInfo>::migrates(#info, &<#older as #library::keyspace::Keyspace>::INFO)
    }
}

/// The name of the library's `Kind`.
fn kind(keyspace: &Keyspace<'_>) -> Ident {
    let kind = match keyspace.kind {
        Kind::Entry(_) => "Entry",
        Kind::Value(..) => "Value",
        Kind::Counter => "Counter",
        Kind::Throttle(_) => "Throttle",
    };
    Ident::new(kind, Span::call_site())
}

/// ```text
/// KeyspaceInfo::joined(<the above>, const { &JoinedPrefix::version(
///     JoinedPrefix::constant(JoinedPrefix::begin("cached"), T::NAME), 1
/// ) })
/// ```
fn joined(scope: &Scope<'_>, info: TokenStream) -> TokenStream {
    let Prefix::Joined(parts) = &scope.keyspace.prefix else {
        return info;
    };
    let mut prefix = TokenStream::new();
    for part in parts {
        // A constant that is no part of a prefix fails in the call, which stands where the constant
        // is named.
        let span = match part {
            PrefixPart::Text(text) => place(text),
            PrefixPart::Constant(path) => place(path),
        };
        let library = scope.library.at(span);
        let joined = quote_spanned!(span=> <#library::keyspace::JoinedPrefix>);
        prefix = match part {
            PrefixPart::Text(text) if prefix.is_empty() => {
                quote_spanned!(span=> #joined::begin(#text))
            }
            PrefixPart::Text(text) => quote_spanned!(span=> #joined::text(#prefix, #text)),
            PrefixPart::Constant(path) => quote_spanned!(span=> #joined::constant(#prefix, #path)),
        };
    }
    let library = &scope.library;
    let version = scope.keyspace.version;
    quote! {
        <#library::keyspace::KeyspaceInfo>::joined(
            #info,
            const { &<#library::keyspace::JoinedPrefix>::version(#prefix, #version) },
        )
    }
}

/// ```text
/// KeyspaceInfo::stale(
///     KeyspaceInfo::lease(<the above>, Duration::new(10, 0)),
///     Duration::new(600, 0),
/// )
/// ```
fn computing(scope: &Scope<'_>, mut info: TokenStream) -> TokenStream {
    let keyspace = scope.keyspace;
    for (name, time) in [("lease", &keyspace.lease), ("stale", &keyspace.stale)] {
        let (time, span) = match time {
            Some(Ttl::For(time, _)) => (duration(*time), Span::call_site()),
            // A constant that is no such time fails in the call, which stands where the constant is
            // named.
            Some(Ttl::Constant(path)) => (quote!(#path), place(path)),
            Some(Ttl::Never) | None => continue,
        };
        let library = scope.library.at(span);
        let method = Ident::new(name, span);
        info = quote_spanned!(span=> <#library::keyspace::KeyspaceInfo>::#method(#info, #time));
    }
    info
}

fn duration(time: Duration) -> TokenStream {
    let (seconds, nanos) = (time.as_secs(), time.subsec_nanos());
    quote!(::core::time::Duration::new(#seconds, #nanos))
}

/// The calls that add what isn't the default.
fn words(scope: &Scope<'_>) -> TokenStream {
    let Scope {
        library, keyspace, ..
    } = scope;
    let mut words = TokenStream::new();
    if keyspace.version > 1 {
        let version = keyspace.version;
        words.extend(quote!(.version(#version)));
    }
    if let Prefix::Text(_) = keyspace.prefix {
        let head = keyspace.head();
        words.extend(quote!(.head(#head)));
    }
    let times = [
        Some(&keyspace.ttl),
        keyspace.lease.as_ref(),
        keyspace.stale.as_ref(),
    ];
    let times = times.map(|time| match time {
        Some(Ttl::For(_, text)) => text.as_str(),
        Some(Ttl::Never | Ttl::Constant(_)) | None => "",
    });
    if times.iter().any(|text| !text.is_empty()) {
        words.extend(quote!(.written(#(#times),*)));
    }
    if let Some(position) = keyspace.key.iter().position(|field| field.is_tag) {
        words.extend(quote!(.tag(#position)));
    }
    if keyspace.sliding {
        words.extend(quote!(.sliding()));
    }
    if let Some(percent) = keyspace.jitter {
        words.extend(quote!(.jitter(#percent)));
    }
    if let Kind::Throttle(limits) = &keyspace.kind {
        let limits = limits.in_words();
        words.extend(quote!(.value(#limits, "throttle")));
    }
    let Some(stored) = keyspace.kind.stored() else {
        return words;
    };
    let value = match &keyspace.kind {
        Kind::Value(value, _) => written(value),
        _ => keyspace.item.ident.unraw().to_string(),
    };
    let codec = codec(scope, stored);
    words.extend(quote!(.value(#value, <#codec as #library::codec::Codec>::NAME)));
    if stored.on_decode_error == OnDecodeError::Miss {
        words.extend(quote!(.miss_on_decode_error()));
    }
    words
}

/// A type as one writes it: `Vec<u8>`, not `Vec < u8 >`.
fn written(ty: &Type) -> String {
    let text = ty.to_token_stream().to_string();
    let text = text
        .replace(" :: ", "::")
        .replace(" <", "<")
        .replace("< ", "<");
    text.replace(" >", ">")
        .replace(" ,", ",")
        .replace("& ", "&")
}

/// The place of the struct's name.
fn location(scope: &Scope<'_>) -> TokenStream {
    let library = &scope.library;
    let span = scope.keyspace.item.ident.span();
    let place = quote_spanned!(span=> ::core::file!(), ::core::line!(), ::core::column!());
    quote!(#library::keyspace::Location::new(::core::module_path!(), #place))
}

/// The built-in codecs go by their bare names, whatever else has these names where the struct
/// stands.
fn codec(scope: &Scope<'_>, stored: &Stored) -> TokenStream {
    let library = &scope.library;
    match (stored.built_in_codec(), &stored.codec) {
        (Some(name), _) => quote!(#library::codec::#name),
        (None, Some(codec)) => quote!(#codec),
        (None, None) => quote!(#library::codec::Cbor),
    }
}

/// `submit! { Registration::of_values::<Session>() }`
///
/// Also has the constants checked that `ttl` and `prefix` name. A keyspace with type or constant
/// parameters is no one type: `register_keyspace!` registers those that a program uses, and each is
/// checked with its first use.
fn registration(scope: &Scope<'_>) -> TokenStream {
    let library = &scope.library;
    let of = match scope.keyspace.kind {
        Kind::Counter => quote!(of_counters),
        Kind::Throttle(_) => quote!(of_throttles),
        Kind::Entry(_) | Kind::Value(..) => quote!(of_values),
    };
    if scope.parameters.is_empty() {
        let path = scope.static_path();
        return quote! {
            #library::__private::submit! { #library::keyspace::Registration::#of::<#path>() }
        };
    }
    let ambiguous = ambiguous(scope);
    let item = scope.keyspace.item;
    let name = &item.ident;
    let (impl_generics, ty_generics, _) = item.generics.split_for_impl();
    let serde = matches!(scope.keyspace.kind, Kind::Entry(_));
    let serde = serde
        .then(|| quote!(#library::__private::Serialize + #library::__private::DeserializeOwned));
    let bounds = scope.bounds(serde);
    quote! {
        #[automatically_derived]
        impl #impl_generics #library::keyspace::Registered for #name #ty_generics #bounds {
            const REGISTRATION: #library::keyspace::Registration =
                #library::keyspace::Registration::#of::<Self>();
        }
        #ambiguous
    }
}

/// ```text
/// submit! {
///     Ambiguous::new("Cached", "cached", Kind::Entry, "`T`", "prefix = ..", Location::new(..))
/// }
/// ```
fn ambiguous(scope: &Scope<'_>) -> TokenStream {
    let prefix = &scope.keyspace.prefix;
    let is_type = |parameter: &GenericParam| matches!(parameter, GenericParam::Type(_));
    let mut names = Vec::new();
    let mut parts = prefix.parts();
    for parameter in &scope.keyspace.item.generics.params {
        let ident = match parameter {
            GenericParam::Type(parameter) => &parameter.ident,
            GenericParam::Const(parameter) => &parameter.ident,
            GenericParam::Lifetime(_) => continue,
        };
        if prefix.depends_on(ident) {
            continue;
        }
        names.push(format!("`{ident}`"));
        parts.push(match is_type(parameter) {
            true => format!("{ident}::NAME"),
            false => format!("Name::<{ident}>::NAME"),
        });
    }
    if names.is_empty() {
        return quote!();
    }
    let library = &scope.library;
    let name = scope.keyspace.item.ident.unraw().to_string();
    let kind = kind(scope.keyspace);
    let pattern = prefix.pattern();
    let names = names.join(" and ");
    let remedy = format!("prefix = [{}]", parts.join(", "));
    let location = location(scope);
    quote! {
        #library::__private::submit! {
            #library::keyspace::Ambiguous::new(
                #name, #pattern, #library::keyspace::Kind::#kind, #names, #remedy, #location
            )
        }
    }
}

/// ```text
/// impl Valued for Session {
///     type Value = Self;
///     type Codec = Cbor;
///     fn decode(key: &Key, back: usize, bytes: &[u8]) -> BackendResult<Self> {
///         match back {
///             0 => Cbor::decode(bytes),
///             back => migrate::<Self, SessionV1>(key, back - 1, bytes),
///         }
///     }
///     fn matches_key(key: &Key, entry: &Self) -> bool { key.is_built(&Self::INFO, ..) }
/// }
/// impl Entry for Session { fn entry_key(&self) -> Key { Key::build(&Self::INFO, ..) } }
///
/// impl Valued for Page<'_> { type Value = String; type Codec = Cbor; }
///
/// impl Counter for RateCounter<'_> {}
///
/// impl Throttled for LoginAttempts {
///     const QUOTAS: &'static [Quota] = &[Quota::gcra(5, Duration::new(60, 0)).with_burst(10)];
/// }
/// ```
fn kind_impls(scope: &Scope<'_>) -> TokenStream {
    let library = &scope.library;
    let item = scope.keyspace.item;
    let name = &item.ident;
    let (impl_generics, ty_generics, _) = item.generics.split_for_impl();
    let serde = quote!(#library::__private::Serialize + #library::__private::DeserializeOwned);
    let (value, stored, bounds) = match &scope.keyspace.kind {
        Kind::Entry(stored) => (quote!(Self), stored, scope.bounds(Some(serde))),
        Kind::Value(value, stored) => (quote!(#value), stored, scope.bounds(None)),
        Kind::Throttle(limits) => return throttled(scope, limits),
        Kind::Counter => {
            let bounds = scope.bounds(None);
            return quote! {
                #[automatically_derived]
                impl #impl_generics #library::keyspace::Counter for #name #ty_generics #bounds {}
            };
        }
    };
    let place_of = |ty: Option<&Type>| ty.map_or(Span::call_site(), place);
    let value = associated("Value", &value, place_of(scope.keyspace.kind.value_type()));
    let codec = associated(
        "Codec",
        &codec(scope, stored),
        place_of(stored.codec.as_ref()),
    );
    let is_entry = matches!(scope.keyspace.kind, Kind::Entry(_));
    let decode = decode(scope, stored);
    let matches_key = is_entry.then(|| {
        let is_own = scope.is_own_key_of(&quote!(__entry));
        quote! {
            fn matches_key(__key: &#library::keyspace::Key, __entry: &Self) -> ::core::primitive::bool {
                #is_own
            }
        }
    });
    let key = scope.own_key();
    let entry = is_entry.then(|| {
        quote! {
            #[automatically_derived]
            impl #impl_generics #library::keyspace::Entry for #name #ty_generics #bounds {
                fn entry_key(&self) -> #library::keyspace::Key {
                    #key
                }
            }
        }
    });
    quote! {
        #[automatically_derived]
        impl #impl_generics #library::keyspace::Valued for #name #ty_generics #bounds {
            #value
            #codec
            #decode
            #matches_key
        }
        #entry
    }
}

/// A quota that can't be counted fails where its limit is written.
fn throttled(scope: &Scope<'_>, of: &Limits) -> TokenStream {
    let library = &scope.library;
    let item = scope.keyspace.item;
    let name = &item.ident;
    let (impl_generics, ty_generics, _) = item.generics.split_for_impl();
    let bounds = scope.bounds(None);
    let kind = match of.window {
        None => quote!(gcra),
        Some(Window::Fixed) => quote!(fixed_window),
        Some(Window::Sliding) => quote!(sliding_window),
    };
    let burst = of.burst.map(|burst| quote!(.with_burst(#burst)));
    let quotas = of.limits.iter().map(|limit| match limit {
        Limit::Rate { text, count, period } => {
            let span = place(text);
            let (seconds, nanos) = (period.as_secs(), period.subsec_nanos());
            let library = library.at(span);
            quote_spanned! {span=>
                #library::keyspace::checked_quota(
                    <#library::throttle::Quota>::#kind(#count, ::core::time::Duration::new(#seconds, #nanos)) #burst
                )
            }
        }
        Limit::Constant(path) => {
            let span = place(path);
            let library = library.at(span);
            quote_spanned!(span=> #library::keyspace::checked_quota(#path))
        }
    });
    quote! {
        #[automatically_derived]
        impl #impl_generics #library::keyspace::Throttled for #name #ty_generics #bounds {
            const QUOTAS: &'static [#library::throttle::Quota] = &[#(#quotas),*];
        }
    }
}

/// The decoding of a keyspace that migrates, or whose key fields aren't all stored in the value.
fn decode(scope: &Scope<'_>, stored: &Stored) -> Option<TokenStream> {
    let library = &scope.library;
    let own = match filled(scope) {
        Some(filled) => filled,
        None if stored.migrates.is_none() => return None,
        None => quote!(<Self::Codec as #library::codec::Codec>::decode(__bytes)),
    };
    let body = match &stored.migrates {
        None => own,
        Some(older) => {
            let span = place(older);
            let library = scope.library.at(span);
            let older = quote_spanned! {span=>
                #library::keyspace::migrate::<Self, #older>(__key, __back - 1, __bytes)
            };
            quote! {
                match __back {
                    0 => #own,
                    _ => #older,
                }
            }
        }
    };
    Some(quote! {
        fn decode(
            __key: &#library::keyspace::Key,
            __back: ::core::primitive::usize,
            __bytes: &[::core::primitive::u8],
        ) -> #library::BackendResult<Self::Value> {
            #body
        }
    })
}

/// ```text
/// decode_filled::<Self>(key, bytes, |entry, id| entry.id = From::from(id))
/// ```
fn filled(scope: &Scope<'_>) -> Option<TokenStream> {
    let library = &scope.library;
    let key = &scope.keyspace.key;
    if !key.iter().any(|field| field.is_skipped) {
        return None;
    }
    let name = |position: usize| format_ident!("__field{position}");
    let pattern = tuple(key.iter().enumerate().map(|(position, field)| {
        let name = name(position);
        match field.is_skipped {
            true => quote!(#name),
            false => quote!(_),
        }
    }));
    let skipped = key.iter().enumerate().filter(|(_, field)| field.is_skipped);
    let fill = skipped.map(|(position, field)| {
        let (own, read) = (field.name, name(position));
        quote!(__entry.#own = ::core::convert::From::from(#read);)
    });
    Some(quote! {
        #library::keyspace::decode_filled::<Self>(__key, __bytes, |__entry, #pattern| { #(#fill)* })
    })
}
