//! A serializer around another one that refuses values which the format's reader couldn't give
//! back.
//!
//! Encoders go as deep as a value does, and readers stop; some forms of a value have no word in a
//! format. So the limits of the reader are counted here, level by level, while a value is written.

mod compound;
pub(super) mod findings;
pub(super) mod format;
mod keys;
mod serializer;
pub(super) mod value;
