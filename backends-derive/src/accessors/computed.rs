//! The accessors that compute a missing value: by closures that can fail, that can't, and in a
//! task.

use proc_macro2::{Span, TokenStream};
use quote::{quote, quote_spanned};
use syn::Type;

use super::accessor::{Accessor, Output};
use super::docs::{compute_without, life, time};
use crate::scope::Scope;

/// `get_or_set_with`, `get_or_compute` and `get_or_set_spawned`, as the words `lease` and `stale`
/// have them.
pub(super) fn computed(scope: &Scope<'_>, value: &Type, under: &str) -> [Accessor; 3] {
    let library = &scope.library;
    let result = quote!(::core::result::Result<#value, __E>);
    let asks = Asks::of(scope);
    let Asks {
        goes_on,
        lasts,
        of_keyspace,
    } = &asks;
    let names = ComputedNames::of(scope);
    let summary = summary(scope, under);
    let fallible = Accessor {
        module: names.module,
        generics: quote!(__F, __Fut, __E,),
        bounds: quote! {
            __F: ::core::ops::FnOnce() -> __Fut #goes_on,
            __Fut: ::core::future::Future<Output = #result> #goes_on,
            __E: ::core::convert::From<#library::BackendError> #lasts,
            #of_keyspace
        },
        parameters: quote!(compute: __F),
        arg_types: quote!(__F, __Fut, __E),
        args: quote!(compute),
        ..Accessor::new(
            "get_or_set_with",
            names.fallible,
            Output::Future(result.clone()),
            "The error of `compute`, for its own caller only; and the errors of the backend.",
            format!(
                "{summary}\n\nFor a closure that can't fail there is `get_or_compute`. Where nothing says of which type an \
                 error of `compute` is, write `Ok::<_, BackendError>(..)`."
            ),
        )
    };
    let infallible = Accessor {
        module: names.module,
        generics: quote!(__F, __Fut,),
        bounds: quote! {
            __F: ::core::ops::FnOnce() -> __Fut #goes_on,
            __Fut: ::core::future::Future<Output = #value> #goes_on,
            #of_keyspace
        },
        parameters: quote!(compute: __F),
        arg_types: quote!(__F, __Fut),
        args: quote!(compute),
        ..Accessor::new(
            "get_or_compute",
            names.infallible,
            Output::Future(quote!(#library::BackendResult<#value>)),
            "The errors of the backend. A computation that can fail is for `get_or_set_with`.",
            summary,
        )
    };
    [fallible, infallible, spawned(scope, &result, under)]
}

/// Computes in a task whatever the words are.
fn spawned(scope: &Scope<'_>, result: &TokenStream, under: &str) -> Accessor {
    let Scope { library, owned, .. } = scope;
    let life = life(scope);
    let owned = (!scope.parameters.is_empty()).then(|| quote!(#owned: 'static,));
    Accessor {
        module: "cache",
        generics: quote!(__F, __Fut, __E,),
        // The result is named, not the value: a value that isn't `Send` is a mistake of who calls
        // this alone.
        bounds: quote! {
            __F: ::core::ops::FnOnce() -> __Fut + ::core::marker::Send + 'static,
            __Fut: ::core::future::Future<Output = #result> + ::core::marker::Send + 'static,
            __E: ::core::convert::From<#library::BackendError> + 'static,
            #result: ::core::marker::Send,
            __B: #library::cache::BackendHandle,
            #owned
        },
        parameters: quote!(compute: __F),
        arg_types: quote!(__F, __Fut, __E),
        args: quote!(compute),
        ..Accessor::new(
            "get_or_set_spawned",
            "get_or_set_spawned",
            Output::Future(result.clone()),
            "The error of `compute`, for its own caller only; `Unavailable` if the runtime ends while it runs; and the \
             errors of the backend.",
            format!(
                "Returns {under}, or has it computed in a task of its own and stored for {life}.\n\nIt does what \
                 `get_or_set_with` does, except that a computation which was begun goes on and is stored although its \
                 callers have left. Without a tokio runtime the caller computes itself. Where nothing says of which type an \
                 error of `compute` is, write `Ok::<_, BackendError>(..)`."
            ),
        )
    }
}

fn summary(scope: &Scope<'_>, under: &str) -> String {
    let life = life(scope);
    let begins = format!("Returns {under}, or computes it and stores it for {life}.");
    match (&scope.keyspace.stale, &scope.keyspace.lease) {
        (Some(stale), _) => format!(
            "{begins}\n\nOf all callers, in other processes too, that miss it at the same time one computes. A value older \
             than {life} is returned for {stale} more, at once, while one caller refreshes it in the background. What is \
             written or removed while a value is computed is not overwritten.\n\nA refresh outlives its caller, so \
             `compute` owns what it uses: write `move || async move {{ .. }}`, and clone into it what is borrowed.",
            stale = time(stale),
        ),
        (None, Some(_)) => format!(
            "{begins}\n\nOf all callers, in other processes too, that miss it at the same time one computes and the \
             others get what it stored; if it fails, is dropped or dies, another one computes. What is written or removed \
             meanwhile is not overwritten."
        ),
        (None, None) => format!(
            "{begins}\n\nOf all callers in this process that miss it at the same time one computes and the others get \
             what it stored; if it fails, is dropped or panics, the next one computes. A value that was stored meanwhile \
             is returned and not overwritten.{without}",
            without = compute_without(scope),
        ),
    }
}

/// The library's functions.
struct ComputedNames {
    module: &'static str,
    fallible: &'static str,
    infallible: &'static str,
}

impl ComputedNames {
    fn of(scope: &Scope<'_>) -> Self {
        let (module, fallible, infallible) = match (&scope.keyspace.stale, &scope.keyspace.lease) {
            (Some(_), _) => ("cache", "get_or_refresh_with", "get_or_refresh"),
            (None, Some(_)) => ("cache", "get_or_set_with", "get_or_compute"),
            (None, None) => ("cache::single_flight", "get_or_set_with", "get_or_compute"),
        };
        Self {
            module,
            fallible,
            infallible,
        }
    }
}

/// The bounds that the words `lease` and `stale` ask for, with the place of the word: the compiler
/// shows it.
#[derive(Default)]
struct Asks {
    /// Of the closure and its future, where a refresh goes on in the background.
    goes_on: TokenStream,
    /// Of the error.
    lasts: TokenStream,
    /// Of the backend, as a caller that goes away leaves something to be done in the background,
    /// and of the keyspace.
    of_keyspace: TokenStream,
}

impl Asks {
    fn of(scope: &Scope<'_>) -> Self {
        let Scope { library, owned, .. } = scope;
        let keyspace = scope.keyspace;
        let has_words = keyspace.lease.is_some() || keyspace.stale.is_some();
        let Some(word) = keyspace.computed_by.filter(|_| has_words) else {
            return Self::default();
        };
        let span = word.resolved_at(Span::call_site());
        let library = library.at(span);
        let handle = quote_spanned!(span=> __B: #library::cache::BackendHandle,);
        if keyspace.stale.is_none() {
            return Self {
                of_keyspace: handle,
                ..Self::default()
            };
        }
        let owned = (!scope.parameters.is_empty()).then(|| quote_spanned!(span=> #owned: 'static,));
        Self {
            goes_on: quote_spanned!(span=> + ::core::marker::Send + 'static),
            lasts: quote_spanned!(span=> + 'static),
            of_keyspace: quote!(#handle #owned),
        }
    }
}
