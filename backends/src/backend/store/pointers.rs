//! `Arc`, `Box` and references of a store are stores too.
//!
//! Each method hands out the inner store's boxed future as it is: an `async fn` here would put it
//! into a second box.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use super::{BoxedCall, NewEntry, ReplicaReads, Store, StoreInfo, SyncStore, Touch};
use crate::backend::answers::{Counted, KeyStream};
use crate::backend::life::{Expiry, Life};
use crate::backend::stored::Stored;
use crate::backend::write::Write;
use crate::quota::{Attempt, Decision};

/// Implements the methods as `#[async_trait]` would spell them, each by a call of the inner store.
macro_rules! forward_calls {
    ($($method:ident<$($life:lifetime),*>($($argument:ident: $type:ty),*) -> $output:ty;)*) => {
        $(#[inline]
        fn $method<'s, $($life,)* 'f>(&'s self, $($argument: $type),*) -> BoxedCall<'f, $output>
        where
            's: 'f,
            $($life: 'f,)*
            Self: 'f,
        {
            (**self).$method($($argument),*)
        })*
    };
}

macro_rules! forward_store {
    ($(<$($lifetime:lifetime)?> $type:ty),*) => {
        $(#[deny(clippy::missing_trait_methods)]
        impl<$($lifetime,)? S: Store + ?Sized> Store for $type {
            forward_calls! {
                read<'k>(key: &'k str) -> Option<(Stored, Expiry)>;
                put<'k, 'v, 'o>(key: &'k str, value: &'v [u8], options: Write<'o>) -> bool;
                remove<'k, 'v>(key: &'k str, expected: Option<&'v [u8]>) -> bool;
                add<'k>(key: &'k str, delta: i64, ttl: Option<Duration>) -> Counted;
                set_life<'k>(key: &'k str, life: Life) -> bool;
                read_value<'k>(key: &'k str, touch: Touch) -> Option<Stored>;
                read_values<'k, 'l>(keys: &'k [&'l str], touch: Touch) -> Vec<Option<Stored>>;
                read_life<'k>(key: &'k str) -> Option<Expiry>;
                take_value<'k>(key: &'k str) -> Option<Stored>;
                put_many<'e, 'n>(entries: &'e [NewEntry<'n>]) -> ();
                remove_many<'k, 'l>(keys: &'k [&'l str]) -> u64;
                remove_prefix<'k>(prefix: &'k str) -> u64;
                move_entry<'k, 'e, 'n, 'o>(
                    from: &'k str, expected: &'e [u8], to: NewEntry<'n>, over: Option<&'o [u8]>
                ) -> bool;
                throttle<'k, 'a>(key: &'k str, attempt: Attempt<'a>) -> Decision;
                probe<>() -> ();
            }

            fn keys<'a>(&'a self, prefix: &str) -> KeyStream<'a> {
                (**self).keys(prefix)
            }

            fn shut_down<'s, 'f>(&'s self) -> Pin<Box<dyn Future<Output = ()> + Send + 'f>>
            where
                's: 'f,
                Self: 'f,
            {
                (**self).shut_down()
            }

            #[inline]
            fn info(&self) -> StoreInfo {
                (**self).info()
            }

            #[inline]
            fn as_sync(&self) -> Option<&dyn SyncStore> {
                (**self).as_sync()
            }

            #[inline]
            fn replica_reads(&self) -> Option<&dyn ReplicaReads> {
                (**self).replica_reads()
            }
        })*
    };
}

forward_store!(<> Arc<S>, <> Box<S>, <'b> &'b S);
