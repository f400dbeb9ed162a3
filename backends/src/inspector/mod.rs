//! Pages, for operators, of what a backend holds: keyspaces with their counts and lives, and the
//! entries of those that people may look at. The same in a terminal.
//!
//! ```
//! use axum::Router;
//! use reinhardt_backends::{Keyspace, MemoryBackend, inspector};
//! use serde::{Deserialize, Serialize};
//!
//! #[derive(Serialize, Deserialize, Keyspace)]
//! #[keyspace(prefix = "cart", ttl = "2h", inspect)]
//! struct Cart {
//!     #[keyspace(key)]
//!     id: u64,
//!     items: Vec<String>,
//! }
//!
//! # fn is_operator(_: &http::request::Parts) -> bool { false }
//! let backend = MemoryBackend::new();
//! let app: Router = Router::new()
//!     .nest("/inspector", inspector::router(backend.clone(), |request| is_operator(request)));
//! ```
//!
//! The page [inspecting](crate::guide::inspecting) shows how to set it up.
//!
//! # Guarantees
//!
//! * There is no router without a check. It is asked before every request, and a request that it
//!   refuses learns nothing.
//! * Keys and values are shown of keyspaces with the word `inspect` alone, and this is looked at
//!   before each read. Of all other keyspaces, and of keys that nobody declares, there are numbers.
//! * Values are decoded as the keyspace itself does, and shown as their own `Serialize` writes
//!   them: with the names of fields and variants, whatever the codec is.
//! * The inspector puts no key and no value into an address, a log or an error. (A type whose own
//!   code panics is reported by the program's panic hook.) Pages name entries by random
//!   handles. The table of handles is bounded, and ends with the process.
//! * Nothing is changed. Entries can be deleted if the program says by whom
//!   ([`Inspector::deletes`]): by two `POST`s with a token, from pages of this router, of which the
//!   second deletes what the first one met with, once, or nothing.
//! * Pages have no script, style or picture from elsewhere, are kept by no cache, and can't be put
//!   in a frame. Everything that is stored is text to them.
//! * Each page takes a bounded time and reads a bounded number of entries, however many there are.
//!   It says what it left out. The survey of all keyspaces is made once for all who look at it, and
//!   is shown for five seconds.
//! * The inspector reads as everybody does, through the layers of the backend that it is given. It
//!   asks the primary. It extends no life and uses up no quota.

mod authorized;
mod builder;
mod catalog;
mod entry;
mod fields;
mod handles;
mod listing;
mod reads;
mod survey;
mod terminal;
mod text;
mod unseen;
mod web;

use axum::Router;
use http::request::Parts;

use crate::backend::Backend;

pub use self::authorized::Authorized;
pub use self::builder::Inspector;
pub use self::reads::Reads;
pub use self::terminal::run;

/// Makes the router of the inspector of a backend, to be nested wherever it is wanted.
///
/// `authorize` is asked before every request: it returns `bool`, or a boxed future of `bool`
/// ([`Authorized`]). Entries can be looked at and not be changed, and the pages answer under the
/// names of this machine alone: [`Inspector`] has the settings.
///
/// `Router::nest("/inspector", ..)` serves `/inspector` and what is below. `Router::nest_service`
/// serves `/inspector/` too.
///
/// # Examples
///
/// ```
/// use axum::Router;
/// use reinhardt_backends::{MemoryBackend, inspector};
///
/// # fn is_operator(_: &http::request::Parts) -> bool { false }
/// let pages = inspector::router(MemoryBackend::new(), |request| is_operator(request));
/// let app: Router = Router::new().nest("/inspector", pages);
/// ```
pub fn router<S, B, F, R>(backend: B, authorize: F) -> Router<S>
where
    S: Clone + Send + Sync + 'static,
    B: Backend + 'static,
    F: Fn(&Parts) -> R + Send + Sync + 'static,
    R: Into<Authorized>,
{
    Inspector::new(backend, authorize).router()
}
