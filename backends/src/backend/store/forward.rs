//! The forwarding of all calls of a store to a store inside.

/// Implements [`Store`](super::Store) for types that hand on each call as it is, to the store that
/// an expression of `self` names.
///
/// Each method hands out the inner store's boxed future: an `async fn` here would put it into a
/// second box.
macro_rules! forward_store {
    ($([$($generics:tt)*] $type:ty: |$self:ident| $inner:expr;)*) => {
        $(const _: () = {
            use std::future::Future;
            use std::pin::Pin;
            use std::time::Duration;

            use $crate::backend::store::{
                BoxedCall, NewEntry, Observer, ReplicaReads, Store, StoreInfo, SyncStore, Touch,
            };
            use $crate::backend::{Counted, Expiry, KeyStream, Life, Stored, Write};
            use $crate::quota::{Attempt, Decision};

            #[deny(clippy::missing_trait_methods)]
            impl<$($generics)*> Store for $type {
                $crate::backend::store::forward::forward_calls! {
                    $self, $inner;
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

                fn keys<'a>(&'a $self, prefix: &str) -> KeyStream<'a> {
                    $inner.keys(prefix)
                }

                fn shut_down<'s, 'f>(&'s $self) -> Pin<Box<dyn Future<Output = ()> + Send + 'f>>
                where
                    's: 'f,
                    Self: 'f,
                {
                    $inner.shut_down()
                }

                #[inline]
                fn info(&$self) -> StoreInfo {
                    $inner.info()
                }

                #[inline]
                fn as_sync(&$self) -> Option<&dyn SyncStore> {
                    $inner.as_sync()
                }

                #[inline]
                fn replica_reads(&$self) -> Option<&dyn ReplicaReads> {
                    $inner.replica_reads()
                }

                #[inline]
                fn part_of(&$self, key: &str) -> u64 {
                    $inner.part_of(key)
                }

                #[inline]
                fn observer(&$self) -> Option<&dyn Observer> {
                    $inner.observer()
                }
            }
        };)*
    };
}

/// Implements the methods as `#[async_trait]` would spell them, each by a call of the inner store.
macro_rules! forward_calls {
    (
        $self:ident, $inner:expr;
        $($method:ident<$($life:lifetime),*>($($argument:ident: $type:ty),*) -> $output:ty;)*
    ) => {
        $(#[inline]
        fn $method<'s, $($life,)* 'f>(&'s $self, $($argument: $type),*) -> BoxedCall<'f, $output>
        where
            's: 'f,
            $($life: 'f,)*
            Self: 'f,
        {
            $inner.$method($($argument),*)
        })*
    };
}

pub(crate) use {forward_calls, forward_store};
