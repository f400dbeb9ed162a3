//! The accessors of stored values: those that entries and values share.

use proc_macro2::TokenStream;
use quote::{quote, quote_spanned};

use super::accessor::{Accessor, Output};
use super::docs::{
    CALL, DECODE, DELETE_MANY, ENCODE, ENCODE_FOR, TAKE, life, read_without, write_without,
};
use super::receiver::Receiver;
use super::update::updates;
use crate::scope::Scope;

/// Returns the accessors that read, remove and change.
pub(super) fn reads_and_removals(
    scope: &Scope<'_>,
    receiver: Receiver,
    receiver_of_many: Receiver,
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
    let slides = slides + read_without(scope);
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
    .map(|(name, output, errors, summary)| Accessor { receiver, ..Accessor::new(name, name, output, errors, summary) });
    let many = [
        ("get_many", "get_many", Output::Result(all), DECODE, format!(
            "Returns what is alive under each key, in the order of the keys; a key may be named more than once.{slides}"
        )),
        ("delete_many", "delete_many", Output::Result(quote!(::core::primitive::u64)), DELETE_MANY, format!(
            "Removes {under}, for each of the keys, and returns how many live ones there were."
        )),
    ]
    .map(|(name, call, output, errors, summary)| Accessor {
        receiver: receiver_of_many,
        ..Accessor::new(name, call, output, errors, summary)
    });
    let updates = updates(scope, receiver, value, under);
    let shared = shared(scope, receiver, value, under, &slides);
    let reads = singles.into_iter().chain(shared).chain(many);
    reads.chain(updates).collect()
}

/// `get_shared`, in a keyspace that is `shared`.
fn shared(
    scope: &Scope<'_>,
    receiver: Receiver,
    value: &TokenStream,
    under: &str,
    slides: &str,
) -> Option<Accessor> {
    let word = scope.keyspace.kind.stored()?.shared.as_ref()?;
    let output = quote!(::core::option::Option<::std::sync::Arc<#value>>);
    Some(Accessor {
        receiver,
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

/// `save` and its variants, or `set` and its.
pub(super) fn writes(
    scope: &Scope<'_>,
    verb: &str,
    what: &str,
) -> impl Iterator<Item = Accessor> + use<> {
    let under = format!("under `{}`", scope.pattern());
    let life = life(scope);
    let without = write_without(scope);
    let names = match verb {
        "save" => ["save", "save_for", "save_if_absent", "save_if_present"],
        _ => ["set", "set_for", "set_if_absent", "set_if_present"],
    };
    let [always, lasting, if_absent, if_present] = names;
    let done = || Output::Result(quote!(()));
    let flag = || Output::Result(quote!(::core::primitive::bool));
    [
        Accessor::new(always, "set", done(), ENCODE, format!(
            "Stores {what} {under} for {life}, whatever was there.{without}"
        )),
        Accessor::new(lasting, "set_for", done(), ENCODE_FOR, format!(
                "Stores {what} {under} for `ttl`, whatever was there.{without}"
            ))
        .with_parameter("ttl", quote!(::core::time::Duration)),
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
