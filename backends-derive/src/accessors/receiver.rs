//! The ways in which a caller names what an accessor is about.

use proc_macro2::{Span, TokenStream};
use quote::{ToTokens, quote};
use syn::Ident;

use crate::ast::Kind;
use crate::scope::{Scope, tuple};

/// The way in which a caller names the subject of an accessor.
#[derive(Clone, Copy)]
pub(super) enum Receiver {
    /// A parameter for each key field.
    Key,
    /// The keys of many entries.
    Keys,
    /// Many structs.
    Structs,
    /// The first key fields, for all entries under them.
    Leading,
    /// The struct itself (`&self`).
    Itself,
    /// The accessor is about the whole keyspace.
    Keyspace,
}

/// The tokens by which an accessor names its subject; lists end with a comma.
pub(super) struct Signature {
    pub(super) self_parameter: TokenStream,
    /// The type that implements `Keyspace`.
    pub(super) keyspace: TokenStream,
    pub(super) backend: Ident,
    pub(super) generics: TokenStream,
    pub(super) bounds: TokenStream,
    pub(super) parameters: TokenStream,
    pub(super) lifetimes: TokenStream,
    pub(super) key: TokenStream,
}

impl Receiver {
    pub(super) fn signature(self, scope: &Scope<'_>) -> Signature {
        let Scope {
            library,
            fields,
            field_types,
            argument_types,
            lifetimes,
            ..
        } = scope;
        let nothing = Signature {
            self_parameter: quote!(),
            keyspace: scope.owned.clone(),
            backend: Ident::new("backend", Span::call_site()),
            generics: quote!(),
            bounds: quote!(),
            parameters: quote!(),
            lifetimes: quote!(),
            key: quote!(),
        };
        let key_bounds = scope.argument_bounds();
        match self {
            Self::Keyspace => nothing,
            Self::Leading => Signature {
                generics: quote!(__L, __As,),
                bounds: quote!(__L: #library::keyspace::LeadingKey<(#(#field_types,)*), __As>,),
                parameters: quote!(leading: __L,),
                key: quote!(#library::keyspace::Leading::under(&leading),),
                ..nothing
            },
            Self::Structs => Signature {
                generics: quote!(__I,),
                bounds: quote! {
                    __I: ::core::iter::IntoIterator,
                    <__I as ::core::iter::IntoIterator>::Item: ::core::borrow::Borrow<Self>,
                },
                parameters: quote!(keys: __I,),
                key: quote! {
                    ::core::iter::Iterator::collect(::core::iter::Iterator::map(
                        ::core::iter::IntoIterator::into_iter(keys),
                        |__key| Self::key(::core::borrow::Borrow::borrow(&__key)),
                    )),
                },
                ..nothing
            },
            // The struct itself is stored, so the type can't be the one with `'static`.
            Self::Itself if matches!(scope.keyspace.kind, Kind::Entry(_)) => Signature {
                self_parameter: quote!(&self,),
                keyspace: quote!(Self),
                lifetimes: quote!(#(#lifetimes,)*),
                key: quote!(self,),
                ..nothing
            },
            Self::Itself => Signature {
                self_parameter: quote!(&self,),
                key: quote!(Self::key(self),),
                ..nothing
            },
            Self::Key => Signature {
                backend: scope.free("backend"),
                generics: quote!(#(#argument_types,)*),
                bounds: key_bounds,
                parameters: quote!(#(#fields: #argument_types,)*),
                key: quote!(Self::key(#(#fields),*),),
                ..nothing
            },
            Self::Keys => {
                let item = tuple(argument_types.iter().map(ToTokens::to_token_stream));
                let pattern = tuple(fields.iter().map(ToTokens::to_token_stream));
                Signature {
                    generics: quote!(__I, #(#argument_types,)*),
                    bounds: quote!(__I: ::core::iter::IntoIterator<Item = #item>, #key_bounds),
                    parameters: quote!(keys: __I,),
                    key: quote! {
                        ::core::iter::Iterator::collect(::core::iter::Iterator::map(
                            ::core::iter::IntoIterator::into_iter(keys),
                            |#pattern| Self::key(#(#fields),*),
                        )),
                    },
                    ..nothing
                }
            }
        }
    }
}
