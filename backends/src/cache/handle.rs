//! The backends that work in the background can hold on to.

use crate::backend::Backend;

/// A backend that work in the background can hold on to: it can be cloned, and borrows nothing.
///
/// All backends of this library are handles, and so is an `Arc<dyn Backend>`. A `&dyn Backend` and
/// a `Box<dyn Backend>` aren't.
#[diagnostic::on_unimplemented(
    message = "`{Self}` can't be held by what goes on in the background",
    label = "`lease` and `stale` need a backend that is `Clone + 'static`",
    note = "in place of a `&dyn Backend` or a `&Box<dyn Backend>` pass an `&Arc<dyn Backend>`",
    note = "a type of your own derives `Clone`, over an `Arc` of what it holds; generic code says `B: BackendHandle`"
)]
pub trait BackendHandle: Backend + Clone + 'static {}

#[diagnostic::do_not_recommend]
impl<B: Backend + Clone + 'static> BackendHandle for B {}
