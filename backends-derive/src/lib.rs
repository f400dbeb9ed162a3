//! The derive macro of `reinhardt-backends`; use it through that crate, which documents it.

mod accessors;
mod ast;
mod attr;
mod expand;
mod scope;

use proc_macro::TokenStream;

/// Makes a struct a typed keyspace.
#[proc_macro_derive(Keyspace, attributes(keyspace))]
pub fn derive_keyspace(input: TokenStream) -> TokenStream {
    let input = syn::parse_macro_input!(input as syn::DeriveInput);
    expand::derive(&input).into()
}
