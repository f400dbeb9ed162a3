//! `Arc`, `Box` and references of a store are stores too.

use std::sync::Arc;

use super::forward::forward_store;

forward_store! {
    [S: Store + ?Sized] Arc<S>: |self| (**self);
    [S: Store + ?Sized] Box<S>: |self| (**self);
    [S: Store + ?Sized] &S: |self| (**self);
}
