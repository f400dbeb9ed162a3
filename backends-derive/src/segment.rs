//! `#[derive(KeySegment)]`: newtypes, enums without data, and types that write themselves.

use proc_macro2::TokenStream;
use quote::{ToTokens, quote, quote_spanned};
use syn::ext::IdentExt;
use syn::spanned::Spanned;
use syn::{Data, DataEnum, DeriveInput, Error, Fields, GenericParam, Ident, LitStr};

use crate::attr::{Mistakes, SegmentWords, variant_name};
use crate::scope::{Library, borrows, place};

/// Expands the derive: every mistake of the item, and an implementation all the same.
pub(crate) fn derive(item: &DeriveInput) -> TokenStream {
    let mut mistakes = Mistakes::default();
    let words = SegmentWords::parse(&item.attrs, &mut mistakes);
    let path = words.krate.and_then(|word| word.meaning);
    let library = Library(path.as_ref());
    let segment = match &words.display {
        Some(word) if word.meaning.is_some() => by_display(&word.name),
        Some(_) => stand_in(),
        None => by_shape(item, library, &mut mistakes),
    };
    let errors = mistakes.into_compile_errors();
    let Segment {
        write,
        parse,
        bound,
    } = segment;
    let name = &item.ident;
    let (impl_generics, ty_generics, _) = item.generics.split_for_impl();
    let own = item.generics.where_clause.as_ref();
    let own = own.into_iter().flat_map(|clause| &clause.predicates);
    let is_type = |parameter: &GenericParam| matches!(parameter, GenericParam::Type(_));
    let bound = item.generics.params.iter().any(is_type).then_some(bound);
    let bounds = own.map(ToTokens::to_token_stream).chain(bound);
    quote! {
        #errors
        #[automatically_derived]
        impl #impl_generics #library::keyspace::KeySegment for #name #ty_generics
        where
            #(#bounds,)*
        {
            type Owned = Self;

            fn write(&self, __segment: &mut #library::keyspace::SegmentWriter<'_>) {
                #write
            }

            fn parse(__text: &::core::primitive::str) -> ::core::option::Option<Self> {
                #parse
            }
        }
    }
}

/// The bodies of the implementation, and the bounds that it asks of type parameters.
struct Segment {
    write: TokenStream,
    parse: TokenStream,
    bound: TokenStream,
}

/// `segment.display(self)`, `FromStr::from_str(text).ok()`; where the word stands, it says so if a
/// trait is missing.
fn by_display(word: &Ident) -> Segment {
    let span = place(word);
    Segment {
        write: quote_spanned!(span=> __segment.display(self);),
        parse: quote_spanned!(span=> ::core::result::Result::ok(
            <Self as ::core::str::FromStr>::from_str(__text)
        )),
        bound: quote!(Self: ::core::fmt::Display + ::core::str::FromStr),
    }
}

fn by_shape(item: &DeriveInput, library: Library<'_>, mistakes: &mut Mistakes) -> Segment {
    match &item.data {
        Data::Struct(data) => newtype(item, &data.fields, library, mistakes),
        Data::Enum(data) => unit_enum(data, mistakes),
        Data::Union(data) => {
            mistakes.at(
                data.union_token.span,
                "a part of a key is a struct or an enum, not a union",
            );
            stand_in()
        }
    }
}

/// Returns code that compiles beside a mistake.
fn stand_in() -> Segment {
    Segment {
        write: quote!(let _ = __segment;),
        parse: quote! {
            let _ = __text;
            ::core::option::Option::None
        },
        bound: quote!(),
    }
}

/// ```text
/// KeySegment::write(&self.0, segment);
/// <u64 as KeySegment>::parse(text).map(|value| Self { 0: From::from(value) })
/// ```
fn newtype(
    item: &DeriveInput,
    fields: &Fields,
    library: Library<'_>,
    mistakes: &mut Mistakes,
) -> Segment {
    let mut all = fields.members().zip(fields);
    let (Some((member, field)), None) = (all.next(), all.next()) else {
        let message = "a part of a key has one field: write `struct UserId(u64)`, or `#[keyspace(display)]` for a type \
            with `Display` and `FromStr`";
        mistakes.at(item.ident.span(), message);
        return stand_in();
    };
    let ty = &field.ty;
    if borrows(ty.to_token_stream()) {
        let message = "what is read back from a key can't borrow: write an owned type, or implement `KeySegment`";
        mistakes.add(Error::new_spanned(ty, message));
        return stand_in();
    }
    let segment = library.as_segment(ty);
    Segment {
        write: quote!(#segment::write(&self.#member, __segment);),
        parse: quote_spanned! {place(ty)=>
            ::core::option::Option::map(#segment::parse(__text), |__value| Self { #member: __value })
        },
        bound: quote!(#ty: #library::keyspace::KeySegment<Owned = #ty>),
    }
}

/// ```text
/// segment.text(match self { Self::Eu => "eu", Self::Us => "Us" });
/// match text { "eu" => Some(Self::Eu), "Us" => Some(Self::Us), _ => None }
/// ```
fn unit_enum(data: &DataEnum, mistakes: &mut Mistakes) -> Segment {
    let mut variants: Vec<(&Ident, LitStr)> = Vec::new();
    let mut is_wrong = false;
    for variant in &data.variants {
        if !matches!(variant.fields, Fields::Unit) {
            let message = "a variant with data isn't a part of a key: write it without, or implement `KeySegment`";
            mistakes.at(variant.fields.span(), message);
            is_wrong = true;
        }
        let name = variant_name(&variant.attrs, mistakes);
        let own_name = || LitStr::new(&variant.ident.unraw().to_string(), variant.ident.span());
        let name = name.unwrap_or_else(own_name);
        let mut others = variants.iter().map(|(_, other)| other);
        if let Some(first) = others.find(|other| other.value() == name.value()) {
            let text = name.value();
            let message = format!(
                "two variants are written as `{text}`: write `rename = \"..\"` with another name"
            );
            mistakes.at(name.span(), &message);
            mistakes.at(first.span(), &format!("`{text}` is taken here first"));
            is_wrong = true;
        }
        variants.push((&variant.ident, name));
    }
    if variants.is_empty() {
        mistakes.at(
            data.enum_token.span,
            "an enum without variants has no value that could be a part of a key",
        );
    }
    if is_wrong || variants.is_empty() {
        return stand_in();
    }
    let (idents, names): (Vec<_>, Vec<_>) = variants.into_iter().unzip();
    Segment {
        write: quote!(__segment.text(match self { #(Self::#idents => #names),* });),
        parse: quote! {
            match __text {
                #(#names => ::core::option::Option::Some(Self::#idents),)*
                _ => ::core::option::Option::None,
            }
        },
        bound: quote!(),
    }
}
