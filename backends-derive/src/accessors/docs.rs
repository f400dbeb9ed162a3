//! The parts that the generated docs of accessors share: the errors, and the life in words.

use crate::ast::compact;
use crate::attr::Ttl;
use crate::scope::Scope;

pub(super) const CALL: &str = "`InvalidKey` if the key, escapes included, is over the limit (1 KiB unless the backend has another); and the \
    errors of the backend.";

pub(super) const DECODE: &str = "`Decode` if the stored bytes are of another type or of another key's entry, and they stay; and the errors of \
    the backend.";

pub(super) const TAKE: &str = "`Decode` if the stored bytes are of another type or of another key's entry, and they are gone then; and the \
    errors of the backend.";

pub(super) const ENCODE: &str = "`Encode` or `TooLarge`, before anything is sent; `Conflict`, with `migrates` alone, if other writers were faster \
    every time; and the errors of the backend.";

pub(super) const ENCODE_FOR: &str = "`InvalidTtl` for zero and for more than 10,000 years, `Encode` or `TooLarge`, before anything \
    is sent; `Conflict`, with `migrates` alone, if other writers were faster every time; and the errors of the backend.";

pub(super) const UPDATE: &str = "`InvalidKey` if a closure changes or chooses another key, `Conflict` if other writers were faster every \
    time, `Decode`, `Encode` or `TooLarge`, and nothing is changed; and the errors of the backend.";

pub(super) const TRY_UPDATE: &str = "The error of a closure; `InvalidKey` if one changes or chooses another key, `Conflict` if other \
    writers were faster every time, `Decode`, `Encode` or `TooLarge`, and nothing is changed; and the errors of \
    the backend.";

pub(super) const MANY: &str = "`Encode`, `InvalidKey` or `TooLarge`, before anything is sent, with the positions of the entries at fault; \
    `Conflict`, with `migrates` alone, if other writers were faster every time, and the errors of the backend, with the \
    positions of the entries that were not stored or not acknowledged.";

pub(super) const DELETE_MANY: &str = "`InvalidKey` if a key is over the limit, before anything is sent; and the errors of the backend.";

pub(super) const CHECK: &str = "`WrongType` if something else is stored there, and it stays; and the errors of the backend: \
    `throttle::WhenDown` says what to make of that.";

pub(super) const CHECK_N: &str = "`TooLarge` for a cost over a limit, which could never pass, before anything is sent; `WrongType` if \
    something else is stored there, and it stays; and the errors of the backend: `throttle::WhenDown` says what to make \
    of that.";

pub(super) const COUNT: &str = "`WrongType` if the stored bytes are no integer that fits `i64`, `Overflow` if the sum doesn't, and \
    nothing is changed; and the errors of the backend.";

/// A paragraph of a read, in a keyspace that goes on without its store.
pub(super) fn read_without(scope: &Scope<'_>) -> &'static str {
    if_it_goes_on(
        scope,
        "\n\nWhile the store is away it finds nothing, and that is no error.",
    )
}

/// A paragraph of a write that asks for nothing, in a keyspace that goes on without its store.
pub(super) fn write_without(scope: &Scope<'_>) -> &'static str {
    if_it_goes_on(
        scope,
        "\n\nWhile the store is away it stores nothing, and that is no error.",
    )
}

/// A paragraph of a computation, in a keyspace that goes on without its store.
pub(super) fn compute_without(scope: &Scope<'_>) -> &'static str {
    if_it_goes_on(
        scope,
        "\n\nWhile the store is away it computes and stores nothing, and that is no error.",
    )
}

fn if_it_goes_on(scope: &Scope<'_>, paragraph: &'static str) -> &'static str {
    match scope.keyspace.goes_on() {
        true => paragraph,
        false => "",
    }
}

/// "`30m`", for docs.
pub(super) fn life(scope: &Scope<'_>) -> String {
    time(&scope.keyspace.ttl)
}

pub(super) fn time(time: &Ttl) -> String {
    match time {
        Ttl::Never => "ever".to_string(),
        Ttl::For(_, text) => format!("`{text}`"),
        Ttl::Constant(path) => format!("`{}`", compact(path)),
    }
}
