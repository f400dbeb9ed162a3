//! Fields of an entry that can't be read back, because they borrow.

use proc_macro2::TokenStream;
use quote::ToTokens;
use syn::{DeriveInput, Error, Field, GenericArgument, Ident, PathArguments, Type, TypeReference};

use crate::attr::Mistakes;
use crate::serde_words::Words;

/// Types of the standard library that hold the types in their brackets, and are read as these are.
const CONTAINERS: [&str; 12] = [
    "Arc",
    "BTreeMap",
    "BTreeSet",
    "BinaryHeap",
    "Box",
    "HashMap",
    "HashSet",
    "LinkedList",
    "Option",
    "Rc",
    "Vec",
    "VecDeque",
];

/// Notes each field that serde's derive reads by borrowing from the bytes, which are gone by then,
/// and says whether there is none.
///
/// A field that serde doesn't read may borrow, and mostly one that a function of the user's reads;
/// so may any field of a struct that is read as another type.
pub(crate) fn check_owned(item: &DeriveInput, mistakes: &mut Mistakes) -> bool {
    let syn::Data::Struct(data) = &item.data else {
        return true;
    };
    if !Words::of(&item.attrs).is_read_as_itself() {
        return true;
    }
    let lifetimes: Vec<&Ident> = (item.generics.lifetimes())
        .map(|parameter| &parameter.lifetime.ident)
        .collect();
    let errors = data
        .fields
        .iter()
        .filter_map(|field| check_field(field, &lifetimes));
    let errors: Vec<Error> = errors.collect();
    let is_owned = errors.is_empty();
    errors.into_iter().for_each(|error| mistakes.add(error));
    is_owned
}

fn check_field(field: &Field, lifetimes: &[&Ident]) -> Option<Error> {
    let words = Words::of(&field.attrs);
    if let Some(word) = words.find("borrow") {
        let message = "an entry is read back as an owned value, and can't borrow: remove `borrow`";
        return Some(Error::new(word.span(), message));
    }
    let has = |names: [&str; 2]| names.iter().any(|name| words.find(name).is_some());
    if has(["skip", "skip_deserializing"]) {
        return None;
    }
    let reference = find_reference(&field.ty, lifetimes)?;
    if has(["deserialize_with", "with"]) && !is_borrowed_unasked(&field.ty) {
        return None;
    }
    let message = format!(
        "an entry is read back as an owned value, and can't borrow: write {}, or declare a key with `value = T`",
        owned(&reference.elem)
    );
    Some(Error::new_spanned(&field.ty, message))
}

/// Returns a reference in `ty` that lives as long as one of the struct's lifetimes says.
fn find_reference<'a>(ty: &'a Type, lifetimes: &[&Ident]) -> Option<&'a TypeReference> {
    let find = |ty| find_reference(ty, lifetimes);
    match ty {
        Type::Reference(reference) => {
            let lifetime = reference.lifetime.as_ref()?;
            let is_of_struct = lifetimes.contains(&&lifetime.ident);
            is_of_struct
                .then_some(reference)
                .or_else(|| find(&reference.elem))
        }
        Type::Array(array) => find(&array.elem),
        Type::Group(group) => find(&group.elem),
        Type::Paren(paren) => find(&paren.elem),
        Type::Slice(slice) => find(&slice.elem),
        Type::Tuple(tuple) => tuple.elems.iter().find_map(find),
        Type::Path(path) => {
            let last = path.path.segments.last()?;
            if !CONTAINERS.iter().any(|container| last.ident == container) {
                return None;
            }
            let PathArguments::AngleBracketed(arguments) = &last.arguments else {
                return None;
            };
            arguments.args.iter().find_map(|argument| match argument {
                GenericArgument::Type(ty) => find(ty),
                _ => None,
            })
        }
        _ => None,
    }
}

/// Says whether serde's derive borrows a field of this type without being told so, even one that a
/// function reads: `&str`, `&[u8]`, and an `Option` of either.
fn is_borrowed_unasked(ty: &Type) -> bool {
    match ty {
        Type::Group(group) => is_borrowed_unasked(&group.elem),
        Type::Reference(reference) => match &*reference.elem {
            Type::Path(path) => path.path.is_ident("str"),
            Type::Slice(slice) => {
                matches!(&*slice.elem, Type::Path(path) if path.path.is_ident("u8"))
            }
            _ => false,
        },
        Type::Path(path) => path.path.segments.last().is_some_and(|last| {
            let PathArguments::AngleBracketed(arguments) = &last.arguments else {
                return false;
            };
            let is_borrowed = |argument: &GenericArgument| {
                matches!(argument, GenericArgument::Type(ty @ Type::Reference(_)) if is_borrowed_unasked(ty))
            };
            last.ident == "Option" && arguments.args.iter().any(is_borrowed)
        }),
        _ => false,
    }
}

/// Names the owned type for the type that a reference refers to.
fn owned(ty: &Type) -> String {
    match ty {
        Type::Path(path) if path.path.is_ident("str") => "`String`".to_string(),
        Type::Slice(slice) => match in_words(&slice.elem) {
            Some(item) => format!("`Vec<{item}>`"),
            None => "a `Vec`".to_string(),
        },
        Type::Path(path) if path.path.get_ident().is_some() => {
            format!("`{}`", path.path.to_token_stream())
        }
        _ => "an owned type".to_string(),
    }
}

fn in_words(ty: &Type) -> Option<TokenStream> {
    match ty {
        Type::Path(path) if path.path.get_ident().is_some() => Some(path.to_token_stream()),
        _ => None,
    }
}
