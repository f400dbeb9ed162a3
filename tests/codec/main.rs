//! The stored format is pinned by golden files, read by another CBOR library, and never read with a
//! panic.

mod agreement_with_ciborium;
mod golden;
mod hostile_bytes;
mod read_back_or_refused;
mod round_trip;
mod visitor_trace;
