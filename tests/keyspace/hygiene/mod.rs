//! Keyspaces that are trouble for generated code compile with every lint on, and work.
#![deny(warnings, missing_docs, unused_qualifications, unreachable_pub)]
#![deny(
    unused_lifetimes,
    unused_results,
    single_use_lifetimes,
    unused_import_braces
)]
#![deny(clippy::all, clippy::pedantic)]

mod declarations;
mod field_names;
mod type_names;
