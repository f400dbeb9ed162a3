//! `update` and its variants.

use proc_macro2::TokenStream;
use quote::quote;

use super::accessor::{Accessor, Output};
use super::docs::{TRY_UPDATE, UPDATE, life};
use super::receiver::Receiver;
use crate::scope::Scope;

/// `update` and its variants: with closures that can fail, and with one that inserts.
pub(super) fn updates(
    scope: &Scope<'_>,
    receiver: Receiver,
    value: &TokenStream,
    under: &str,
) -> [Accessor; 4] {
    let change = scope.free("change");
    let insert = scope.free("insert");
    let library = &scope.library;
    let life = match scope.keyspace.sliding {
        true => format!("Its life starts over, for {}.", life(scope)),
        false => "What is left of its life stays.".to_string(),
    };
    let summary = format!(
        "in one atomic step and returns it as stored; `None` if there is none.\n\n{life} `change` runs again each time \
         another writer was faster, so it isn't `async`."
    );
    let inserts = format!(
        "or stores what `insert` returns where there is none, in one atomic step, and returns what is stored.\n\n{life} \
         Both closures run again each time another writer was faster, so they aren't `async`."
    );
    let aborts = "An error of a closure ends it, and nothing is stored.";
    let option = quote!(::core::option::Option<#value>);
    let result = |output: &TokenStream| Output::Future(quote!(#library::BackendResult<#output>));
    let fallible =
        |output: &TokenStream| Output::Future(quote!(::core::result::Result<#output, __E>));
    let error = quote!(__E: ::core::convert::From<#library::BackendError>,);
    // `FnMut(&mut W) -> R` tells an async closure the type of its parameter, so that the compiler
    // gets as far as to say that `Change` wants another one. `W` is the value: of two bounds on one
    // `FnMut` neither could be used.
    let takes = quote!(::core::ops::FnMut(&mut __W) -> __R);
    let same = quote!(#value: #library::keyspace::Same<__W>,);
    [
        Accessor {
            receiver,
            generics: quote!(__F, __W, __R,),
            bounds: quote!(__F: #library::keyspace::Change<#value> + #takes, #same),
            parameters: quote!(#change: __F),
            arg_types: quote!(__F),
            args: quote!(#change),
            ..Accessor::new(
                "update",
                "update",
                result(&option),
                UPDATE,
                format!("Changes {under} {summary}"),
            )
        },
        Accessor {
            receiver,
            generics: quote!(__F, __W, __R, __E,),
            bounds: quote!(__F: #library::keyspace::TryChange<#value, __E> + #takes, #same #error),
            parameters: quote!(#change: __F),
            arg_types: quote!(__F, __E),
            args: quote!(#change),
            ..Accessor::new(
                "try_update",
                "try_update",
                fallible(&option),
                TRY_UPDATE,
                format!("Changes {under} {summary} {aborts}"),
            )
        },
        Accessor {
            receiver,
            generics: quote!(__F, __W, __R, __I,),
            bounds: quote! {
                __F: #library::keyspace::Change<#value> + #takes,
                #same
                __I: ::core::ops::FnMut() -> #value,
            },
            parameters: quote!(#change: __F, #insert: __I),
            arg_types: quote!(__F, __I),
            args: quote!(#change, #insert),
            ..Accessor::new(
                "update_or_insert_with",
                "update_or_insert_with",
                result(value),
                UPDATE,
                format!("Changes {under}, {inserts}"),
            )
        },
        Accessor {
            receiver,
            generics: quote!(__F, __W, __R, __I, __E,),
            bounds: quote! {
                __F: #library::keyspace::TryChange<#value, __E> + #takes,
                #same
                __I: ::core::ops::FnMut() -> ::core::result::Result<#value, __E>,
                #error
            },
            parameters: quote!(#change: __F, #insert: __I),
            arg_types: quote!(__F, __I, __E),
            args: quote!(#change, #insert),
            ..Accessor::new(
                "try_update_or_insert_with",
                "try_update_or_insert_with",
                fallible(value),
                TRY_UPDATE,
                format!("Changes {under}, {inserts} {aborts}"),
            )
        },
    ]
}
