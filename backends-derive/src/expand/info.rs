//! `KeyspaceInfo`, the constant that describes a keyspace.

use std::time::Duration;

use proc_macro2::{Span, TokenStream};
use quote::{ToTokens, quote, quote_spanned};
use syn::ext::IdentExt;
use syn::{Ident, Type};

use crate::ast::{Keyspace, Kind, Stored};
use crate::attr::{ErrorOrMiss, Prefix, PrefixPart, Ttl};
use crate::scope::{Scope, place};

/// ```text
/// KeyspaceInfo::new("Session", "session", Kind::Entry, &["id"], Life::In(Duration::new(1800, 0)))
///     .version(2).head("session@2:").value("Session", <Json as Codec>::NAME)
///     .location(Location::new(module_path!(), file!(), line!(), column!()))
/// KeyspaceInfo::migrates(<the same>, &<SessionV1 as Keyspace>::INFO)
/// ```
pub(super) fn info(scope: &Scope<'_>) -> TokenStream {
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
    // A keyspace that is no older version fails in the call of `migrates`, which stands where the
    // keyspace is named.
    let span = place(older);
    let library = library.at(span);
    quote_spanned! {span=>
        <#library::keyspace::KeyspaceInfo>::migrates(#info, &<#older as #library::keyspace::Keyspace>::INFO)
    }
}

/// The name of the library's `Kind`.
pub(super) fn kind(keyspace: &Keyspace<'_>) -> Ident {
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

pub(super) fn duration(time: Duration) -> TokenStream {
    let (seconds, nanos) = (time.as_secs(), time.subsec_nanos());
    quote!(::core::time::Duration::new(#seconds, #nanos))
}

/// The calls that add the settings that aren't the default.
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
    if keyspace.inspect {
        words.extend(quote!(.inspect()));
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
    if stored.on_decode_error == ErrorOrMiss::Miss {
        words.extend(quote!(.miss_on_decode_error()));
    }
    if stored.on_unavailable == ErrorOrMiss::Miss {
        words.extend(quote!(.miss_when_unavailable()));
    }
    words
}

/// A type as one writes it: `Vec<u8>`, not `Vec < u8 >`.
pub(super) fn written(ty: &Type) -> String {
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
pub(super) fn location(scope: &Scope<'_>) -> TokenStream {
    let library = &scope.library;
    let span = scope.keyspace.item.ident.span();
    let place = quote_spanned!(span=> ::core::file!(), ::core::line!(), ::core::column!());
    quote!(#library::keyspace::Location::new(::core::module_path!(), #place))
}

/// The built-in codecs go by their bare names, whatever else has these names where the struct
/// stands.
pub(super) fn codec(scope: &Scope<'_>, stored: &Stored) -> TokenStream {
    let library = &scope.library;
    match (stored.built_in_codec(), &stored.codec) {
        (Some(name), _) => quote!(#library::codec::#name),
        (None, Some(codec)) => quote!(#codec),
        (None, None) => quote!(#library::codec::Cbor),
    }
}
