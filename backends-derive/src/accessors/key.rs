//! The text of a key, and the key that is read back from it.

use proc_macro2::TokenStream;
use quote::{ToTokens, quote};

use crate::scope::{Scope, tuple};

/// ```text
/// pub fn key<K0>(id: K0) -> Key where K0: KeyArg<String> {
///     Key::build(&Self::INFO, |key| { key.segment::<String>(&id); })
/// }
/// ```
pub(super) fn key_function(scope: &Scope<'_>) -> TokenStream {
    let Scope {
        library,
        owned,
        fields,
        field_types,
        argument_types,
        ..
    } = scope;
    let vis = &scope.keyspace.item.vis;
    let docs = key_docs(scope);
    let bounds = scope.argument_bounds();
    quote! {
        #[doc = #docs]
        #[must_use]
        #vis fn key<#(#argument_types),*>(#(#fields: #argument_types),*) -> #library::keyspace::Key
        where
            #bounds
        {
            #library::keyspace::Key::build(&<#owned as #library::keyspace::Keyspace>::INFO, |__key| {
                let _ = __key #(.segment::<#field_types>(&#fields))*;
            })
        }
    }
}

/// ```text
/// pub fn key(&self) -> Key {
///     Key::build(&RateCounter::<'static>::INFO, |key| { key.write(..).write(..); })
/// }
/// ```
pub(super) fn key_method(scope: &Scope<'_>) -> TokenStream {
    let library = &scope.library;
    let vis = &scope.keyspace.item.vis;
    let docs = key_docs(scope);
    let key = scope.own_key();
    quote! {
        #[doc = #docs]
        #[must_use]
        #vis fn key(&self) -> #library::keyspace::Key {
            #key
        }
    }
}

pub(super) fn key_docs(scope: &Scope<'_>) -> String {
    format!(
        "Returns the text of the key, `{}` with each segment escaped, for the raw API.",
        scope.pattern()
    )
}

/// Returns the type of a key that is read back, a pattern for the owned fields, and the code that
/// makes the key of these. The type is the struct itself if that is nothing but its key and borrows
/// nothing.
pub(super) fn typed_key(scope: &Scope<'_>) -> (TokenStream, TokenStream, TokenStream) {
    let Scope {
        library,
        owned,
        fields,
        ..
    } = scope;
    if !scope.is_own_key() {
        let owned = quote!(<#owned as #library::keyspace::Keyspace>::OwnedKey);
        return (owned, quote!(__key), quote!(__key));
    }
    let pattern = tuple(fields.iter().map(ToTokens::to_token_stream));
    let make = quote!(Self { #(#fields: ::core::convert::From::from(#fields)),* });
    (quote!(Self), pattern, make)
}
