//! The constructor of a keyspace whose struct is nothing but its key.

use proc_macro2::TokenStream;
use quote::{ToTokens, quote};
use syn::{Data, DeriveInput, GenericArgument, PathArguments, PathSegment, Type, Visibility};

use crate::ast::Kind;
use crate::scope::Scope;

/// Writes `at`, which is the struct literal as a call.
///
/// ```text
/// pub const fn at(locale: &'a str, path: &'a str) -> Self { Self { locale: locale, path: path } }
/// pub fn at(region: impl Into<String>) -> Self { Self { region: Into::into(region) } }
/// ```
///
/// A parameter has the exact type of its field, so that literals are inferred and references are
/// coerced. Owned strings are the exception: entries take `&str` for them, and so does this.
pub(crate) fn constructor(scope: &Scope<'_>) -> TokenStream {
    if !scope.keyspace.has_named_fields() {
        return quote!();
    }
    let docs = docs(scope);
    let vis = visibility_of_literals(scope.keyspace.item);
    let is_exact = !scope.field_types.iter().any(|ty| is_owned_string(ty));
    let constness = is_exact.then(|| quote!(const));
    let fields = &scope.fields;
    let key = || fields.iter().zip(&scope.field_types);
    let parameters = key().map(|(field, ty)| match is_owned_string(ty) {
        true => quote!(#field: impl ::core::convert::Into<#ty>),
        false => quote!(#field: #ty),
    });
    let values = key().map(|(field, ty)| match is_owned_string(ty) {
        true => quote!(#field: ::core::convert::Into::into(#field)),
        false => quote!(#field: #field),
    });
    quote! {
        #[doc = #docs]
        #[must_use]
        #vis #constness fn at(#(#parameters),*) -> Self {
            Self { #(#values),* }
        }
    }
}

fn docs(scope: &Scope<'_>) -> String {
    let what = match scope.keyspace.kind {
        Kind::Entry(_) | Kind::Value(..) => "value",
        Kind::Counter => "counter",
        Kind::Throttle(_) => "throttle",
    };
    format!(
        "Names the {what} under `{}`: the struct literal as a call, which stands in a condition too.",
        scope.pattern()
    )
}

/// Says whether a type has the name of one of the owned strings that a `&str` becomes.
///
/// A type of the user's with such a name does no harm: whatever the type is, it becomes itself.
fn is_owned_string(ty: &Type) -> bool {
    match ty {
        // A macro that passes a fragment on puts it into a group that nobody sees.
        Type::Group(group) => is_owned_string(&group.elem),
        Type::Path(path) => path.path.segments.last().is_some_and(|last| {
            let is_pointer = last.ident == "Box" || last.ident == "Arc";
            match last.arguments {
                PathArguments::None => last.ident == "String",
                _ => is_pointer && is_of_str(last),
            }
        }),
        _ => false,
    }
}

/// `Box<str>`
fn is_of_str(pointer: &PathSegment) -> bool {
    let PathArguments::AngleBracketed(arguments) = &pointer.arguments else {
        return false;
    };
    let mut arguments = arguments.args.iter();
    match (arguments.next(), arguments.next()) {
        (Some(GenericArgument::Type(Type::Path(path))), None) => path.path.is_ident("str"),
        _ => false,
    }
}

/// Returns the visibility of a literal of the struct: the narrowest of its own and its fields'.
fn visibility_of_literals(item: &DeriveInput) -> Visibility {
    let Data::Struct(data) = &item.data else {
        return Visibility::Inherited;
    };
    let fields = data.fields.iter().map(|field| field.vis.clone());
    fields.fold(item.vis.clone(), narrower)
}

/// Modules can't be compared here: where they differ, the module of the struct is left.
fn narrower(one: Visibility, other: Visibility) -> Visibility {
    match (&one, &other) {
        (Visibility::Public(_), _) => other,
        (_, Visibility::Public(_)) => one,
        (Visibility::Restricted(first), _) if first.path.is_ident("crate") => other,
        (_, Visibility::Restricted(second)) if second.path.is_ident("crate") => one,
        _ if one.to_token_stream().to_string() == other.to_token_stream().to_string() => one,
        _ => Visibility::Inherited,
    }
}
