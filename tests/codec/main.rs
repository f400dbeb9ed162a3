//! The stored format from outside: pinned by golden files, read by another CBOR library, and never
//! a panic.

mod agreement;
mod golden;
mod hostile;
mod readable;
mod round_trip;
mod trace;
