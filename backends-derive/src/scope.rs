//! The terms that generated code is written in: paths, parameters and bounds.

use proc_macro2::{Span, TokenStream, TokenTree};
use quote::{ToTokens, format_ident, quote, quote_spanned};
use syn::ext::IdentExt;
use syn::spanned::Spanned;
use syn::{GenericParam, Ident, Lifetime, Path, Type};

use crate::ast::{Keyspace, Kind, mentions};

/// One keyspace, and the names that its code uses.
pub(crate) struct Scope<'a> {
    pub(crate) keyspace: &'a Keyspace<'a>,
    pub(crate) library: Library<'a>,
    /// The struct, with `'static` for its lifetimes: a type that a future may name without
    /// borrowing from the struct.
    pub(crate) owned: TokenStream,
    /// The struct's lifetimes.
    pub(crate) lifetimes: Vec<&'a Lifetime>,
    /// The struct's type and constant parameters, which every opaque type must capture.
    pub(crate) parameters: Vec<&'a Ident>,
    /// The key fields, and the names of the types that accessors take for them.
    pub(crate) fields: Vec<&'a Ident>,
    pub(crate) field_types: Vec<&'a Type>,
    pub(crate) argument_types: Vec<Ident>,
}

/// The path of the library: the path that the user gives, or the library's own.
#[derive(Clone, Copy)]
pub(crate) struct Library<'a>(pub(crate) Option<&'a Path>);

impl Library<'_> {
    /// The path at a place. A path that the user gives stays where it is, so that a mistake in the
    /// path shows there.
    pub(crate) fn at(self, place: Span) -> TokenStream {
        match self.0 {
            Some(path) => quote!(#path),
            None => quote_spanned!(place=> ::reinhardt_backends),
        }
    }

    /// `<String as KeySegment>`, at the place of the type: there it says so if it is none, and
    /// once.
    pub(crate) fn as_segment(self, ty: &Type) -> TokenStream {
        let place = place(ty);
        let library = self.at(place);
        quote_spanned!(place=> <#ty as #library::keyspace::KeySegment>)
    }
}

impl ToTokens for Library<'_> {
    fn to_tokens(&self, tokens: &mut TokenStream) {
        tokens.extend(self.at(Span::call_site()));
    }
}

impl<'a> Scope<'a> {
    pub(crate) fn new(keyspace: &'a Keyspace<'a>) -> Self {
        let generics = &keyspace.item.generics;
        let mut scope = Self {
            keyspace,
            library: Library(keyspace.krate.as_ref()),
            owned: quote!(Self),
            lifetimes: Vec::new(),
            parameters: Vec::new(),
            fields: keyspace.key.iter().map(|field| field.name).collect(),
            field_types: keyspace.key.iter().map(|field| field.ty).collect(),
            argument_types: (0..keyspace.key.len())
                .map(|index| format_ident!("__K{index}"))
                .collect(),
        };
        for parameter in &generics.params {
            match parameter {
                GenericParam::Lifetime(parameter) => scope.lifetimes.push(&parameter.lifetime),
                GenericParam::Type(parameter) => scope.parameters.push(&parameter.ident),
                GenericParam::Const(parameter) => scope.parameters.push(&parameter.ident),
            }
        }
        if !scope.lifetimes.is_empty() {
            scope.owned = scope.static_path();
        }
        scope
    }

    /// The struct by its name, with `'static` for its lifetimes.
    pub(crate) fn static_path(&self) -> TokenStream {
        let name = &self.keyspace.item.ident;
        let lifetimes = self.lifetimes.iter().map(|_| quote!('static));
        let arguments = lifetimes.chain(self.parameters.iter().map(ToTokens::to_token_stream));
        quote!(#name<#(#arguments),*>)
    }

    /// `session:<id>`, for docs.
    pub(crate) fn pattern(&self) -> String {
        let segments = self.keyspace.key.iter().map(|field| match field.is_tag {
            true => format!("{{<{}>}}", field.name.unraw()),
            false => format!("<{}>", field.name.unraw()),
        });
        let segments: Vec<String> = segments.collect();
        format!("{}{}", self.keyspace.head(), segments.join(":"))
    }

    /// Says whether a key can be read back as the struct itself: it is nothing but its key, borrows
    /// nothing, and no parameter stands for one of its fields.
    pub(crate) fn is_own_key(&self) -> bool {
        let is_parameter = |ident: &Ident| self.parameters.contains(&ident);
        let mut types = self.field_types.iter().map(ToTokens::to_token_stream);
        !matches!(self.keyspace.kind, Kind::Entry(_))
            && self.keyspace.has_named_fields()
            && self.lifetimes.is_empty()
            && !types.any(|ty| borrows(ty.clone()) || mentions(ty, &is_parameter))
    }

    /// The key that the fields of `self` name.
    pub(crate) fn own_key(&self) -> TokenStream {
        let (info, segments) = self.own_segments(&quote!(self));
        let library = &self.library;
        quote!(#library::keyspace::Key::build(#info, #segments))
    }

    /// Says whether `__key` is the key that the fields of `entry` name.
    pub(crate) fn is_own_key_of(&self, entry: &TokenStream) -> TokenStream {
        let (info, segments) = self.own_segments(entry);
        let library = &self.library;
        quote!(#library::keyspace::Key::is_built(__key, #info, #segments))
    }

    /// The declaration, and the closure that writes the key fields of `of`.
    fn own_segments(&self, of: &TokenStream) -> (TokenStream, TokenStream) {
        let Self {
            library,
            owned,
            fields,
            field_types,
            ..
        } = self;
        let segments = field_types.iter().map(|ty| library.as_segment(ty));
        let info = quote!(&<#owned as #library::keyspace::Keyspace>::INFO);
        let write = quote! {
            |__key| {
                let _ = __key #(.write(|__segment| #segments::write(&#of.#fields, __segment)))*;
            }
        };
        (info, write)
    }

    /// The where-clause of an implementation: the struct's own, what the key asks of type
    /// parameters, and `Self: bound` if there are any. Bounds on the struct itself would break
    /// serde's derive.
    pub(crate) fn bounds(&self, bound: Option<TokenStream>) -> TokenStream {
        let own = self.keyspace.item.generics.where_clause.as_ref();
        let own = own.into_iter().flat_map(|clause| &clause.predicates);
        let mut bounds: Vec<_> = own.map(ToTokens::to_token_stream).collect();
        bounds.extend(self.key_bounds());
        if let (Some(bound), false) = (bound, self.parameters.is_empty()) {
            bounds.push(quote!(Self: #bound));
        }
        if bounds.is_empty() {
            return quote!();
        }
        quote!(where #(#bounds),*)
    }

    /// `T: KeySegment, <T as KeySegment>::Owned: KeySegment` for each key field whose type depends
    /// on a parameter.
    fn key_bounds(&self) -> impl Iterator<Item = TokenStream> {
        let library = &self.library;
        let segment = quote!(#library::keyspace::KeySegment);
        let is_parameter = |ident: &Ident| self.parameters.contains(&ident);
        let types = self.field_types.iter().map(|ty| referent(ty));
        let types = types.filter(move |ty| mentions(ty.to_token_stream(), &is_parameter));
        types.map(move |ty| quote!(#ty: #segment, <#ty as #segment>::Owned: #segment))
    }

    /// `K0: KeyArg<String>` for each key field, at the place of its type: an argument of another
    /// type shows it.
    pub(crate) fn argument_bounds(&self) -> TokenStream {
        let bounds = self
            .argument_types
            .iter()
            .zip(&self.field_types)
            .map(|(argument, ty)| {
                let place = place(ty);
                let library = self.library.at(place);
                // A bound that began elsewhere would seem to hold whatever stands in between.
                let mut argument = argument.clone();
                argument.set_span(place);
                quote_spanned!(place=> #argument: #library::keyspace::KeyArg<#ty>,)
            });
        bounds.collect()
    }

    /// Returns a name for a parameter of ours that no key field has.
    pub(crate) fn free(&self, name: &str) -> Ident {
        let mut name = name.to_string();
        while self.fields.iter().any(|field| field.unraw() == name) {
            name.insert_str(0, "__");
        }
        Ident::new(&name, Span::call_site())
    }
}

/// One item as it is, several as a tuple.
pub(crate) fn tuple(items: impl Iterator<Item = TokenStream>) -> TokenStream {
    let items: Vec<_> = items.collect();
    match &items[..] {
        [item] => item.clone(),
        items => quote!((#(#items),*)),
    }
}

/// The place of what the user wrote, for code of the macro.
pub(crate) fn place(of: &impl ToTokens) -> Span {
    of.span().resolved_at(Span::call_site())
}

/// Says whether a reference or a lifetime is written somewhere in a type.
pub(crate) fn borrows(ty: TokenStream) -> bool {
    ty.into_iter().any(|token| match token {
        TokenTree::Punct(punct) => matches!(punct.as_char(), '&' | '\''),
        TokenTree::Group(group) => borrows(group.stream()),
        TokenTree::Ident(_) | TokenTree::Literal(_) => false,
    })
}

/// Returns the type that a reference, or a reference to a reference, refers to.
fn referent(mut ty: &Type) -> &Type {
    while let Type::Reference(reference) = ty {
        ty = &reference.elem;
    }
    ty
}
