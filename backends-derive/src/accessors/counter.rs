//! The accessors of counters.

use quote::quote;

use super::accessor::{Accessor, Output};
use super::docs::{CALL, COUNT, DECODE, DELETE_MANY, life};
use super::receiver::Receiver;
use super::scan::scans_of_pairs;
use crate::scope::Scope;

pub(super) fn counter_accessors(scope: &Scope<'_>) -> Vec<Accessor> {
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
        Accessor::new(
            "increment_by",
            "increment_by",
            sum(),
            COUNT,
            format!(
                "Adds `delta`, which may be negative, to {counter} and returns the sum.\n\n{window}"
            ),
        )
        .with_parameter("delta", quote!(::core::primitive::i64)),
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
            receiver: Receiver::Structs,
            ..Accessor::new(
                "get_many",
                "count_many",
                Output::Result(quote!(::std::vec::Vec<::core::primitive::i64>)),
                DECODE,
                "Returns the sums of the counters, in the order of the keys; zero where there is no live one.",
            )
        },
        Accessor {
            receiver: Receiver::Structs,
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
    all.extend(scans_of_pairs(scope, "scan_counts", &sum));
    all
}
