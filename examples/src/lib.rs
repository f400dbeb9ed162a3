//! The examples stand beside this folder, one idea a file: `cargo run --example quickstart`.
