//! Layers: a backend that is made of a backend.

use super::Store;

/// Makes a backend of another one: see [`Backend::layer`](crate::Backend::layer) and the module
/// [`layer`](crate::layer).
///
/// Every [`Intercept`](crate::layer::Intercept) is a layer. Implement this trait for a layer that
/// does more than to go around calls: one that changes keys or values, or asks two stores. Its
/// backend implements [`Store`].
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a layer of backends",
    label = "expected a layer, such as `Observe` or a type that implements `Intercept`",
    note = "layers of tower and axum go around services"
)]
pub trait Layer<B: Store> {
    /// The backend that is made.
    type Backend: Store;

    /// Wraps a backend.
    fn layer(self, inner: B) -> Self::Backend;
}
