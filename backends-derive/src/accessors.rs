//! The inherent methods of a keyspace. Every accessor is one call into the library.

use proc_macro2::{Span, TokenStream};
use quote::{ToTokens, quote};
use syn::{Ident, Type};

use crate::ast::Kind;
use crate::attr::Ttl;
use crate::scope::{Scope, tuple};

/// Writes the accessors of the keyspace's kind.
pub(crate) fn accessors(scope: &Scope<'_>) -> TokenStream {
    let item = scope.keyspace.item;
    let name = &item.ident;
    let (impl_generics, ty_generics, _) = item.generics.split_for_impl();
    let library = &scope.library;
    let bounds = scope.bounds(match scope.keyspace.kind {
        Kind::Entry => Some(quote!(#library::keyspace::Entry)),
        Kind::Value(_) | Kind::Counter => None,
    });
    let (key, accessors) = match &scope.keyspace.kind {
        Kind::Entry => (key_function(scope), of_entries(scope)),
        Kind::Value(value) => (key_method(scope), of_values(scope, value)),
        Kind::Counter => (key_method(scope), of_counters(scope)),
    };
    let accessors = accessors.iter().map(|accessor| accessor.write(scope));
    let clear = clear(scope).write(scope);
    quote! {
        #[allow(dead_code, clippy::too_many_arguments)]
        impl #impl_generics #name #ty_generics #bounds {
            #key
            #(#accessors)*
            #clear
        }
    }
}

/// An accessor: its signature, and the function of the library that it calls.
struct Accessor {
    name: &'static str,
    call: &'static str,
    by: By,
    output: Output,
    does: String,
    fails: &'static str,
    /// Type parameters and their bounds, parameters, and what is passed on: as types and as arguments.
    generics: TokenStream,
    bounds: TokenStream,
    parameters: TokenStream,
    passed_types: TokenStream,
    passed: TokenStream,
}

/// How a caller names what an accessor is about.
#[derive(Clone, Copy)]
enum By {
    /// By a parameter for each key field.
    Key,
    /// By the keys of many.
    Keys,
    /// By the struct.
    Itself,
    /// It is about the whole keyspace.
    Keyspace,
}

enum Output {
    /// A future of a `BackendResult` that is `Send`.
    Result(TokenStream),
    /// A future that is `Send` if the closures in it are.
    Future(TokenStream),
    /// A stream of results.
    Stream(TokenStream),
}

const CALL: &str = "`InvalidKey` if the key, escapes included, is over the limit (1 KiB unless the backend has another); and what \
    the backend fails with.";
const DECODE: &str = "`Decode` if the stored bytes are of another type, and they stay; and what the backend fails with.";
const TAKE: &str = "`Decode` if the stored bytes are of another type, and they are gone then; and what the backend fails with.";
const ENCODE: &str =
    "`Encode` or `TooLarge`, before anything is sent; and what the backend fails with.";
const ENCODE_FOR: &str = "`InvalidTtl` for zero and for more than 10,000 years, `Encode` or `TooLarge`, before anything \
    is sent; and what the backend fails with.";
const UPDATE: &str = "`Conflict` if other writers were faster every time, `Decode`, `Encode` or `TooLarge`, and nothing is \
    changed; and what the backend fails with.";
const UPDATE_ENTRY: &str = "`InvalidKey` if `change` changes a key field, `Conflict` if other writers were faster every \
    time, `Decode`, `Encode` or `TooLarge`, and nothing is changed; and what the backend fails with.";
const COUNT: &str = "`WrongType` if the stored bytes are no integer that fits `i64`, `Overflow` if the sum doesn't, and \
    nothing is changed; and what the backend fails with.";

fn of_entries(scope: &Scope<'_>) -> Vec<Accessor> {
    let owned = &scope.owned;
    let entry = quote!(::core::option::Option<#owned>);
    let entries = quote!(::std::vec::Vec<#entry>);
    let change = scope.free("change");
    let pattern = scope.pattern();
    let mut all = of_both(
        scope,
        By::Key,
        &entry,
        &format!("the entry under `{pattern}`"),
    );
    all.extend([
        Accessor {
            by: By::Keys,
            ..Accessor::new("get_many", "get_many", Output::Result(entries), DECODE, "Returns the live entries, in the order of their keys; a key may be named more than once.")
        },
        Accessor {
            by: By::Key,
            generics: quote!(__F,),
            bounds: quote!(__F: ::core::ops::FnMut(&mut #owned),),
            parameters: quote!(#change: __F),
            passed_types: quote!(__F),
            passed: quote!(#change),
            ..Accessor::new("update", "update_entry", Output::result_of_closure(scope, &entry), UPDATE_ENTRY, format!(
                "Changes the entry under `{pattern}` in one atomic step and returns it as stored; `None` if there is \
                 none.\n\nWhat is left of its life stays. `change` runs again each time another writer was faster."
            ))
        },
        Accessor {
            by: By::Keyspace,
            ..Accessor::new("scan", "scan", Output::Stream(owned.clone()), "", format!(
                "Streams the live entries under `{pattern}`, in no order.\n\nAn entry may come more than once, and one \
                 that goes meanwhile may be missing. What can't be read is an error item, and the stream goes on."
            ))
        },
    ]);
    all.extend(stores(scope, "save", "the entry").map(|store| Accessor {
        passed_types: quote!(Self),
        passed: join(quote!(self), store.passed),
        ..store
    }));
    all
}

fn of_values(scope: &Scope<'_>, value: &Type) -> Vec<Accessor> {
    let library = &scope.library;
    let option = quote!(::core::option::Option<#value>);
    let computed = quote!(::core::result::Result<#value, __E>);
    let under = format!("the value under `{}`", scope.pattern());
    let mut all = of_both(scope, By::Itself, &option, &under);
    all.extend([
        Accessor {
            generics: quote!(__F,),
            bounds: quote!(__F: ::core::ops::FnMut(&mut #value),),
            parameters: quote!(change: __F),
            passed_types: quote!(__F),
            passed: quote!(change),
            ..Accessor::new("update", "update", Output::result_of_closure(scope, &option), UPDATE, format!(
                "Changes {under} in one atomic step and returns it as stored; `None` if there is none.\n\nWhat is left \
                 of its life stays. `change` runs again each time another writer was faster."
            ))
        },
        Accessor {
            generics: quote!(__F, __Fut, __E,),
            bounds: quote! {
                __F: ::core::ops::FnOnce() -> __Fut,
                __Fut: ::core::future::Future<Output = #computed>,
                __E: ::core::convert::From<#library::BackendError>,
            },
            parameters: quote!(compute: __F),
            passed_types: quote!(__F, __Fut, __E),
            passed: quote!(compute),
            ..Accessor::new("get_or_set_with", "get_or_set_with", Output::Future(computed), "What `compute` fails with, for its own caller only; and what the backend fails with.", format!(
                "Returns {under}, or computes it and stores it for {life}.\n\nOf all callers in this process that miss \
                 it at the same time one computes and the others get what it stored; if it fails, is dropped or \
                 panics, the next one computes. A value that was stored meanwhile is returned and not overwritten.",
                life = life(scope)
            ))
        },
    ]);
    all.extend(stores(scope, "set", "a value").map(|store| Accessor {
        generics: quote!(__V,),
        bounds: quote!(__V: #library::keyspace::ValueArg<#value>,),
        parameters: join(quote!(value: __V), store.parameters),
        passed_types: quote!(__V),
        passed: join(quote!(&value), store.passed),
        ..store
    }));
    all
}

/// What entries and values have in common, except how they are stored.
fn of_both(scope: &Scope<'_>, by: By, value: &TokenStream, under: &str) -> Vec<Accessor> {
    let library = &scope.library;
    let flag = || Output::Result(quote!(::core::primitive::bool));
    let value = || Output::Result(value.clone());
    let expiry = Output::Result(quote!(::core::option::Option<#library::Expiry>));
    let life = life(scope);
    [
        ("get", value(), DECODE, format!("Returns {under}; `None` if there is no live one.")),
        ("take", value(), TAKE, format!("Removes {under} and returns it, to at most one caller.")),
        ("delete", flag(), CALL, format!("Removes {under} and says whether there was a live one.")),
        ("exists", flag(), CALL, format!("Says whether {under} exists and is alive.")),
        ("ttl", expiry, CALL, format!("Returns what is left of the life of {under}; `None` if there is no live one.")),
        ("touch", flag(), CALL, format!(
            "Starts the life of {under} over, for {life}, and says whether there was a live one.\n\nWhat is stored stays."
        )),
    ]
    .into_iter()
    .map(|(name, output, fails, does)| Accessor {
        by,
        ..Accessor::new(name, name, output, fails, does)
    })
    .collect()
}

/// `save` and its variants, or `set` and its.
fn stores(scope: &Scope<'_>, verb: &str, what: &str) -> impl Iterator<Item = Accessor> + use<> {
    let under = format!("under `{}`", scope.pattern());
    let life = life(scope);
    let names = match verb {
        "save" => ["save", "save_for", "save_if_absent", "save_if_present"],
        _ => ["set", "set_for", "set_if_absent", "set_if_present"],
    };
    let [always, lasting, if_absent, if_present] = names;
    let done = || Output::Result(quote!(()));
    let flag = || Output::Result(quote!(::core::primitive::bool));
    [
        Accessor::new(always, "set", done(), ENCODE, format!(
            "Stores {what} {under} for {life}, whatever was there."
        )),
        Accessor {
            parameters: quote!(ttl: ::core::time::Duration),
            passed: quote!(ttl),
            ..Accessor::new(lasting, "set_for", done(), ENCODE_FOR, format!(
                "Stores {what} {under} for `ttl`, whatever was there."
            ))
        },
        Accessor::new(if_absent, "set_if_absent", flag(), ENCODE, format!(
            "Stores {what} {under} for {life} if nothing is there, and says whether it did.\n\nOf several callers one wins."
        )),
        Accessor::new(if_present, "set_if_present", flag(), ENCODE, format!(
            "Stores {what} {under} for {life} if a live one is there, and says whether it did.\n\nWhat was deleted \
             never comes back."
        )),
    ]
    .into_iter()
}

fn of_counters(scope: &Scope<'_>) -> Vec<Accessor> {
    let library = &scope.library;
    let sum = || Output::Result(quote!(::core::primitive::i64));
    let flag = Output::Result(quote!(::core::primitive::bool));
    let counted = Output::Result(quote!(#library::Counted));
    let expiry = Output::Result(quote!(::core::option::Option<#library::Expiry>));
    let counter = format!("the counter under `{}`", scope.pattern());
    let window = format!(
        "The first hit gives the counter its life ({}), and later ones don't move its end.",
        life(scope)
    );
    vec![
        Accessor::new(
            "increment",
            "increment",
            sum(),
            COUNT,
            format!("Adds one to {counter} and returns the sum.\n\n{window}"),
        ),
        Accessor {
            parameters: quote!(delta: ::core::primitive::i64),
            passed: quote!(delta),
            ..Accessor::new(
                "increment_by",
                "increment_by",
                sum(),
                COUNT,
                format!(
                    "Adds `delta`, which may be negative, to {counter} and returns the sum.\n\n{window}"
                ),
            )
        },
        Accessor::new(
            "hit",
            "hit",
            counted,
            COUNT,
            format!(
                "Adds one to {counter} and returns the sum and what is left of the window.\n\n{window}"
            ),
        ),
        Accessor::new(
            "get",
            "count",
            sum(),
            DECODE,
            format!("Returns the sum of {counter}; zero if there is no live one."),
        ),
        Accessor::new(
            "ttl",
            "ttl",
            expiry,
            CALL,
            format!(
                "Returns what is left of the life of {counter}; `None` if there is no live one."
            ),
        ),
        Accessor::new(
            "reset",
            "delete",
            flag,
            CALL,
            format!("Removes {counter} and says whether there was a live one."),
        ),
    ]
}

fn clear(scope: &Scope<'_>) -> Accessor {
    let count = Output::Result(quote!(::core::primitive::u64));
    let does = format!(
        "Removes everything under `{}:` and nothing else, and returns how many live ones there were.",
        scope.keyspace.prefix
    );
    let fails = "What the backend fails with; a part may be gone then.";
    Accessor {
        by: By::Keyspace,
        ..Accessor::new("clear", "clear", count, fails, does)
    }
}

/// ```text
/// pub fn key<K0>(id: K0) -> Key where K0: KeyArg<String> {
///     KeyBuilder::new(&Self::INFO).segment::<String>(&id).build()
/// }
/// ```
fn key_function(scope: &Scope<'_>) -> TokenStream {
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
    quote! {
        #[doc = #docs]
        #[must_use]
        #vis fn key<#(#argument_types),*>(#(#fields: #argument_types),*) -> #library::keyspace::Key
        where
            #(#argument_types: #library::keyspace::KeyArg<#field_types>,)*
        {
            #library::keyspace::KeyBuilder::new(&<#owned as #library::keyspace::Keyspace>::INFO)
                #(.segment::<#field_types>(&#fields))*
                .build()
        }
    }
}

/// ```text
/// pub fn key(&self) -> Key {
///     KeyBuilder::new(&RateCounter::<'static>::INFO).field(&self.route).field(&self.client).build()
/// }
/// ```
fn key_method(scope: &Scope<'_>) -> TokenStream {
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

fn key_docs(scope: &Scope<'_>) -> String {
    format!(
        "Returns the text of the key, `{}` with each segment escaped, for the raw API.",
        scope.pattern()
    )
}

/// "`30m`", for docs.
fn life(scope: &Scope<'_>) -> String {
    match &scope.keyspace.ttl {
        Ttl::Never => "ever".to_string(),
        Ttl::For(ttl) => format!("`{}`", humantime::format_duration(*ttl)),
        Ttl::Constant(path) => format!("`{}`", path.to_token_stream().to_string().replace(' ', "")),
    }
}

impl Accessor {
    /// An accessor of one entry, which the struct names, with nothing but the backend as a parameter.
    fn new(
        name: &'static str,
        call: &'static str,
        output: Output,
        fails: &'static str,
        does: impl Into<String>,
    ) -> Self {
        Self {
            name,
            call,
            by: By::Itself,
            output,
            does: does.into(),
            fails,
            generics: quote!(),
            bounds: quote!(),
            parameters: quote!(),
            passed_types: quote!(),
            passed: quote!(),
        }
    }

    /// ```text
    /// pub fn get<'b, B, K0>(backend: &'b B, id: K0)
    ///     -> impl Future<Output = BackendResult<Option<Self>>> + Send + use<'b, B, K0>
    /// where B: Backend + ?Sized, K0: KeyArg<String> {
    ///     keyspace::get::<Self, B>(backend, Self::key(id))
    /// }
    /// pub fn save_for<'b, B>(&self, backend: &'b B, ttl: Duration)
    ///     -> impl Future<Output = BackendResult<()>> + Send + use<'b, B>
    /// where B: Backend + ?Sized {
    ///     keyspace::set_for::<Self, B, Self>(backend, Entry::entry_key(self), self, ttl)
    /// }
    /// pub fn increment<'b, B>(&self, backend: &'b B) -> impl Future<Output = BackendResult<i64>> + Send + use<'b, B>
    /// where B: Backend + ?Sized {
    ///     keyspace::increment::<RateCounter<'static>, B>(backend, Self::key(self))
    /// }
    /// ```
    fn write(&self, scope: &Scope<'_>) -> TokenStream {
        let library = &scope.library;
        let vis = &scope.keyspace.item.vis;
        let docs = self.docs();
        let name = Ident::new(self.name, Span::call_site());
        let call = Ident::new(self.call, Span::call_site());
        let Named {
            receiver,
            keyspace,
            backend,
            generics: key_generics,
            bounds: key_bounds,
            parameters: key_parameters,
            lifetimes,
            key,
        } = self.by.named(scope);
        let (generics, bounds, parameters) = (&self.generics, &self.bounds, &self.parameters);
        let (passed_types, passed) = (&self.passed_types, &self.passed);
        let own = &scope.parameters;
        let output = self.output.write(scope);
        quote! {
            #[doc = #docs]
            #vis fn #name<'__b, __B, #generics #key_generics>(
                #receiver
                #backend: &'__b __B,
                #key_parameters
                #parameters
            ) -> #output + use<#lifetimes '__b, __B, #generics #key_generics #(#own),*>
            where
                __B: #library::Backend + ?::core::marker::Sized,
                #bounds
                #key_bounds
            {
                #library::keyspace::#call::<#keyspace, __B, #passed_types>(#backend, #key #passed)
            }
        }
    }

    fn docs(&self) -> String {
        if self.fails.is_empty() {
            return self.does.clone();
        }
        format!("{}\n\n# Errors\n\n{}", self.does, self.fails)
    }
}

/// The tokens by which an accessor names what it is about; lists end with a comma.
struct Named {
    receiver: TokenStream,
    /// The type that implements `Keyspace`.
    keyspace: TokenStream,
    backend: Ident,
    generics: TokenStream,
    bounds: TokenStream,
    parameters: TokenStream,
    lifetimes: TokenStream,
    key: TokenStream,
}

impl By {
    fn named(self, scope: &Scope<'_>) -> Named {
        let Scope {
            library,
            fields,
            field_types,
            argument_types,
            lifetimes,
            ..
        } = scope;
        let nothing = Named {
            receiver: quote!(),
            keyspace: scope.owned.clone(),
            backend: Ident::new("backend", Span::call_site()),
            generics: quote!(),
            bounds: quote!(),
            parameters: quote!(),
            lifetimes: quote!(),
            key: quote!(),
        };
        let key_bounds = quote!(#(#argument_types: #library::keyspace::KeyArg<#field_types>,)*);
        match self {
            Self::Keyspace => nothing,
            // What is stored is the struct, so it can't be the one with `'static`.
            Self::Itself if matches!(scope.keyspace.kind, Kind::Entry) => Named {
                receiver: quote!(&self,),
                keyspace: quote!(Self),
                lifetimes: quote!(#(#lifetimes,)*),
                key: quote!(#library::keyspace::Entry::entry_key(self),),
                ..nothing
            },
            Self::Itself => Named {
                receiver: quote!(&self,),
                key: quote!(Self::key(self),),
                ..nothing
            },
            Self::Key => Named {
                backend: scope.free("backend"),
                generics: quote!(#(#argument_types,)*),
                bounds: key_bounds,
                parameters: quote!(#(#fields: #argument_types,)*),
                key: quote!(Self::key(#(#fields),*),),
                ..nothing
            },
            Self::Keys => {
                let item = tuple(argument_types.iter().map(ToTokens::to_token_stream));
                let pattern = tuple(fields.iter().map(ToTokens::to_token_stream));
                Named {
                    generics: quote!(__I, #(#argument_types,)*),
                    bounds: quote!(__I: ::core::iter::IntoIterator<Item = #item>, #key_bounds),
                    parameters: quote!(keys: __I,),
                    key: quote! {
                        ::core::iter::Iterator::collect(::core::iter::Iterator::map(
                            ::core::iter::IntoIterator::into_iter(keys),
                            |#pattern| Self::key(#(#fields),*),
                        )),
                    },
                    ..nothing
                }
            }
        }
    }
}

impl Output {
    fn result_of_closure(scope: &Scope<'_>, output: &TokenStream) -> Self {
        let library = &scope.library;
        Self::Future(quote!(#library::BackendResult<#output>))
    }

    fn write(&self, scope: &Scope<'_>) -> TokenStream {
        let library = &scope.library;
        match self {
            Self::Result(output) => quote! {
                impl ::core::future::Future<Output = #library::BackendResult<#output>> + ::core::marker::Send
            },
            Self::Future(output) => quote!(impl ::core::future::Future<Output = #output>),
            Self::Stream(item) => quote! {
                impl #library::__private::Stream<Item = #library::BackendResult<#item>>
                    + ::core::marker::Send
                    + ::core::marker::Unpin
            },
        }
    }
}

/// Two lists as one.
fn join(first: TokenStream, second: TokenStream) -> TokenStream {
    if second.is_empty() {
        return first;
    }
    quote!(#first, #second)
}
