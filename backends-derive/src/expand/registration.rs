//! The registration of a keyspace, and the checks of the constants that it names.

use proc_macro2::TokenStream;
use quote::quote;
use syn::GenericParam;
use syn::ext::IdentExt;

use super::info::{kind, location};
use crate::ast::Kind;
use crate::scope::Scope;

/// `submit! { Registration::of_values::<Session>() }`
///
/// Also has the constants checked that `ttl` and `prefix` name. A keyspace with type or constant
/// parameters is no single type: `register_keyspace!` registers the types that a program uses, and
/// each type is checked with its first use.
pub(super) fn registration(scope: &Scope<'_>) -> TokenStream {
    let library = &scope.library;
    let of = match scope.keyspace.kind {
        Kind::Counter => quote!(of_counters),
        Kind::Throttle(_) => quote!(of_throttles),
        Kind::Entry(_) | Kind::Value(..) => quote!(of_values),
    };
    if scope.parameters.is_empty() {
        let path = scope.static_path();
        return quote! {
            #library::__private::submit! { #library::keyspace::Registration::#of::<#path>() }
        };
    }
    let ambiguous = ambiguous(scope);
    let item = scope.keyspace.item;
    let name = &item.ident;
    let (impl_generics, ty_generics, _) = item.generics.split_for_impl();
    let serde = matches!(scope.keyspace.kind, Kind::Entry(_));
    let serde = serde
        .then(|| quote!(#library::__private::Serialize + #library::__private::DeserializeOwned));
    let bounds = scope.bounds(serde);
    quote! {
        #[automatically_derived]
        impl #impl_generics #library::keyspace::Registered for #name #ty_generics #bounds {
            const REGISTRATION: #library::keyspace::Registration =
                #library::keyspace::Registration::#of::<Self>();
        }
        #ambiguous
    }
}

/// ```text
/// submit! {
///     Ambiguous::new("Cached", "cached", Kind::Entry, "`T`", "prefix = ..", Location::new(..))
/// }
/// ```
fn ambiguous(scope: &Scope<'_>) -> TokenStream {
    let prefix = &scope.keyspace.prefix;
    let is_type = |parameter: &GenericParam| matches!(parameter, GenericParam::Type(_));
    let mut names = Vec::new();
    let mut parts = prefix.parts();
    for parameter in &scope.keyspace.item.generics.params {
        let ident = match parameter {
            GenericParam::Type(parameter) => &parameter.ident,
            GenericParam::Const(parameter) => &parameter.ident,
            GenericParam::Lifetime(_) => continue,
        };
        if prefix.depends_on(ident) {
            continue;
        }
        names.push(format!("`{ident}`"));
        parts.push(match is_type(parameter) {
            true => format!("{ident}::NAME"),
            false => format!("Name::<{ident}>::NAME"),
        });
    }
    if names.is_empty() {
        return quote!();
    }
    let library = &scope.library;
    let name = scope.keyspace.item.ident.unraw().to_string();
    let kind = kind(scope.keyspace);
    let pattern = prefix.pattern();
    let names = names.join(" and ");
    let remedy = format!("prefix = [{}]", parts.join(", "));
    let location = location(scope);
    quote! {
        #library::__private::submit! {
            #library::keyspace::Ambiguous::new(
                #name, #pattern, #library::keyspace::Kind::#kind, #names, #remedy, #location
            )
        }
    }
}
