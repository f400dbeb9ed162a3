//! The accessors of a keyspace as a whole, and of what lies under some of its leading key fields.

use proc_macro2::TokenStream;
use quote::quote;

use super::accessor::{Accessor, Output, join};
use super::key::typed_key;
use super::receiver::Receiver;
use crate::scope::Scope;

/// Returns the accessors of the keyspace as a whole, or of a part of it under some leading key
/// fields: `item` is the type that a scan yields, and `make` the code that makes an item of a key
/// and a value.
pub(super) fn scans(
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
        text under the prefix that is no key of this keyspace (`InvalidKey`), are error items, and the \
        stream goes on.";
    let clears = "and nothing else, and returns how many live entries there were.";
    let errors = "The errors of the backend; a part may be gone then.";
    let walks = "It looks through all keys of the store, not only through this keyspace's: on a server with many keys of \
        others that takes long (\"What a prefix costs\", at the trait `Backend`).";
    let mut all = vec![
        Accessor {
            receiver: Receiver::Keyspace,
            arg_types: item.clone(),
            args: join(whole.clone(), make.clone()),
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
            receiver: Receiver::Keyspace,
            arg_types: key.clone(),
            args: join(whole.clone(), make_key),
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
            receiver: Receiver::Keyspace,
            args: whole,
            ..Accessor::new(
                "clear",
                "clear",
                count(),
                errors,
                format!("Removes everything under `{head}` {clears}\n\n{walks}"),
            )
        },
    ];
    if (2..=MOST_LEADING).contains(&scope.fields.len()) {
        let under = format!("`{head}` and the given leading key fields");
        let takes = "`leading` is the first key field, or a tuple of the first ones.";
        all.extend([
            Accessor {
                receiver: Receiver::Leading,
                arg_types: item.clone(),
                args: make.clone(),
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
                receiver: Receiver::Leading,
                ..Accessor::new(
                    "clear_under",
                    "clear",
                    count(),
                    errors,
                    format!("Removes everything under {under}, {clears}\n\n{takes}\n\n{walks}"),
                )
            },
        ]);
    }
    all
}

/// As [`scans`], of keyspaces whose values know no key: their scans yield both.
pub(super) fn scans_of_pairs(
    scope: &Scope<'_>,
    scan: &'static str,
    value: &TokenStream,
) -> Vec<Accessor> {
    let (key, pattern, make_key) = typed_key(scope);
    let named = scope.free("__value");
    let make = quote!(|#pattern, #named| (#make_key, #named));
    scans(scope, scan, &quote!((#key, #value)), &make)
}

/// The most key fields for which the library has `LeadingKey`.
pub(super) const MOST_LEADING: usize = 6;
