//! The derive macro of `reinhardt-backends`; use it through that crate, which documents it.

mod accessors;
mod ast;
mod attr;
mod borrowed;
mod check;
mod constructor;
mod expand;
mod scope;
mod segment;
mod serde_words;

use proc_macro::TokenStream;

/// Makes a struct a typed keyspace.
#[proc_macro_derive(Keyspace, attributes(keyspace))]
pub fn derive_keyspace(input: TokenStream) -> TokenStream {
    let input = syn::parse_macro_input!(input as syn::DeriveInput);
    expand::derive(&input).into()
}

/// Makes a type of your own a part of keys.
#[proc_macro_derive(KeySegment, attributes(keyspace))]
pub fn derive_key_segment(input: TokenStream) -> TokenStream {
    let input = syn::parse_macro_input!(input as syn::DeriveInput);
    segment::derive(&input).into()
}
