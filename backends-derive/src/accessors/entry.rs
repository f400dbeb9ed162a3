//! The accessors of entries: structs that are stored themselves.

use quote::quote;

use super::accessor::{Accessor, Output};
use super::docs::{MANY, life, write_without};
use super::receiver::Receiver;
use super::scan::scans;
use super::stored::{reads_and_removals, writes};
use crate::scope::Scope;

pub(super) fn entry_accessors(scope: &Scope<'_>) -> Vec<Accessor> {
    let owned = &scope.owned;
    let under = format!("the entry under `{}`", scope.pattern());
    let mut all = reads_and_removals(
        scope,
        Receiver::Key,
        Receiver::Keys,
        &quote!(#owned),
        &under,
    );
    all.extend([
        Accessor {
            receiver: Receiver::Keyspace,
            generics: quote!(__I,),
            bounds: quote! {
                __I: ::core::iter::IntoIterator,
                <__I as ::core::iter::IntoIterator>::Item: ::core::borrow::Borrow<#owned>,
            },
            parameters: quote!(entries: __I),
            arg_types: quote!(__I),
            args: quote!(entries),
            ..Accessor::new("save_many", "save_many", Output::Result(quote!(())), MANY, format!(
                "Stores all entries, each for {life}, whatever was there.\n\nEach one is atomic, all together are not.{without}",
                life = life(scope),
                without = write_without(scope),
            ))
        },
    ]);
    all.extend(writes(scope, "save", "the entry").map(|store| Accessor {
        call: store.name,
        ..store
    }));
    all.extend(scans(scope, "scan", owned, &quote!(|_, __entry| __entry)));
    all
}
