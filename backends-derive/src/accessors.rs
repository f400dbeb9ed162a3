//! The inherent methods of a keyspace. Every accessor is one call into the library.

mod computed;

use proc_macro2::{Span, TokenStream};
use quote::{ToTokens, quote, quote_spanned};
use syn::{Ident, Type};

use self::computed::computed;
use crate::ast::{Kind, Limits, compact};
use crate::attr::Ttl;
use crate::constructor::constructor;
use crate::scope::{Scope, tuple};

/// Writes the accessors of the keyspace's kind.
pub(crate) fn accessors(scope: &Scope<'_>) -> TokenStream {
    let item = scope.keyspace.item;
    let name = &item.ident;
    let (impl_generics, ty_generics, _) = item.generics.split_for_impl();
    let library = &scope.library;
    let bounds = scope.bounds(match scope.keyspace.kind {
        Kind::Entry(_) if !scope.keyspace.is_unreadable => Some(quote!(#library::keyspace::Entry)),
        Kind::Entry(_) | Kind::Value(..) | Kind::Counter | Kind::Throttle(_) => None,
    });
    let (key, accessors) = match &scope.keyspace.kind {
        Kind::Entry(_) => (key_function(scope), of_entries(scope)),
        Kind::Value(value, _) => (key_method(scope), of_values(scope, value)),
        Kind::Counter => (key_method(scope), of_counters(scope)),
        Kind::Throttle(limits) => (key_method(scope), of_throttles(scope, limits)),
    };
    let accessors = accessors.iter().map(|accessor| accessor.write(scope));
    let is_key = !matches!(scope.keyspace.kind, Kind::Entry(_));
    let constructor = is_key.then(|| constructor(scope));
    let unused = (scope.keyspace.is_unreadable).then(|| quote!(, unused_variables));
    quote! {
        #[allow(dead_code, clippy::too_many_arguments #unused)]
        impl #impl_generics #name #ty_generics #bounds {
            #constructor
            #key
            #(#accessors)*
        }
    }
}

/// An accessor: its signature, and the function of the library that it calls.
struct Accessor {
    name: &'static str,
    /// The module of the library, and the function in it.
    module: &'static str,
    call: &'static str,
    by: By,
    output: Output,
    does: String,
    fails: &'static str,
    /// Type parameters and their bounds, parameters, and what is passed on: as types and as
    /// arguments.
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
    /// By many structs.
    Structs,
    /// By the first key fields of many.
    Leading,
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
const DECODE: &str = "`Decode` if the stored bytes are of another type or of another key's entry, and they stay; and what the \
    backend fails with.";
const TAKE: &str = "`Decode` if the stored bytes are of another type or of another key's entry, and they are gone then; and what \
    the backend fails with.";
const ENCODE: &str = "`Encode` or `TooLarge`, before anything is sent; `Conflict`, with `migrates` alone, if other writers were faster \
    every time; and what the backend fails with.";
const ENCODE_FOR: &str = "`InvalidTtl` for zero and for more than 10,000 years, `Encode` or `TooLarge`, before anything \
    is sent; `Conflict`, with `migrates` alone, if other writers were faster every time; and what the backend fails with.";
const UPDATE: &str = "`InvalidKey` if a closure changes or chooses another key, `Conflict` if other writers were faster every \
    time, `Decode`, `Encode` or `TooLarge`, and nothing is changed; and what the backend fails with.";
const TRY_UPDATE: &str = "What a closure fails with; `InvalidKey` if one changes or chooses another key, `Conflict` if other \
    writers were faster every time, `Decode`, `Encode` or `TooLarge`, and nothing is changed; and what the backend fails \
    with.";
const MANY: &str = "`Encode`, `InvalidKey` or `TooLarge`, before anything is sent, with the positions of what is at fault; \
    `Conflict`, with `migrates` alone, if other writers were faster every time, and what the backend fails with, with the \
    positions of what was not stored or not acknowledged.";
const DELETE_MANY: &str = "`InvalidKey` if a key is over the limit, before anything is sent; and what the backend fails with.";
const CHECK: &str = "`WrongType` if something else is stored there, and it stays; and what the backend fails with: \
    `throttle::WhenDown` says what to make of that.";
const CHECK_N: &str = "`TooLarge` for a cost over a limit, which could never pass, before anything is sent; `WrongType` if \
    something else is stored there, and it stays; and what the backend fails with: `throttle::WhenDown` says what to make \
    of that.";
const COUNT: &str = "`WrongType` if the stored bytes are no integer that fits `i64`, `Overflow` if the sum doesn't, and \
    nothing is changed; and what the backend fails with.";

fn of_entries(scope: &Scope<'_>) -> Vec<Accessor> {
    let owned = &scope.owned;
    let under = format!("the entry under `{}`", scope.pattern());
    let mut all = of_both(scope, By::Key, By::Keys, &quote!(#owned), &under);
    all.extend([
        Accessor {
            by: By::Keyspace,
            generics: quote!(__I,),
            bounds: quote! {
                __I: ::core::iter::IntoIterator,
                <__I as ::core::iter::IntoIterator>::Item: ::core::borrow::Borrow<#owned>,
            },
            parameters: quote!(entries: __I),
            passed_types: quote!(__I),
            passed: quote!(entries),
            ..Accessor::new("save_many", "save_many", Output::Result(quote!(())), MANY, format!(
                "Stores all entries, each for {life}, whatever was there.\n\nEach one is atomic, all together are not.",
                life = life(scope),
            ))
        },
    ]);
    all.extend(stores(scope, "save", "the entry").map(|store| Accessor {
        call: store.name,
        ..store
    }));
    all.extend(of_keyspace(
        scope,
        "scan",
        owned,
        &quote!(|_, __entry| __entry),
    ));
    all
}

fn of_values(scope: &Scope<'_>, value: &Type) -> Vec<Accessor> {
    let library = &scope.library;
    let under = format!("the value under `{}`", scope.pattern());
    let mut all = of_both(scope, By::Itself, By::Structs, &quote!(#value), &under);
    all.extend(computed(scope, value, &under));
    all.extend(stores(scope, "set", "a value").map(|store| Accessor {
        generics: quote!(__V,),
        bounds: quote!(__V: #library::keyspace::ValueArg<#value>,),
        parameters: join(quote!(value: __V), store.parameters),
        passed_types: quote!(__V),
        passed: join(quote!(&value), store.passed),
        ..store
    }));
    all.push(Accessor {
        by: By::Keyspace,
        generics: quote!(__I, __Q, __V,),
        bounds: quote! {
            __I: ::core::iter::IntoIterator<Item = (__Q, __V)>,
            __Q: ::core::borrow::Borrow<Self>,
            __V: #library::keyspace::ValueArg<#value>,
        },
        parameters: quote!(entries: __I),
        passed_types: quote!(__V, _),
        passed: quote! {
            ::core::iter::Iterator::map(::core::iter::IntoIterator::into_iter(entries), |(__key, __value)| {
                (Self::key(::core::borrow::Borrow::borrow(&__key)), __value)
            })
        },
        ..Accessor::new("set_many", "set_many", Output::Result(quote!(())), MANY, format!(
            "Stores the value of each key and value for {life}, whatever was there.\n\nEach one is atomic, all together \
             are not.",
            life = life(scope),
        ))
    });
    all.extend(of_pairs(scope, "scan", &quote!(#value)));
    all
}

/// What entries and values have in common, except how they are stored.
fn of_both(
    scope: &Scope<'_>,
    by: By,
    by_many: By,
    value: &TokenStream,
    under: &str,
) -> Vec<Accessor> {
    let library = &scope.library;
    let flag = || Output::Result(quote!(::core::primitive::bool));
    let option = quote!(::core::option::Option<#value>);
    let found = || Output::Result(option.clone());
    let all = quote!(::std::vec::Vec<#option>);
    let expiry = Output::Result(quote!(::core::option::Option<#library::Expiry>));
    let life = life(scope);
    let slides = match scope.keyspace.sliding {
        true => format!(
            "\n\nThe read starts its life over: it lives for {life} from now on, or longer if it would have."
        ),
        false => String::new(),
    };
    let singles = [
        ("get", found(), DECODE, format!("Returns {under}; `None` if there is no live one.{slides}")),
        ("take", found(), TAKE, format!("Removes {under} and returns it, to at most one caller.")),
        ("delete", flag(), CALL, format!("Removes {under} and says whether there was a live one.")),
        ("exists", flag(), CALL, format!("Says whether {under} exists and is alive.")),
        ("ttl", expiry, CALL, format!("Returns what is left of the life of {under}; `None` if there is no live one.")),
        ("touch", flag(), CALL, format!(
            "Starts the life of {under} over, for {life}, and says whether there was a live one.\n\nWhat is stored stays."
        )),
    ]
    .map(|(name, output, fails, does)| Accessor { by, ..Accessor::new(name, name, output, fails, does) });
    let many = [
        ("get_many", "get_many", Output::Result(all), DECODE, format!(
            "Returns what is alive under each key, in the order of the keys; a key may be named more than once.{slides}"
        )),
        ("delete_many", "delete_many", Output::Result(quote!(::core::primitive::u64)), DELETE_MANY, format!(
            "Removes {under}, for each of the keys, and returns how many live ones there were."
        )),
    ]
    .map(|(name, call, output, fails, does)| Accessor {
        by: by_many,
        ..Accessor::new(name, call, output, fails, does)
    });
    let updates = updates(scope, by, value, under);
    let shared = shared(scope, by, value, under, &slides);
    let reads = singles.into_iter().chain(shared).chain(many);
    reads.chain(updates).collect()
}

/// `get_shared`, in a keyspace that is `shared`.
fn shared(
    scope: &Scope<'_>,
    by: By,
    value: &TokenStream,
    under: &str,
    slides: &str,
) -> Option<Accessor> {
    let word = scope.keyspace.kind.stored()?.shared.as_ref()?;
    let output = quote!(::core::option::Option<::std::sync::Arc<#value>>);
    Some(Accessor {
        by,
        // A value that threads can't share is the mistake of this word.
        bounds: quote_spanned! {word.span()=>
            #value: ::core::marker::Send + ::core::marker::Sync + 'static,
        },
        ..Accessor::new(
            "get_shared",
            "get_shared",
            Output::Result(output),
            DECODE,
            format!(
                "Returns {under}, shared with all who read it; `None` if there is no live one.\n\nA backend in this \
             process decodes it once and keeps it beside the bytes, for as long as they stay. It is what `get` \
             returns.{slides}"
            ),
        )
    })
}

/// `update` and its variants: with closures that can fail, and with one that inserts.
fn updates(scope: &Scope<'_>, by: By, value: &TokenStream, under: &str) -> [Accessor; 4] {
    let change = scope.free("change");
    let insert = scope.free("insert");
    let library = &scope.library;
    let life = match scope.keyspace.sliding {
        true => format!("Its life starts over, for {}.", life(scope)),
        false => "What is left of its life stays.".to_string(),
    };
    let does = format!(
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
            by,
            generics: quote!(__F, __W, __R,),
            bounds: quote!(__F: #library::keyspace::Change<#value> + #takes, #same),
            parameters: quote!(#change: __F),
            passed_types: quote!(__F),
            passed: quote!(#change),
            ..Accessor::new(
                "update",
                "update",
                result(&option),
                UPDATE,
                format!("Changes {under} {does}"),
            )
        },
        Accessor {
            by,
            generics: quote!(__F, __W, __R, __E,),
            bounds: quote!(__F: #library::keyspace::TryChange<#value, __E> + #takes, #same #error),
            parameters: quote!(#change: __F),
            passed_types: quote!(__F, __E),
            passed: quote!(#change),
            ..Accessor::new(
                "try_update",
                "try_update",
                fallible(&option),
                TRY_UPDATE,
                format!("Changes {under} {does} {aborts}"),
            )
        },
        Accessor {
            by,
            generics: quote!(__F, __W, __R, __I,),
            bounds: quote! {
                __F: #library::keyspace::Change<#value> + #takes,
                #same
                __I: ::core::ops::FnMut() -> #value,
            },
            parameters: quote!(#change: __F, #insert: __I),
            passed_types: quote!(__F, __I),
            passed: quote!(#change, #insert),
            ..Accessor::new(
                "update_or_insert_with",
                "update_or_insert_with",
                result(value),
                UPDATE,
                format!("Changes {under}, {inserts}"),
            )
        },
        Accessor {
            by,
            generics: quote!(__F, __W, __R, __I, __E,),
            bounds: quote! {
                __F: #library::keyspace::TryChange<#value, __E> + #takes,
                #same
                __I: ::core::ops::FnMut() -> ::core::result::Result<#value, __E>,
                #error
            },
            parameters: quote!(#change: __F, #insert: __I),
            passed_types: quote!(__F, __I, __E),
            passed: quote!(#change, #insert),
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
    let mut all = vec![
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
        Accessor {
            by: By::Structs,
            ..Accessor::new(
                "get_many",
                "count_many",
                Output::Result(quote!(::std::vec::Vec<::core::primitive::i64>)),
                DECODE,
                "Returns the sums of the counters, in the order of the keys; zero where there is no live one.",
            )
        },
        Accessor {
            by: By::Structs,
            ..Accessor::new(
                "reset_many",
                "delete_many",
                Output::Result(quote!(::core::primitive::u64)),
                DELETE_MANY,
                "Removes the counters and returns how many live ones there were.",
            )
        },
    ];
    let sum = quote!(::core::primitive::i64);
    all.extend(of_pairs(scope, "scan_counts", &sum));
    all
}

fn of_throttles(scope: &Scope<'_>, limits: &Limits) -> Vec<Accessor> {
    let library = &scope.library;
    let decision = || Output::Result(quote!(#library::throttle::Decision));
    let throttle = format!("the throttle under `{}`", scope.pattern());
    let quota = limits.in_words();
    let all = "What is refused uses nothing up.";
    let mut accessors = vec![
        Accessor::new(
            "check",
            "check",
            decision(),
            CHECK,
            format!(
                "Uses up one of {throttle} ({quota}) if there is room, and says whether there was.\n\n{all}"
            ),
        ),
        Accessor {
            parameters: quote!(cost: ::core::primitive::u32),
            passed: quote!(cost),
            ..Accessor::new(
                "check_n",
                "check_n",
                decision(),
                CHECK_N,
                format!(
                    "Uses up `cost` of {throttle} ({quota}) if there is room for all of it, and says whether there was.\n\n{all}"
                ),
            )
        },
        Accessor::new(
            "peek",
            "peek",
            decision(),
            CHECK,
            format!("Says whether {throttle} ({quota}) has room for one, and uses nothing up."),
        ),
        Accessor {
            parameters: quote!(cost: ::core::primitive::u32),
            passed: quote!(cost),
            ..Accessor::new(
                "peek_n",
                "peek_n",
                decision(),
                CHECK_N,
                format!(
                    "Says whether {throttle} ({quota}) has room for `cost`, and uses nothing up."
                ),
            )
        },
        Accessor::new(
            "reset",
            "delete",
            Output::Result(quote!(::core::primitive::bool)),
            CALL,
            format!("Forgets what was used up of {throttle}, and says whether there was anything."),
        ),
        Accessor {
            by: By::Structs,
            ..Accessor::new(
                "reset_many",
                "delete_many",
                Output::Result(quote!(::core::primitive::u64)),
                DELETE_MANY,
                "Forgets what was used up of the throttles, and returns of how many there was anything.",
            )
        },
    ];
    let whole = of_keyspace(scope, "scan", &quote!(()), &quote!(|_, _| ()));
    accessors.extend(
        whole
            .into_iter()
            .filter(|it| !matches!(it.name, "scan" | "scan_under")),
    );
    accessors
}

/// What is about the keyspace as a whole, or about a part of it under some leading key fields:
/// `item` is what a scan yields, and `make` what makes it of a key and a value.
fn of_keyspace(
    scope: &Scope<'_>,
    scan: &'static str,
    item: &TokenStream,
    make: &TokenStream,
) -> Vec<Accessor> {
    let library = &scope.library;
    let (key, pattern, make_key) = typed_key(scope);
    let make_key = quote!(|#pattern| #make_key);
    let whole = quote!(#library::keyspace::Leading::all());
    let count = || Output::Result(quote!(::core::primitive::u64));
    let pattern = scope.pattern();
    let head = scope.keyspace.head();
    let streams = "An entry may come more than once, and one that goes meanwhile may be missing. What can't be read, and \
        text under the prefix that is no key of this keyspace (`InvalidKey`, which names it), are error items, and the \
        stream goes on.";
    let clears = "and nothing else, and returns how many live entries there were.";
    let fails = "What the backend fails with; a part may be gone then.";
    let walks = "It looks through all keys of the store, not only through this keyspace's: on a server with many keys of \
        others that takes long (\"What a prefix costs\", at the trait `Backend`).";
    let mut all = vec![
        Accessor {
            by: By::Keyspace,
            passed_types: item.clone(),
            passed: join(whole.clone(), make.clone()),
            ..Accessor::new(
                "scan",
                scan,
                Output::Stream(item.clone()),
                "",
                format!(
                    "Streams what is alive under `{pattern}`, in no order.\n\n{streams}\n\n{walks}"
                ),
            )
        },
        Accessor {
            by: By::Keyspace,
            passed_types: key.clone(),
            passed: join(whole.clone(), make_key),
            ..Accessor::new(
                "scan_keys",
                "scan_keys",
                Output::Stream(key),
                "",
                format!(
                    "Streams the keys of what is alive under `{pattern}`, in no order, without reading it.\n\n{streams}\n\n{walks}"
                ),
            )
        },
        Accessor {
            by: By::Keyspace,
            passed: whole,
            ..Accessor::new(
                "clear",
                "clear",
                count(),
                fails,
                format!("Removes everything under `{head}` {clears}\n\n{walks}"),
            )
        },
    ];
    if (2..=MOST_LEADING).contains(&scope.fields.len()) {
        let under = format!("`{head}` and the given leading key fields");
        let takes = "`leading` is the first key field, or a tuple of the first ones.";
        all.extend([
            Accessor {
                by: By::Leading,
                passed_types: item.clone(),
                passed: make.clone(),
                ..Accessor::new(
                    "scan_under",
                    scan,
                    Output::Stream(item.clone()),
                    "",
                    format!(
                        "Streams what is alive under {under}, in no order.\n\n{takes} {streams}\n\n{walks}"
                    ),
                )
            },
            Accessor {
                by: By::Leading,
                ..Accessor::new(
                    "clear_under",
                    "clear",
                    count(),
                    fails,
                    format!("Removes everything under {under}, {clears}\n\n{takes}\n\n{walks}"),
                )
            },
        ]);
    }
    all
}

/// As [`of_keyspace`], of keyspaces whose values know no key: their scans yield both.
fn of_pairs(scope: &Scope<'_>, scan: &'static str, value: &TokenStream) -> Vec<Accessor> {
    let (key, pattern, make_key) = typed_key(scope);
    let named = scope.free("__value");
    let make = quote!(|#pattern, #named| (#make_key, #named));
    of_keyspace(scope, scan, &quote!((#key, #value)), &make)
}

/// How many key fields the library has `LeadingKey` for.
const MOST_LEADING: usize = 6;

/// The type of a key that is read back, a pattern for the owned fields, and what makes it of these:
/// the struct itself if it is nothing but its key and borrows nothing.
fn typed_key(scope: &Scope<'_>) -> (TokenStream, TokenStream, TokenStream) {
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

/// ```text
/// pub fn key<K0>(id: K0) -> Key where K0: KeyArg<String> {
///     Key::build(&Self::INFO, |key| { key.segment::<String>(&id); })
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
    time(&scope.keyspace.ttl)
}

fn time(time: &Ttl) -> String {
    match time {
        Ttl::Never => "ever".to_string(),
        Ttl::For(_, text) => format!("`{text}`"),
        Ttl::Constant(path) => format!("`{}`", compact(path)),
    }
}

impl Accessor {
    /// An accessor of one entry, which the struct names, with nothing but the backend as a
    /// parameter.
    fn new(
        name: &'static str,
        call: &'static str,
        output: Output,
        fails: &'static str,
        does: impl Into<String>,
    ) -> Self {
        Self {
            name,
            module: "keyspace",
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
    ///     keyspace::save_for::<Self, B>(backend, self, ttl)
    /// }
    /// pub fn increment<'b, B>(&self, backend: &'b B)
    ///     -> impl Future<Output = BackendResult<i64>> + Send + use<'b, B>
    /// where B: Backend + ?Sized {
    ///     keyspace::increment::<RateCounter<'static>, B>(backend, Self::key(self))
    /// }
    /// ```
    fn write(&self, scope: &Scope<'_>) -> TokenStream {
        let library = &scope.library;
        let vis = &scope.keyspace.item.vis;
        let docs = self.docs();
        let name = Ident::new(self.name, Span::call_site());
        let module = Ident::new(self.module, Span::call_site());
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
        let body = match scope.keyspace.is_unreadable {
            // Whoever calls it isn't told of the mistake again.
            true => self.output.stand_in(scope),
            false => quote! {
                #library::#module::#call::<#keyspace, __B, #passed_types>(#backend, #key #passed)
            },
        };
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
                #body
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
        let key_bounds = scope.argument_bounds();
        match self {
            Self::Keyspace => nothing,
            Self::Leading => Named {
                generics: quote!(__L, __As,),
                bounds: quote!(__L: #library::keyspace::LeadingKey<(#(#field_types,)*), __As>,),
                parameters: quote!(leading: __L,),
                key: quote!(#library::keyspace::Leading::under(&leading),),
                ..nothing
            },
            Self::Structs => Named {
                generics: quote!(__I,),
                bounds: quote! {
                    __I: ::core::iter::IntoIterator,
                    <__I as ::core::iter::IntoIterator>::Item: ::core::borrow::Borrow<Self>,
                },
                parameters: quote!(keys: __I,),
                key: quote! {
                    ::core::iter::Iterator::collect(::core::iter::Iterator::map(
                        ::core::iter::IntoIterator::into_iter(keys),
                        |__key| Self::key(::core::borrow::Borrow::borrow(&__key)),
                    )),
                },
                ..nothing
            },
            // What is stored is the struct, so it can't be the one with `'static`.
            Self::Itself if matches!(scope.keyspace.kind, Kind::Entry(_)) => Named {
                receiver: quote!(&self,),
                keyspace: quote!(Self),
                lifetimes: quote!(#(#lifetimes,)*),
                key: quote!(self,),
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

impl Output {
    /// What compiles where no keyspace of values is implemented.
    fn stand_in(&self, scope: &Scope<'_>) -> TokenStream {
        let library = &scope.library;
        match self {
            Self::Result(_) | Self::Future(_) => quote!(::core::future::pending()),
            Self::Stream(_) => quote!(#library::__private::pending()),
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
