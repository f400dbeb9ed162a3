//! Associated types.

use proc_macro2::{Span, TokenStream};
use quote::quote_spanned;
use syn::Ident;

/// `type Value = String;`, at the place where the type is written: if it is private, it is shown
/// there.
pub(super) fn associated(name: &str, ty: &TokenStream, place: Span) -> TokenStream {
    let name = Ident::new(name, place);
    quote_spanned!(place=> type #name = #ty;)
}
