//! Words that can't both be meant. Those that contradict a kind of keyspace stand in the table of
//! words; here are the pairs that contradict each other.

use syn::{Error, Ident};

use crate::attr::{ErrorOrMiss, KindWord, Limit, Mistakes, StructWords, Ttl, Word};

/// Notes each pair of words that can't both be meant, at both places.
pub(crate) fn check(words: &StructWords, mistakes: &mut Mistakes) {
    check_limits(words, mistakes);
    if let Some(counter) = name(&words.counter) {
        for (word, message) in words.against(KindWord::Counter) {
            at_both(counter, word, message, mistakes);
        }
    }
    if let Some(limit) = name(&words.limit) {
        for (word, message) in words.against(KindWord::Limit) {
            at_both(limit, word, message, mistakes);
        }
    }
    for (one, other, message) in pairs(words) {
        if let (Some(one), Some(other)) = (one, other) {
            at_both(one, other, message, mistakes);
        }
    }
    if words.counter.is_none() && words.value.is_none() && words.limit.is_none() {
        for (word, message) in words.against(KindWord::Entry) {
            mistakes.at(word.span(), message);
        }
    }
    let first = |version: &Word<u32>| version.meaning == Some(1);
    if let Some(migrates) = name(&words.migrates)
        && words.version.as_ref().is_none_or(first)
    {
        let message =
            "`migrates` reads an older version: write `version = 2` beside it, or a higher one";
        mistakes.at(migrates.span(), message);
    }
}

/// A word with a meaning, another one, and what to say if both are there.
type Pair<'w> = (Option<&'w Ident>, Option<&'w Ident>, &'static str);

/// Returns the pairs that contradict each other in a keyspace of any kind.
fn pairs(words: &StructWords) -> [Pair<'_>; 8] {
    let (burst, window) = (name(&words.burst), name(&words.window));
    let is_several = |word: &&Word<Vec<Limit>>| {
        let limits = word.meaning.as_ref();
        limits.is_some_and(|limits| limits.len() > 1)
    };
    let several = words.limit.as_ref().filter(is_several);
    let several = several.map(|word| &word.name);
    let never = words.ttl.as_ref();
    let never = never.filter(|word| matches!(word.meaning, Some(Ttl::Never)));
    let never = never.map(|word| &word.name);
    let (sliding, jitter, stale) = (
        name(&words.sliding),
        name(&words.jitter),
        name(&words.stale),
    );
    let goes_on = words.on_unavailable.as_ref();
    let goes_on = goes_on.filter(|word| matches!(word.meaning, Some(ErrorOrMiss::Miss)));
    let goes_on = goes_on.map(|word| &word.name);
    [
        (
            several,
            burst,
            "a `burst` is of one limit: write one, or limits that say how many pass at once (`limit = [\"10/s\", \"500/h\"]`)",
        ),
        (
            window,
            burst,
            "a window lets its limit pass at once: remove `burst`, or `window` for a bucket that has one",
        ),
        (
            sliding,
            stale,
            "what every read renews never gets old: remove `sliding`, or `stale`",
        ),
        (
            stale,
            never,
            "what has no end never gets old: remove `stale`, or write `ttl = \"5m\"`, the time that a value is fresh",
        ),
        (
            sliding,
            never,
            "nothing slides with `ttl = never`: remove `sliding`, or write `ttl = \"30m\"`",
        ),
        (
            jitter,
            never,
            "nothing is shortened with `ttl = never`: remove `jitter`, or write `ttl = \"30m\"`",
        ),
        (
            name(&words.lease),
            goes_on,
            "no lease is kept without the store: remove `lease`, or `on_unavailable`",
        ),
        (
            stale,
            goes_on,
            "an old value is refreshed under a lease, and none is kept without the store: remove `stale`, or `on_unavailable`",
        ),
    ]
}

/// Checks the words that say how a `limit` is counted.
fn check_limits(words: &StructWords, mistakes: &mut Mistakes) {
    let (burst, window) = (name(&words.burst), name(&words.window));
    if words.limit.is_none() {
        for (word, what) in [(burst, "burst"), (window, "window")] {
            let message = format!(
                "`{what}` says how a `limit` is counted: write `limit = \"5/min\"` beside it"
            );
            if let Some(word) = word {
                mistakes.at(word.span(), &message);
            }
        }
    }
    let limits = (words.limit.iter().filter_map(|word| word.meaning.as_ref())).flatten();
    for constant in limits.filter_map(Limit::constant) {
        for word in [burst, window].into_iter().flatten() {
            let message = format!(
                "a constant says itself how it is counted: remove `{word}`, or write the limit as text"
            );
            mistakes.at(word.span(), &message);
            mistakes.add(Error::new_spanned(constant, message));
        }
    }
}

fn at_both(one: &Ident, other: &Ident, message: &str, mistakes: &mut Mistakes) {
    mistakes.at(one.span(), message);
    mistakes.at(other.span(), message);
}

fn name<T>(word: &Option<Word<T>>) -> Option<&Ident> {
    word.as_ref().map(|word| &word.name)
}
