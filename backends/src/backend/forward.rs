//! `Arc`, `Box` and references of a backend are backends too.
//!
//! Each method hands out the inner backend's boxed future as it is: an `async fn` here would put it into a second box.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use super::in_process::InProcess;
use super::life::{Expiry, Life};
use super::limits::Limits;
use super::stored::Stored;
use super::throttle::{Attempt, Decision};
use super::{Backend, Condition, Counted, Instance, KeyStream, NewEntry, Write, typed};
use crate::codec::{Decode, Encode};
use crate::error::BackendResult;

type Call<'a, T> = Pin<Box<dyn Future<Output = BackendResult<T>> + Send + 'a>>;

/// Implements the byte-level methods as `#[async_trait]` would spell them, each by a call of the inner backend.
macro_rules! forward_calls {
    ($($method:ident<$($life:lifetime),*>($($argument:ident: $type:ty),*) -> $output:ty;)*) => {
        $(fn $method<'s, $($life,)* 'f>(&'s self, $($argument: $type),*) -> Call<'f, $output>
        where
            's: 'f,
            $($life: 'f,)*
            Self: 'f,
        {
            (**self).$method($($argument),*)
        })*
    };
}

macro_rules! forward_backend {
    ($(<$($lifetime:lifetime)?> $type:ty),*) => {
        $(#[deny(clippy::missing_trait_methods)]
        impl<$($lifetime,)? B: Backend + ?Sized> Backend for $type {
            forward_calls! {
                read<'k>(key: &'k str) -> Option<(Stored, Expiry)>;
                write<'k, 'v, 'o>(key: &'k str, value: &'v [u8], options: Write<'o>) -> bool;
                remove<'k, 'v>(key: &'k str, expected: Option<&'v [u8]>) -> bool;
                increment_by<'k>(key: &'k str, delta: i64, ttl: Option<Duration>) -> Counted;
                expire<'k>(key: &'k str, life: Life) -> bool;
                get_stored<'k>(key: &'k str) -> Option<Stored>;
                get_many_stored<'k, 'l>(keys: &'k [&'l str]) -> Vec<Option<Stored>>;
                take_stored<'k>(key: &'k str) -> Option<Stored>;
                touch_stored<'k>(key: &'k str, ttl: Duration) -> Option<Stored>;
                renew_stored<'k>(key: &'k str, ttl: Duration) -> Option<Stored>;
                renew_many_stored<'k, 'l>(keys: &'k [&'l str], ttl: Duration) -> Vec<Option<Stored>>;
                move_entry<'k, 'e, 'n, 'o>(from: &'k str, expected: &'e [u8], to: NewEntry<'n>, over: Option<&'o [u8]>) -> bool;
                throttle<'k, 'a>(key: &'k str, attempt: Attempt<'a>) -> Decision;
                write_many<'e, 'n>(entries: &'e [NewEntry<'n>]) -> ();
                delete<'k>(key: &'k str) -> bool;
                delete_many<'k, 'l>(keys: &'k [&'l str]) -> u64;
                compare_and_delete<'k, 'v>(key: &'k str, expected: &'v Stored) -> bool;
                exists<'k>(key: &'k str) -> bool;
                ttl<'k>(key: &'k str) -> Option<Expiry>;
                increment<'k>(key: &'k str, ttl: Option<Duration>) -> i64;
                clear<>() -> ();
                clear_prefix<'k>(prefix: &'k str) -> u64;
                ping<>() -> ();
            }

            fn scan<'a>(&'a self, prefix: &str) -> KeyStream<'a> {
                (**self).scan(prefix)
            }

            fn close<'s, 'f>(&'s self) -> Pin<Box<dyn Future<Output = ()> + Send + 'f>>
            where
                's: 'f,
                Self: 'f,
            {
                (**self).close()
            }

            fn limits(&self) -> Limits {
                (**self).limits()
            }

            fn instance(&self) -> Instance {
                (**self).instance()
            }

            fn in_process(&self) -> Option<&dyn InProcess> {
                (**self).in_process()
            }

            fn set<V: Encode>(
                &self,
                key: &str,
                value: V,
                ttl: Option<Duration>,
            ) -> impl Future<Output = BackendResult<()>> + Send {
                let written = typed::write(&**self, key, &value, Condition::Always, ttl.into());
                async move { written.await.map(drop) }
            }

            fn get<V: Decode>(
                &self,
                key: &str,
            ) -> impl Future<Output = BackendResult<Option<V>>> + Send {
                typed::get(&**self, key)
            }

            fn set_if_absent<V: Encode>(
                &self,
                key: &str,
                value: V,
                ttl: Option<Duration>,
            ) -> impl Future<Output = BackendResult<bool>> + Send {
                typed::write(&**self, key, &value, Condition::Absent, ttl.into())
            }

            fn set_if_present<V: Encode>(
                &self,
                key: &str,
                value: V,
                ttl: Option<Duration>,
            ) -> impl Future<Output = BackendResult<bool>> + Send {
                typed::write(&**self, key, &value, Condition::Present, ttl.into())
            }

            fn take<V: Decode>(
                &self,
                key: &str,
            ) -> impl Future<Output = BackendResult<Option<V>>> + Send {
                typed::take(&**self, key)
            }

            fn get_with_ttl<V: Decode>(
                &self,
                key: &str,
            ) -> impl Future<Output = BackendResult<Option<(V, Expiry)>>> + Send {
                typed::get_with_ttl(&**self, key)
            }

            fn get_many<V: Decode>(
                &self,
                keys: &[&str],
            ) -> impl Future<Output = BackendResult<Vec<Option<V>>>> + Send {
                typed::get_many(&**self, keys)
            }

            fn set_many<V: Encode>(
                &self,
                entries: &[(&str, V)],
                ttl: Option<Duration>,
            ) -> impl Future<Output = BackendResult<()>> + Send {
                typed::set_many(&**self, entries, ttl)
            }

            fn compare_and_set<V: Encode>(
                &self,
                key: &str,
                expected: &Stored,
                value: V,
                life: Life,
            ) -> impl Future<Output = BackendResult<bool>> + Send {
                let condition = Condition::Equals(expected.as_bytes());
                typed::write(&**self, key, &value, condition, life)
            }
        })*
    };
}

forward_backend!(<> Arc<B>, <> Box<B>, <'b> &'b B);
