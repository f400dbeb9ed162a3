//! The code that a keyspace becomes. Every accessor is one call into the library.

use proc_macro2::{Span, TokenStream};
use quote::{format_ident, quote};
use syn::ext::IdentExt;
use syn::{DeriveInput, GenericParam, Ident};

use crate::ast::{Keyspace, Kind};
use crate::attr::{Mistakes, Ttl};

/// Expands the derive: implementations and accessors, and before them every mistake of the item.
pub(crate) fn derive(item: &DeriveInput) -> TokenStream {
    let mut mistakes = Mistakes::default();
    let keyspace = Keyspace::parse(item, &mut mistakes);
    let is_struct = matches!(item.data, syn::Data::Struct(_));
    let code = Expansion::new(&keyspace).expand(is_struct);
    let errors = mistakes
        .into_error()
        .map(|error| error.into_compile_error());
    quote!(#errors #code)
}

struct Expansion<'a> {
    keyspace: &'a Keyspace<'a>,
    /// The path of the library.
    library: TokenStream,
    /// The struct with `'static` for its lifetimes: what futures may name without borrowing from the struct.
    owned: TokenStream,
    /// The type and constant parameters, which every opaque type must name.
    parameters: Vec<Ident>,
    /// The parameters of accessors for the key fields, and their types.
    arguments: Vec<Ident>,
    argument_types: Vec<Ident>,
    /// `session:{id}`, for docs.
    pattern: String,
    /// "30m", for docs.
    life: String,
}

impl<'a> Expansion<'a> {
    fn new(keyspace: &'a Keyspace<'a>) -> Self {
        let generics = &keyspace.item.generics;
        let parameters: Vec<Ident> = generics
            .params
            .iter()
            .filter_map(|parameter| match parameter {
                GenericParam::Type(parameter) => Some(parameter.ident.clone()),
                GenericParam::Const(parameter) => Some(parameter.ident.clone()),
                GenericParam::Lifetime(_) => None,
            })
            .collect();
        let lifetimes = generics.lifetimes().map(|_| quote!('static));
        let name = &keyspace.item.ident;
        let segments: Vec<String> = keyspace
            .key
            .iter()
            .map(|field| format!("{{{}}}", field.name.unraw()))
            .collect();
        Self {
            keyspace,
            library: quote!(::reinhardt_backends),
            owned: quote!(#name<#(#lifetimes,)* #(#parameters),*>),
            parameters,
            arguments: keyspace
                .key
                .iter()
                .map(|field| field.name.clone())
                .collect(),
            argument_types: (0..keyspace.key.len())
                .map(|index| format_ident!("__K{index}"))
                .collect(),
            pattern: format!("{}:{}", keyspace.prefix, segments.join(":")),
            life: match &keyspace.ttl {
                Ttl::Never => "no end".to_string(),
                Ttl::For(ttl) => humantime::format_duration(*ttl).to_string(),
                Ttl::Constant(path) => quote!(#path).to_string().replace(' ', ""),
            },
        }
    }

    fn expand(&self, with_accessors: bool) -> TokenStream {
        let traits = self.traits();
        if !with_accessors {
            return traits;
        }
        let accessors = match self.keyspace.kind {
            Kind::Entry => self.entry_accessors(),
            Kind::Value(_) => self.value_accessors(),
            Kind::Counter => self.counter_accessors(),
        };
        let clear = self.clear();
        let name = &self.keyspace.item.ident;
        let (impl_generics, ty_generics, _) = self.keyspace.item.generics.split_for_impl();
        let bounds = self.bounds(&self.kind_trait());
        quote! {
            #traits
            #[allow(dead_code, clippy::too_many_arguments)]
            impl #impl_generics #name #ty_generics #bounds {
                #accessors
                #clear
            }
        }
    }

    /// ```text
    /// impl Keyspace for Session {
    ///     const INFO: KeyspaceInfo =
    ///         KeyspaceInfo::new("Session", "session", Kind::Entry, &["id"], Life::In(Duration::new(1800, 0)));
    ///     type OwnedKey = String;
    ///     fn parse_key(text: &str) -> Option<String> {
    ///         let mut segments = Segments::new(&Self::INFO, text)?;
    ///         let key = segments.parse_next::<String>()?;
    ///         segments.end()?;
    ///         Some(key)
    ///     }
    /// }
    /// impl Valued for Session { type Value = Self; type Codec = Cbor; }
    /// impl Entry for Session { fn entry_key(&self) -> Key { KeyBuilder::new(&Self::INFO).field(&self.id).build() } }
    /// ```
    fn traits(&self) -> TokenStream {
        let library = &self.library;
        let name = &self.keyspace.item.ident;
        let name_text = name.unraw().to_string();
        let prefix = &self.keyspace.prefix;
        let field_names = self.arguments.iter().map(|name| name.unraw().to_string());
        let life = self.life_tokens();
        let types: Vec<_> = self.keyspace.key.iter().map(|field| field.ty).collect();
        let owned = types
            .iter()
            .map(|ty| quote!(<#ty as #library::keyspace::KeySegment>::Owned));
        let owned = tuple(owned);
        let parsed = types
            .iter()
            .map(|ty| quote!(__segments.parse_next::<#ty>()?));
        let parsed = tuple(parsed);
        let kind = Ident::new(
            match self.keyspace.kind {
                Kind::Entry => "Entry",
                Kind::Value(_) => "Value",
                Kind::Counter => "Counter",
            },
            Span::call_site(),
        );
        let (impl_generics, ty_generics, _) = self.keyspace.item.generics.split_for_impl();
        let bounds = self.bounds(&quote!());
        let kind_impls = self.kind_impls();
        // Segments are read in a closure's place: `?` of an `Option` in a function that returns one.
        quote! {
            #[automatically_derived]
            impl #impl_generics #library::keyspace::Keyspace for #name #ty_generics #bounds {
                const INFO: #library::keyspace::KeyspaceInfo = #library::keyspace::KeyspaceInfo::new(
                    #name_text,
                    #prefix,
                    #library::keyspace::Kind::#kind,
                    &[#(#field_names),*],
                    #life,
                );
                type OwnedKey = #owned;

                fn parse_key(__text: &str) -> ::core::option::Option<Self::OwnedKey> {
                    #[allow(unused_mut)]
                    let mut __segments = #library::keyspace::Segments::new(&Self::INFO, __text)?;
                    let __key = #parsed;
                    __segments.end()?;
                    ::core::option::Option::Some(__key)
                }
            }
            #kind_impls
        }
    }

    fn kind_impls(&self) -> TokenStream {
        let library = &self.library;
        let name = &self.keyspace.item.ident;
        let (impl_generics, ty_generics, _) = self.keyspace.item.generics.split_for_impl();
        let bounds = self.bounds(&quote!());
        let value = match &self.keyspace.kind {
            Kind::Counter => {
                return quote! {
                    #[automatically_derived]
                    impl #impl_generics #library::keyspace::Counter for #name #ty_generics #bounds {}
                };
            }
            Kind::Value(value) => quote!(#value),
            Kind::Entry => quote!(Self),
        };
        let serde_bounds = match self.keyspace.kind {
            Kind::Entry => self.bounds(&quote!(
                #library::__private::Serialize + #library::__private::DeserializeOwned
            )),
            _ => bounds,
        };
        let valued = quote! {
            #[automatically_derived]
            impl #impl_generics #library::keyspace::Valued for #name #ty_generics #serde_bounds {
                type Value = #value;
                type Codec = #library::codec::Cbor;
            }
        };
        if !matches!(self.keyspace.kind, Kind::Entry) {
            return valued;
        }
        let key = self.own_key();
        quote! {
            #valued
            #[automatically_derived]
            impl #impl_generics #library::keyspace::Entry for #name #ty_generics #serde_bounds {
                fn entry_key(&self) -> #library::keyspace::Key {
                    #key
                }
            }
        }
    }

    /// ```text
    /// pub fn get<'b, B, K0>(backend: &'b B, id: K0)
    ///     -> impl Future<Output = BackendResult<Option<Self>>> + Send + use<'b, B, K0>
    /// where B: Backend + ?Sized, K0: KeyArg<String> {
    ///     keyspace::get::<Session, B>(backend, Self::key(id))
    /// }
    /// pub fn save<'b, B>(&self, backend: &'b B) -> impl Future<Output = BackendResult<()>> + Send + use<'b, B>
    /// where B: Backend + ?Sized {
    ///     keyspace::set::<Session, B, Session>(backend, Entry::entry_key(self), self)
    /// }
    /// ```
    fn entry_accessors(&self) -> TokenStream {
        let library = &self.library;
        let owned = &self.owned;
        let arguments = &self.arguments;
        let types = &self.argument_types;
        let field_types: Vec<_> = self.keyspace.key.iter().map(|field| field.ty).collect();
        let vis = &self.keyspace.item.vis;
        let pattern = &self.pattern;
        let option_self = quote!(::core::option::Option<Self>);
        let key_docs = format!("Returns the text of a key, `{pattern}`, for the raw API.");
        let many_docs = self.docs(
            "Returns the live entries under the keys, in their order; a key may be named more than once.",
            "`Decode` if one of them isn't an entry of this keyspace.",
        );
        let backend = self.free("backend");
        let future = self.future(
            &quote!(#library::BackendResult<::std::vec::Vec<#option_self>>),
            &quote!(__I, #(#types),*),
            true,
        );
        let item = tuple(types.iter().map(|ty| quote!(#ty)));
        let pattern_tokens = tuple(arguments.iter().map(|argument| quote!(#argument)));
        let key_bounds = quote!(#(#types: #library::keyspace::KeyArg<#field_types>),*);
        let get = self.by_key(
            "get",
            &option_self,
            &format!("Returns the live entry under `{pattern}`."),
            "`Decode` if the bytes aren't an entry of this keyspace; they stay.",
        );
        let delete = self.by_key(
            "delete",
            &quote!(bool),
            &format!("Removes the entry under `{pattern}` and says whether there was a live one."),
            "What the backend fails with.",
        );
        let exists = self.by_key(
            "exists",
            &quote!(bool),
            &format!("Says whether there is a live entry under `{pattern}`."),
            "What the backend fails with.",
        );
        let take = self.by_key(
            "take",
            &option_self,
            &format!("Removes the entry under `{pattern}` and returns it, to at most one caller."),
            "`Decode` if the bytes aren't an entry of this keyspace; they are gone then.",
        );
        let ttl = self.by_key("ttl", &quote!(::core::option::Option<#library::Expiry>), &format!("Returns what is left of the life of the entry under `{pattern}`; `None` if there is none."), "What the backend fails with.");
        let touch = self.by_key("touch", &quote!(bool), &format!("Starts the life of the entry under `{pattern}` over ({}), leaves its value alone, and says whether there was a live entry.", self.life), "What the backend fails with.");
        let update = self.update_by_key();
        let scan = self.scan();
        let saves = self.saves();
        quote! {
            #[doc = #key_docs]
            #[must_use]
            #vis fn key<#(#types),*>(#(#arguments: #types),*) -> #library::keyspace::Key
            where
                #key_bounds
            {
                #library::keyspace::KeyBuilder::new(&<#owned as #library::keyspace::Keyspace>::INFO)
                    #(.segment::<#field_types>(&#arguments))*
                    .build()
            }
            #get
            #many_docs
            #vis fn get_many<'__b, __B, __I, #(#types),*>(#backend: &'__b __B, keys: __I) -> #future
            where
                __B: #library::Backend + ?::core::marker::Sized,
                __I: ::core::iter::IntoIterator<Item = #item>,
                #key_bounds
            {
                let __keys = ::core::iter::Iterator::map(
                    ::core::iter::IntoIterator::into_iter(keys),
                    |#pattern_tokens| Self::key(#(#arguments),*),
                );
                let __keys = ::core::iter::Iterator::collect::<::std::vec::Vec<_>>(__keys);
                #library::keyspace::get_many::<#owned, __B>(#backend, __keys)
            }
            #saves
            #delete
            #exists
            #take
            #ttl
            #touch
            #update
            #scan
        }
    }

    /// An accessor that takes the key fields and nothing else, by the name of the library's function.
    fn by_key(&self, name: &str, output: &TokenStream, does: &str, fails: &str) -> TokenStream {
        let library = &self.library;
        let owned = &self.owned;
        let arguments = &self.arguments;
        let types = &self.argument_types;
        let field_types = self.keyspace.key.iter().map(|field| field.ty);
        let vis = &self.keyspace.item.vis;
        let name = Ident::new(name, Span::call_site());
        let backend = self.free("backend");
        let docs = self.docs(does, fails);
        let future = self.future(
            &quote!(#library::BackendResult<#output>),
            &quote!(#(#types),*),
            true,
        );
        quote! {
            #docs
            #vis fn #name<'__b, __B, #(#types),*>(#backend: &'__b __B, #(#arguments: #types),*) -> #future
            where
                __B: #library::Backend + ?::core::marker::Sized,
                #(#types: #library::keyspace::KeyArg<#field_types>),*
            {
                #library::keyspace::#name::<#owned, __B>(#backend, Self::key(#(#arguments),*))
            }
        }
    }

    fn update_by_key(&self) -> TokenStream {
        let library = &self.library;
        let owned = &self.owned;
        let arguments = &self.arguments;
        let types = &self.argument_types;
        let field_types = self.keyspace.key.iter().map(|field| field.ty);
        let vis = &self.keyspace.item.vis;
        let (backend, change) = (self.free("backend"), self.free("change"));
        let docs = self.docs(
            &format!("Changes the entry under `{}` in one atomic step and returns it as stored; `None` if there is none. \
                What is left of its life stays. `change` runs again when another writer was faster.", self.pattern),
            "`InvalidKey` if `change` changes a key field, and nothing is stored; `Conflict` if other writers were faster \
             every time.",
        );
        let output = quote!(#library::BackendResult<::core::option::Option<Self>>);
        let future = self.future(&output, &quote!(__F, #(#types),*), false);
        quote! {
            #docs
            #vis fn update<'__b, __B, __F, #(#types),*>(
                #backend: &'__b __B,
                #(#arguments: #types,)*
                #change: __F,
            ) -> #future
            where
                __B: #library::Backend + ?::core::marker::Sized,
                __F: ::core::ops::FnMut(&mut Self),
                #(#types: #library::keyspace::KeyArg<#field_types>),*
            {
                #library::keyspace::update_entry::<#owned, __B, __F>(#backend, Self::key(#(#arguments),*), #change)
            }
        }
    }

    fn scan(&self) -> TokenStream {
        let library = &self.library;
        let owned = &self.owned;
        let parameters = &self.parameters;
        let vis = &self.keyspace.item.vis;
        let docs = format!(
            "Streams the live entries under `{}`, in no order; an entry may come more than once, and one that goes \
             meanwhile may be missing.\n\nAn entry that can't be read is an error item; the stream goes on.",
            self.pattern
        );
        quote! {
            #[doc = #docs]
            #vis fn scan<'__b, __B>(
                backend: &'__b __B,
            ) -> impl #library::__private::Stream<Item = #library::BackendResult<Self>>
                   + ::core::marker::Send
                   + ::core::marker::Unpin
                   + use<'__b, __B, #(#parameters),*>
            where
                __B: #library::Backend + ?::core::marker::Sized,
            {
                #library::keyspace::scan::<#owned, __B>(backend)
            }
        }
    }

    fn saves(&self) -> TokenStream {
        let library = &self.library;
        let life = &self.life;
        let key = quote!(#library::keyspace::Entry::entry_key(self));
        let value = self.owned.clone();
        let done = quote!(());
        let fails =
            "`Encode` or `TooLarge`, before anything is sent; and what the backend fails with.";
        let own = |name: &str, call: &str, output: &TokenStream, does: String| {
            self.method(Method {
                name,
                call,
                key: key.clone(),
                output: output.clone(),
                docs: self.docs(&does, fails),
                value: Some((&value, quote!(self))),
                ..Method::default()
            })
        };
        let save = own(
            "save",
            "set",
            &done,
            format!("Stores the entry; it lives for its keyspace's own time ({life})."),
        );
        let save_if_absent = own(
            "save_if_absent",
            "set_if_absent",
            &quote!(bool),
            format!(
                "Stores the entry ({life}) if there is no live one under its key, and says whether it did; of several callers one wins."
            ),
        );
        let save_if_present = own(
            "save_if_present",
            "set_if_present",
            &quote!(bool),
            format!(
                "Stores the entry ({life}) if there is a live one under its key, and says whether it did; never brings a deleted entry back."
            ),
        );
        let save_for = self.method(Method {
            name: "save_for",
            call: "set_for",
            key: key.clone(),
            output: done.clone(),
            docs: self.docs(
                "Stores the entry; it lives for `ttl`.",
                "`InvalidTtl` for zero and for more than 10,000 years; otherwise as `save`.",
            ),
            value: Some((&value, quote!(self))),
            parameters: quote!(ttl: ::core::time::Duration),
            arguments: quote!(ttl),
            ..Method::default()
        });
        quote!(#save #save_for #save_if_absent #save_if_present)
    }

    fn value_accessors(&self) -> TokenStream {
        let library = &self.library;
        let Kind::Value(value) = &self.keyspace.kind else {
            return quote!();
        };
        let life = &self.life;
        let option = quote!(::core::option::Option<#value>);
        let key = self.key_method();
        let plain = |name, output: &TokenStream, does: &str| self.plain(name, name, output, does);
        let get = plain("get", &option, "Returns the live value.");
        let take = plain(
            "take",
            &option,
            "Removes the value and returns it, to at most one caller.",
        );
        let delete = plain(
            "delete",
            &quote!(bool),
            "Removes the value and says whether there was a live one.",
        );
        let exists = plain(
            "exists",
            &quote!(bool),
            "Says whether there is a live value.",
        );
        let ttl = plain(
            "ttl",
            &quote!(::core::option::Option<#library::Expiry>),
            "Returns what is left of the value's life; `None` if there is none.",
        );
        let touch = plain(
            "touch",
            &quote!(bool),
            &format!(
                "Starts the value's life over ({life}), and says whether there was a live one."
            ),
        );
        let own_key = quote!(Self::key(self));
        let argument = quote!(__V);
        let fails =
            "`Encode` or `TooLarge`, before anything is sent; and what the backend fails with.";
        let set = |name, output: &TokenStream, does: &str, ttl: bool| {
            let (more, pass) = if ttl {
                (quote!(, ttl: ::core::time::Duration), quote!(ttl))
            } else {
                (quote!(), quote!())
            };
            self.method(Method {
                name,
                call: name,
                key: own_key.clone(),
                output: output.clone(),
                docs: self.docs(does, fails),
                value: Some((&argument, quote!(&value))),
                generics: quote!(__V),
                bounds: quote!(__V: #library::keyspace::ValueArg<#value>),
                parameters: quote!(value: __V #more),
                arguments: pass,
            })
        };
        let sets = [
            set(
                "set",
                &quote!(()),
                &format!("Stores a value; it lives for its keyspace's own time ({life})."),
                false,
            ),
            set(
                "set_for",
                &quote!(()),
                "Stores a value; it lives for `ttl`, which must not be zero (`InvalidTtl`).",
                true,
            ),
            set(
                "set_if_absent",
                &quote!(bool),
                &format!(
                    "Stores a value ({life}) if there is no live one, and says whether it did; of several callers one wins."
                ),
                false,
            ),
            set(
                "set_if_present",
                &quote!(bool),
                &format!(
                    "Stores a value ({life}) if there is a live one, and says whether it did."
                ),
                false,
            ),
        ];
        let update = self.update_value(value);
        let get_or_set_with = self.get_or_set_with(value);
        quote!(#key #get #(#sets)* #take #delete #exists #ttl #touch #update #get_or_set_with)
    }

    fn update_value(&self, value: &syn::Type) -> TokenStream {
        let library = &self.library;
        let owned = &self.owned;
        let vis = &self.keyspace.item.vis;
        let docs = self.docs(
            "Changes the value in one atomic step and returns it as stored; `None` if there is none. What is left of its \
             life stays. `change` runs again when another writer was faster.",
            "`Conflict` if other writers were faster every time.",
        );
        let output = quote!(#library::BackendResult<::core::option::Option<#value>>);
        let future = self.future(&output, &quote!(__F), false);
        quote! {
            #docs
            #vis fn update<'__b, __B, __F>(&self, backend: &'__b __B, change: __F) -> #future
            where
                __B: #library::Backend + ?::core::marker::Sized,
                __F: ::core::ops::FnMut(&mut #value),
            {
                #library::keyspace::update::<#owned, __B, __F>(backend, Self::key(self), change)
            }
        }
    }

    fn get_or_set_with(&self, value: &syn::Type) -> TokenStream {
        let library = &self.library;
        let owned = &self.owned;
        let vis = &self.keyspace.item.vis;
        let docs = self.docs(
            "Returns the live value, or computes, stores and returns it. Of all callers in this process that miss at the \
             same time one computes; if it fails, the next one does.",
            "What `compute` fails with, and what the backend fails with.",
        );
        let output = quote!(::core::result::Result<#value, __E>);
        let future = self.future(&output, &quote!(__F, __Fut, __E), false);
        quote! {
            #docs
            #vis fn get_or_set_with<'__b, __B, __F, __Fut, __E>(&self, backend: &'__b __B, compute: __F) -> #future
            where
                __B: #library::Backend + ?::core::marker::Sized,
                __F: ::core::ops::FnOnce() -> __Fut,
                __Fut: ::core::future::Future<Output = ::core::result::Result<#value, __E>>,
                __E: ::core::convert::From<#library::BackendError>,
            {
                #library::keyspace::get_or_set_with::<#owned, __B, __F, __Fut, __E>(backend, Self::key(self), compute)
            }
        }
    }

    fn counter_accessors(&self) -> TokenStream {
        let library = &self.library;
        let life = &self.life;
        let key = self.key_method();
        let own_key = quote!(Self::key(self));
        let increment = self.plain(
            "increment",
            "increment",
            &quote!(i64),
            &format!("Adds one and returns the sum; the window ({life}) starts at the first hit."),
        );
        let increment_by = self.method(Method {
            name: "increment_by",
            call: "increment_by",
            key: own_key,
            output: quote!(i64),
            docs: self.docs(
                "Adds `delta`, which may be negative, and returns the sum.",
                "`Overflow` if the sum leaves the range of `i64`; the counter is unchanged then.",
            ),
            parameters: quote!(delta: i64),
            arguments: quote!(delta),
            ..Method::default()
        });
        let hit = self.plain(
            "hit",
            "hit",
            &quote!(#library::Counted),
            "Adds one and returns the sum and what is left of the window.",
        );
        let get = self.plain(
            "get",
            "count",
            &quote!(i64),
            "Returns the sum; zero if there is no live counter.",
        );
        let ttl = self.plain(
            "ttl",
            "ttl",
            &quote!(::core::option::Option<#library::Expiry>),
            "Returns what is left of the window; `None` if there is no live counter.",
        );
        let reset = self.plain(
            "reset",
            "delete",
            &quote!(bool),
            "Removes the counter and says whether there was a live one.",
        );
        quote!(#key #increment #increment_by #hit #get #ttl #reset)
    }

    fn key_method(&self) -> TokenStream {
        let library = &self.library;
        let vis = &self.keyspace.item.vis;
        let docs = format!(
            "Returns the text of the key, `{}`, for the raw API.",
            self.pattern
        );
        let key = self.own_key();
        quote! {
            #[doc = #docs]
            #[must_use]
            #vis fn key(&self) -> #library::keyspace::Key {
                #key
            }
        }
    }

    /// A method that takes nothing but the backend.
    fn plain(&self, name: &str, call: &str, output: &TokenStream, does: &str) -> TokenStream {
        self.method(Method {
            name,
            call,
            key: quote!(Self::key(self)),
            output: output.clone(),
            docs: self.docs(
                does,
                "What the backend fails with; `Decode` if the bytes are of another type.",
            ),
            ..Method::default()
        })
    }

    fn method(&self, method: Method<'_>) -> TokenStream {
        let Method {
            key,
            output,
            docs,
            generics,
            bounds,
            parameters,
            arguments,
            ..
        } = method;
        let library = &self.library;
        let owned = &self.owned;
        let vis = &self.keyspace.item.vis;
        let name = Ident::new(method.name, Span::call_site());
        let call = Ident::new(method.call, Span::call_site());
        let (value_type, value) = method.value.map_or((quote!(), quote!()), |(ty, value)| {
            (quote!(, #ty), quote!(#value,))
        });
        let future = self.future(&quote!(#library::BackendResult<#output>), &generics, true);
        quote! {
            #docs
            #vis fn #name<'__b, __B, #generics>(&self, backend: &'__b __B, #parameters) -> #future
            where
                __B: #library::Backend + ?::core::marker::Sized,
                #bounds
            {
                #library::keyspace::#call::<#owned, __B #value_type>(backend, #key, #value #arguments)
            }
        }
    }

    fn clear(&self) -> TokenStream {
        let library = &self.library;
        let owned = &self.owned;
        let vis = &self.keyspace.item.vis;
        let docs = self.docs(
            &format!(
                "Removes everything under `{}:` and nothing else, and returns how many there were.",
                self.keyspace.prefix
            ),
            "What the backend fails with; a part may have been removed then.",
        );
        let future = self.future(&quote!(#library::BackendResult<u64>), &quote!(), true);
        quote! {
            #docs
            #vis fn clear<'__b, __B>(backend: &'__b __B) -> #future
            where
                __B: #library::Backend + ?::core::marker::Sized,
            {
                #library::keyspace::clear::<#owned, __B>(backend)
            }
        }
    }

    /// `impl Future<Output = ..> + Send + use<'b, B, ..>`: names what it borrows, so that it doesn't borrow from `self`.
    fn future(&self, output: &TokenStream, captured: &TokenStream, is_send: bool) -> TokenStream {
        let parameters = &self.parameters;
        let send = is_send.then(|| quote!(+ ::core::marker::Send));
        let comma = (!captured.is_empty()).then(|| quote!(,));
        quote! {
            impl ::core::future::Future<Output = #output> #send + use<'__b, __B, #captured #comma #(#parameters),*>
        }
    }

    fn own_key(&self) -> TokenStream {
        let library = &self.library;
        let owned = &self.owned;
        let fields = &self.arguments;
        quote! {
            #library::keyspace::KeyBuilder::new(&<#owned as #library::keyspace::Keyspace>::INFO)
                #(.field(&self.#fields))*
                .build()
        }
    }

    fn life_tokens(&self) -> TokenStream {
        let library = &self.library;
        match &self.keyspace.ttl {
            Ttl::Never => quote!(#library::Life::Never),
            Ttl::For(ttl) => {
                let (seconds, nanos) = (ttl.as_secs(), ttl.subsec_nanos());
                quote!(#library::Life::In(::core::time::Duration::new(#seconds, #nanos)))
            }
            Ttl::Constant(path) => quote!(#library::Life::In(#path)),
        }
    }

    fn docs(&self, does: &str, fails: &str) -> TokenStream {
        let docs = format!("{does}\n\n# Errors\n\n{fails}");
        quote!(#[doc = #docs])
    }

    fn kind_trait(&self) -> TokenStream {
        let library = &self.library;
        match self.keyspace.kind {
            Kind::Entry => quote!(#library::keyspace::Entry),
            Kind::Value(_) => quote!(#library::keyspace::Valued),
            Kind::Counter => quote!(#library::keyspace::Counter),
        }
    }

    /// The struct's own bounds and, where it is generic, `Self: bound`. Bounds on the struct itself would break serde's
    /// derive.
    fn bounds(&self, bound: &TokenStream) -> TokenStream {
        let own = self.keyspace.item.generics.where_clause.as_ref();
        let own = own.map(|clause| clause.predicates.iter().collect::<Vec<_>>());
        let own = own.unwrap_or_default();
        let generic =
            (!self.parameters.is_empty() && !bound.is_empty()).then(|| quote!(Self: #bound,));
        if own.is_empty() && generic.is_none() {
            return quote!();
        }
        quote!(where #(#own,)* #generic)
    }

    /// Returns a name for a parameter of ours that no key field has.
    fn free(&self, name: &str) -> Ident {
        if self.arguments.iter().any(|field| field.unraw() == name) {
            format_ident!("__{name}")
        } else {
            Ident::new(name, Span::call_site())
        }
    }
}

/// A generated method on `&self`: a call of one of the library's functions.
#[derive(Default)]
struct Method<'a> {
    name: &'a str,
    call: &'a str,
    key: TokenStream,
    output: TokenStream,
    docs: TokenStream,
    /// The type and the expression of the value to store.
    value: Option<(&'a TokenStream, TokenStream)>,
    generics: TokenStream,
    bounds: TokenStream,
    parameters: TokenStream,
    arguments: TokenStream,
}

fn tuple(items: impl Iterator<Item = TokenStream>) -> TokenStream {
    let items: Vec<_> = items.collect();
    match &items[..] {
        [item] => item.clone(),
        items => quote!((#(#items),*)),
    }
}
