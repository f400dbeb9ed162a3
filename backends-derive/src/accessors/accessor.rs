//! One accessor: a method whose body is one call into the library.

use proc_macro2::{Span, TokenStream};
use quote::quote;
use syn::Ident;

use super::receiver::{Receiver, Signature};
use crate::scope::Scope;

/// An accessor: its signature, and the function of the library that it calls.
pub(super) struct Accessor {
    pub(super) name: &'static str,
    /// The module of the library, and the function in it.
    pub(super) module: &'static str,
    pub(super) call: &'static str,
    pub(super) receiver: Receiver,
    pub(super) output: Output,
    pub(super) summary: String,
    pub(super) errors: &'static str,
    /// Type parameters and their bounds, parameters, and what is passed on: as types and as
    /// arguments.
    pub(super) generics: TokenStream,
    pub(super) bounds: TokenStream,
    pub(super) parameters: TokenStream,
    pub(super) arg_types: TokenStream,
    pub(super) args: TokenStream,
}

pub(super) enum Output {
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
    pub(super) fn new(
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

    /// Gives the accessor a parameter, which is passed on as it is.
    pub(super) fn with_parameter(mut self, name: &str, ty: TokenStream) -> Self {
        let name = Ident::new(name, Span::call_site());
        self.parameters = quote!(#name: #ty);
        self.args = quote!(#name);
        self
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
    pub(super) fn write(&self, scope: &Scope<'_>) -> TokenStream {
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
pub(super) fn join(first: TokenStream, second: TokenStream) -> TokenStream {
    if second.is_empty() {
        return first;
    }
    quote!(#first, #second)
}
