//! The code that a keyspace becomes: the traits, and the accessors as inherent methods.

mod associated;
mod info;
mod kinds;
mod registration;

use proc_macro2::{Span, TokenStream};
use quote::quote;
use syn::{DeriveInput, Type};

use self::associated::associated;
use self::info::info;
use self::kinds::kind_impls;
use self::registration::registration;
use crate::accessors::accessors;
use crate::ast::Keyspace;
use crate::attr::Mistakes;
use crate::scope::{Scope, place, tuple};

/// Expands the derive: every mistake of the item, and code that compiles all the same.
pub(crate) fn derive(item: &DeriveInput) -> TokenStream {
    let mut mistakes = Mistakes::default();
    let keyspace = Keyspace::parse(item, &mut mistakes);
    let scope = Scope::new(&keyspace);
    let errors = mistakes.into_compile_errors();
    let keyspace = keyspace_impl(&scope);
    let kind = (!scope.keyspace.is_unreadable).then(|| kind_impls(&scope));
    let accessors = accessors(&scope);
    // A stand-in is no keyspace of the program's.
    let registration = errors.is_empty().then(|| registration(&scope));
    quote!(#errors #keyspace #kind #accessors #registration)
}

/// ```text
/// impl Keyspace for Session {
///     const INFO: KeyspaceInfo =
///         KeyspaceInfo::new("Session", "session", Kind::Entry, &["id"], Life::In(..));
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
    let parsed = tuple(
        types
            .iter()
            .map(|ty| quote!(__segments.parse_next::<#ty>()?)),
    );
    let (owned_key, key_fields) = owned_key(scope);
    let (impl_generics, ty_generics, _) = item.generics.split_for_impl();
    let bounds = scope.bounds(None);
    quote! {
        #[automatically_derived]
        impl #impl_generics #library::keyspace::Keyspace for #name #ty_generics #bounds {
            const INFO: #library::keyspace::KeyspaceInfo = #info;
            #owned_key

            fn parse_key(__text: &::core::primitive::str) -> ::core::option::Option<Self::OwnedKey> {
                #[allow(unused_mut)]
                let mut __segments = #library::keyspace::Segments::new(&Self::INFO, __text)?;
                let __key = #parsed;
                __segments.end()?;
                ::core::option::Option::Some(__key)
            }
        }
        #key_fields
    }
}

/// The type of keys that are read back, and the implementations that this type names.
///
/// A private type is shown at the place of the associated type that it stands in. So each key field
/// whose type may be private has an associated type of its own, unless it is the only such field.
///
/// ```text
/// type OwnedKey = <UserId as KeySegment>::Owned;
///
/// type OwnedKey = (
///     <Self as KeyField<0>>::Owned,
///     <Self as KeyField<1>>::Owned,
///     <String as KeySegment>::Owned,
/// );
/// impl KeyField<0> for Orders { type Owned = <Region as KeySegment>::Owned; }
/// impl KeyField<1> for Orders { type Owned = <UserId as KeySegment>::Owned; }
/// ```
fn owned_key(scope: &Scope<'_>) -> (TokenStream, TokenStream) {
    let library = &scope.library;
    let read_back = |ty: &Type| quote!(<#ty as #library::keyspace::KeySegment>::Owned);
    let types = scope.field_types.iter();
    let private: Vec<&Type> = types.filter_map(|ty| may_be_private(ty)).collect();
    if let [] | [_] = private[..] {
        let owned = tuple(scope.field_types.iter().map(|ty| read_back(ty)));
        let place = private.first().map_or(Span::call_site(), place);
        return (associated("OwnedKey", &owned, place), quote!());
    }
    let name = &scope.keyspace.item.ident;
    let (impl_generics, ty_generics, _) = scope.keyspace.item.generics.split_for_impl();
    let bounds = scope.bounds(None);
    let mut fields = TokenStream::new();
    let owned = tuple(scope.field_types.iter().enumerate().map(|(at, ty)| {
        let owned = read_back(ty);
        let Some(private) = may_be_private(ty) else {
            return owned;
        };
        let owned = associated("Owned", &owned, place(private));
        fields.extend(quote! {
            #[automatically_derived]
            impl #impl_generics #library::keyspace::KeyField<#at> for #name #ty_generics #bounds {
                #owned
            }
        });
        quote!(<Self as #library::keyspace::KeyField<#at>>::Owned)
    }));
    (associated("OwnedKey", &owned, Span::call_site()), fields)
}

/// Returns the type, without references, unless it is one that everybody sees by its name.
fn may_be_private(ty: &Type) -> Option<&Type> {
    const BUILT_IN: [&str; 26] = [
        "Arc",
        "Box",
        "Cow",
        "IpAddr",
        "Ipv4Addr",
        "Ipv6Addr",
        "SocketAddr",
        "SocketAddrV4",
        "SocketAddrV6",
        "String",
        "Uuid",
        "bool",
        "char",
        "i128",
        "i16",
        "i32",
        "i64",
        "i8",
        "isize",
        "str",
        "u128",
        "u16",
        "u32",
        "u64",
        "u8",
        "usize",
    ];
    let last = match ty {
        Type::Group(group) => return may_be_private(&group.elem),
        Type::Paren(paren) => return may_be_private(&paren.elem),
        Type::Reference(reference) => return may_be_private(&reference.elem),
        Type::Path(path) => path.path.segments.last(),
        _ => None,
    };
    let is_built_in = last.is_some_and(|last| BUILT_IN.iter().any(|name| last.ident == name));
    (!is_built_in).then_some(ty)
}
