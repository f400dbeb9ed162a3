//! The inherent methods of a keyspace: a file for each kind, and one for each group of accessors
//! that kinds share. Every accessor is one call into the library.

mod accessor;
mod computed;
mod counter;
mod docs;
mod entry;
mod key;
mod receiver;
mod scan;
mod stored;
mod throttle;
mod update;
mod value;

use proc_macro2::TokenStream;
use quote::quote;

use self::counter::counter_accessors;
use self::entry::entry_accessors;
use self::key::{key_function, key_method};
use self::throttle::throttle_accessors;
use self::value::value_accessors;
use crate::ast::Kind;
use crate::constructor::constructor;
use crate::scope::Scope;

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
        Kind::Entry(_) => (key_function(scope), entry_accessors(scope)),
        Kind::Value(value, _) => (key_method(scope), value_accessors(scope, value)),
        Kind::Counter => (key_method(scope), counter_accessors(scope)),
        Kind::Throttle(limits) => (key_method(scope), throttle_accessors(scope, limits)),
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

#[cfg(test)]
mod tests;
