//! The accessors of values: structs that are the key of a value with a type of its own.

use quote::quote;
use syn::Type;

use super::accessor::{Accessor, Output, join};
use super::computed::computed;
use super::docs::{MANY, life, write_without};
use super::receiver::Receiver;
use super::scan::scans_of_pairs;
use super::stored::{reads_and_removals, writes};
use crate::scope::Scope;

pub(super) fn value_accessors(scope: &Scope<'_>, value: &Type) -> Vec<Accessor> {
    let library = &scope.library;
    let under = format!("the value under `{}`", scope.pattern());
    let mut all = reads_and_removals(
        scope,
        Receiver::Itself,
        Receiver::Structs,
        &quote!(#value),
        &under,
    );
    all.extend(computed(scope, value, &under));
    all.extend(writes(scope, "set", "a value").map(|store| Accessor {
        generics: quote!(__V,),
        bounds: quote!(__V: #library::keyspace::ValueArg<#value>,),
        parameters: join(quote!(value: __V), store.parameters),
        arg_types: quote!(__V),
        args: join(quote!(&value), store.args),
        ..store
    }));
    all.push(Accessor {
        receiver: Receiver::Keyspace,
        generics: quote!(__I, __Q, __V,),
        bounds: quote! {
            __I: ::core::iter::IntoIterator<Item = (__Q, __V)>,
            __Q: ::core::borrow::Borrow<Self>,
            __V: #library::keyspace::ValueArg<#value>,
        },
        parameters: quote!(entries: __I),
        arg_types: quote!(__V, _),
        args: quote! {
            ::core::iter::Iterator::map(::core::iter::IntoIterator::into_iter(entries), |(__key, __value)| {
                (Self::key(::core::borrow::Borrow::borrow(&__key)), __value)
            })
        },
        ..Accessor::new("set_many", "set_many", Output::Result(quote!(())), MANY, format!(
            "Stores the value of each key and value for {life}, whatever was there.\n\nEach one is atomic, all together \
             are not.{without}",
            life = life(scope),
            without = write_without(scope),
        ))
    });
    all.extend(scans_of_pairs(scope, "scan", &quote!(#value)));
    all
}
