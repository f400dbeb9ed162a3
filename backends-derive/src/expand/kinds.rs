//! The trait of the kind of a keyspace: entries and values, counters, throttles.

use proc_macro2::{Span, TokenStream};
use quote::{format_ident, quote, quote_spanned};
use syn::Type;

use super::associated::associated;
use super::info::codec;
use crate::ast::{Kind, Limits, Stored};
use crate::attr::{Limit, Window};
use crate::scope::{Scope, place, tuple};

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
pub(super) fn kind_impls(scope: &Scope<'_>) -> TokenStream {
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
