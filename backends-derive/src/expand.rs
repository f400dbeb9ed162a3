//! The code that a keyspace becomes: the traits, and the accessors as inherent methods.

use proc_macro2::{Span, TokenStream};
use quote::{format_ident, quote, quote_spanned};
use syn::DeriveInput;
use syn::ext::IdentExt;
use syn::spanned::Spanned;

use crate::accessors::accessors;
use crate::ast::{Keyspace, Kind};
use crate::attr::{Mistakes, Ttl};
use crate::scope::{Scope, tuple};

/// Expands the derive: every mistake of the item, and code that compiles all the same.
pub(crate) fn derive(item: &DeriveInput) -> TokenStream {
    let mut mistakes = Mistakes::default();
    let keyspace = Keyspace::parse(item, &mut mistakes);
    let scope = Scope::new(&keyspace);
    let errors = mistakes.into_compile_errors();
    let keyspace = keyspace_impl(&scope);
    let check = constant_check(&scope);
    let kind = kind_impls(&scope);
    let accessors = accessors(&scope);
    quote!(#errors #keyspace #check #kind #accessors)
}

/// ```text
/// impl Keyspace for Session {
///     const INFO: KeyspaceInfo =
///         KeyspaceInfo::new("Session", "session", Kind::Entry, &["id"], Life::In(Duration::new(1800, 0)));
///     type OwnedKey = <String as KeySegment>::Owned;
///     fn parse_key(text: &str) -> Option<Self::OwnedKey> {
///         let mut segments = Segments::new(&Self::INFO, text)?;
///         let key = segments.parse_next::<String>()?;
///         segments.end()?;
///         Some(key)
///     }
/// }
/// ```
fn keyspace_impl(scope: &Scope<'_>) -> TokenStream {
    let library = &scope.library;
    let item = scope.keyspace.item;
    let name = &item.ident;
    let info = info(scope);
    let types = &scope.field_types;
    let owned = types.iter();
    let owned = tuple(owned.map(|ty| quote!(<#ty as #library::keyspace::KeySegment>::Owned)));
    let parsed = tuple(
        types
            .iter()
            .map(|ty| quote!(__segments.parse_next::<#ty>()?)),
    );
    let (impl_generics, ty_generics, _) = item.generics.split_for_impl();
    let bounds = scope.bounds(None);
    quote! {
        #[automatically_derived]
        impl #impl_generics #library::keyspace::Keyspace for #name #ty_generics #bounds {
            const INFO: #library::keyspace::KeyspaceInfo = #info;
            type OwnedKey = #owned;

            fn parse_key(__text: &::core::primitive::str) -> ::core::option::Option<Self::OwnedKey> {
                #[allow(unused_mut)]
                let mut __segments = #library::keyspace::Segments::new(&Self::INFO, __text)?;
                let __key = #parsed;
                __segments.end()?;
                ::core::option::Option::Some(__key)
            }
        }
    }
}

fn info(scope: &Scope<'_>) -> TokenStream {
    let library = &scope.library;
    let span = life_span(scope);
    let new = quote!(#library::keyspace::KeyspaceInfo::new);
    let new = new.into_iter().map(|mut token| {
        token.set_span(span);
        token
    });
    let name = scope.keyspace.item.ident.unraw().to_string();
    let prefix = &scope.keyspace.prefix;
    let kind = format_ident!(
        "{}",
        match scope.keyspace.kind {
            Kind::Entry => "Entry",
            Kind::Value(_) => "Value",
            Kind::Counter => "Counter",
        }
    );
    let fields = scope.fields.iter().map(|field| field.unraw().to_string());
    let life = match &scope.keyspace.ttl {
        Ttl::Never => quote!(#library::Life::Never),
        Ttl::For(ttl) => {
            let (seconds, nanos) = (ttl.as_secs(), ttl.subsec_nanos());
            quote!(#library::Life::In(::core::time::Duration::new(#seconds, #nanos)))
        }
        Ttl::Constant(path) => quote!(#library::Life::In(#path)),
    };
    // A constant that is no TTL fails in this call: all of it stands where the constant is named.
    quote_spanned! {span=>
        #(#new)*(#name, #prefix, #library::keyspace::Kind::#kind, &[#(#fields),*], #life)
    }
}

/// `const _: KeyspaceInfo = <Session as Keyspace>::INFO;`
///
/// Has the constant that a `ttl` names checked even where nothing uses the keyspace. One of a struct with type or
/// constant parameters is checked with its first use.
fn constant_check(scope: &Scope<'_>) -> TokenStream {
    if !matches!(scope.keyspace.ttl, Ttl::Constant(_)) || !scope.parameters.is_empty() {
        return quote!();
    }
    let library = &scope.library;
    let path = scope.static_path();
    quote_spanned! {life_span(scope)=>
        const _: #library::keyspace::KeyspaceInfo = <#path as #library::keyspace::Keyspace>::INFO;
    }
}

/// Where the constant stands that the `ttl` names, as code of the macro.
fn life_span(scope: &Scope<'_>) -> Span {
    match &scope.keyspace.ttl {
        Ttl::Constant(path) => path.span().resolved_at(Span::call_site()),
        Ttl::Never | Ttl::For(_) => Span::call_site(),
    }
}

/// ```text
/// impl Valued for Session { type Value = Self; type Codec = Cbor; }
/// impl Entry for Session { fn entry_key(&self) -> Key { KeyBuilder::new(&Self::INFO).field(&self.id).build() } }
///
/// impl Valued for Page<'_> { type Value = String; type Codec = Cbor; }
///
/// impl Counter for RateCounter<'_> {}
/// ```
fn kind_impls(scope: &Scope<'_>) -> TokenStream {
    let library = &scope.library;
    let item = scope.keyspace.item;
    let name = &item.ident;
    let (impl_generics, ty_generics, _) = item.generics.split_for_impl();
    let stored = quote!(#library::__private::Serialize + #library::__private::DeserializeOwned);
    let (value, bounds) = match &scope.keyspace.kind {
        Kind::Entry => (quote!(Self), scope.bounds(Some(stored))),
        Kind::Value(value) => (quote!(#value), scope.bounds(None)),
        Kind::Counter => {
            let bounds = scope.bounds(None);
            return quote! {
                #[automatically_derived]
                impl #impl_generics #library::keyspace::Counter for #name #ty_generics #bounds {}
            };
        }
    };
    let key = scope.own_key();
    let entry = matches!(scope.keyspace.kind, Kind::Entry).then(|| {
        quote! {
            #[automatically_derived]
            impl #impl_generics #library::keyspace::Entry for #name #ty_generics #bounds {
                fn entry_key(&self) -> #library::keyspace::Key {
                    #key
                }
            }
        }
    });
    quote! {
        #[automatically_derived]
        impl #impl_generics #library::keyspace::Valued for #name #ty_generics #bounds {
            type Value = #value;
            type Codec = #library::codec::Cbor;
        }
        #entry
    }
}
