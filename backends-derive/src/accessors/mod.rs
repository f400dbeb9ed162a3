//! The inherent methods of a keyspace: one file for each kind. Every accessor is one call into the
//! library.

mod common;
mod computed;
mod counter;
mod docs;
mod entry;
mod key;
mod receiver;
mod scan;
mod throttle;
mod update;
mod value;

use proc_macro2::{Span, TokenStream};
use quote::quote;
use syn::Ident;

use self::counter::counter_accessors;
use self::entry::entry_accessors;
use self::key::{key_function, key_method};
use self::receiver::{Receiver, Signature};
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

/// An accessor: its signature, and the function of the library that it calls.
struct Accessor {
    name: &'static str,
    /// The module of the library, and the function in it.
    module: &'static str,
    call: &'static str,
    receiver: Receiver,
    output: Output,
    summary: String,
    errors: &'static str,
    /// Type parameters and their bounds, parameters, and what is passed on: as types and as
    /// arguments.
    generics: TokenStream,
    bounds: TokenStream,
    parameters: TokenStream,
    arg_types: TokenStream,
    args: TokenStream,
}

enum Output {
    /// A future of a `BackendResult` that is `Send`.
    Result(TokenStream),
    /// A future that is `Send` if the closures in it are.
    Future(TokenStream),
    /// A stream of results.
    Stream(TokenStream),
}

impl Accessor {
    /// An accessor of one entry, which the struct names, with nothing but the backend as a
    /// parameter.
    fn new(
        name: &'static str,
        call: &'static str,
        output: Output,
        errors: &'static str,
        summary: impl Into<String>,
    ) -> Self {
        Self {
            name,
            module: "keyspace",
            call,
            receiver: Receiver::Itself,
            output,
            summary: summary.into(),
            errors,
            generics: quote!(),
            bounds: quote!(),
            parameters: quote!(),
            arg_types: quote!(),
            args: quote!(),
        }
    }

    /// ```text
    /// pub fn get<'b, B, K0>(backend: &'b B, id: K0)
    ///     -> impl Future<Output = BackendResult<Option<Self>>> + Send + use<'b, B, K0>
    /// where B: Backend + ?Sized, K0: KeyArg<String> {
    ///     keyspace::get::<Self, B>(backend, Self::key(id))
    /// }
    /// pub fn save_for<'b, B>(&self, backend: &'b B, ttl: Duration)
    ///     -> impl Future<Output = BackendResult<()>> + Send + use<'b, B>
    /// where B: Backend + ?Sized {
    ///     keyspace::save_for::<Self, B>(backend, self, ttl)
    /// }
    /// pub fn increment<'b, B>(&self, backend: &'b B)
    ///     -> impl Future<Output = BackendResult<i64>> + Send + use<'b, B>
    /// where B: Backend + ?Sized {
    ///     keyspace::increment::<RateCounter<'static>, B>(backend, Self::key(self))
    /// }
    /// ```
    fn write(&self, scope: &Scope<'_>) -> TokenStream {
        let library = &scope.library;
        let vis = &scope.keyspace.item.vis;
        let docs = self.docs();
        let name = Ident::new(self.name, Span::call_site());
        let modules = self.module.split("::");
        let modules = modules.map(|module| Ident::new(module, Span::call_site()));
        let call = Ident::new(self.call, Span::call_site());
        let Signature {
            self_parameter,
            keyspace,
            backend,
            generics: key_generics,
            bounds: key_bounds,
            parameters: key_parameters,
            lifetimes,
            key,
        } = self.receiver.signature(scope);
        let (generics, bounds, parameters) = (&self.generics, &self.bounds, &self.parameters);
        let (arg_types, args) = (&self.arg_types, &self.args);
        let own = &scope.parameters;
        let output = self.output.write(scope);
        let body = match scope.keyspace.is_unreadable {
            // Whoever calls it isn't told of the mistake again.
            true => self.output.stand_in(scope),
            false => quote! {
                #library::#(#modules)::*::#call::<#keyspace, __B, #arg_types>(#backend, #key #args)
            },
        };
        quote! {
            #[doc = #docs]
            #vis fn #name<'__b, __B, #generics #key_generics>(
                #self_parameter
                #backend: &'__b __B,
                #key_parameters
                #parameters
            ) -> #output + use<#lifetimes '__b, __B, #generics #key_generics #(#own),*>
            where
                __B: #library::Backend + ?::core::marker::Sized,
                #bounds
                #key_bounds
            {
                #body
            }
        }
    }

    fn docs(&self) -> String {
        if self.errors.is_empty() {
            return self.summary.clone();
        }
        format!("{}\n\n# Errors\n\n{}", self.summary, self.errors)
    }
}

impl Output {
    fn write(&self, scope: &Scope<'_>) -> TokenStream {
        let library = &scope.library;
        match self {
            Self::Result(output) => quote! {
                impl ::core::future::Future<Output = #library::BackendResult<#output>> + ::core::marker::Send
            },
            Self::Future(output) => quote!(impl ::core::future::Future<Output = #output>),
            Self::Stream(item) => quote! {
                impl #library::__private::Stream<Item = #library::BackendResult<#item>>
                    + ::core::marker::Send
                    + ::core::marker::Unpin
            },
        }
    }
}

impl Output {
    /// Returns code that compiles where no keyspace of values is implemented.
    fn stand_in(&self, scope: &Scope<'_>) -> TokenStream {
        let library = &scope.library;
        match self {
            Self::Result(_) | Self::Future(_) => quote!(::core::future::pending()),
            Self::Stream(_) => quote!(#library::__private::pending()),
        }
    }
}

/// Two lists as one.
fn join(first: TokenStream, second: TokenStream) -> TokenStream {
    if second.is_empty() {
        return first;
    }
    quote!(#first, #second)
}
