//! The table of the words on a struct. A new word is one row, its parser in `parse.rs`, a field of
//! the model in `ast.rs`, and a line in `expand/` that writes what it means.
//!
//! A row has the name of the word, the field that it is kept in, and its meaning. In brackets stand
//! an example of how it is written and its parser, or `alone` if it takes no value. Behind them
//! stands what is said where the word contradicts the kind of the keyspace: a `counter`, a throttle
//! (`limit`), or an entry (neither of them, and no `value`).

use syn::parse::ParseStream;
use syn::{Attribute, Ident, Path, Type};

use super::parse::{
    burst, codec, crate_path, error_or_miss, jitter, lease, limits, migrates, prefix, stale, ttl,
    value_type, version, window,
};
use super::reading::{Place, each_word, once, stands_alone, unknown, value};
use super::words::{ErrorOrMiss, Limit, Mistakes, Prefix, Ttl, Unread, Window, Word};

const ON_STRUCT: Place = Place {
    example: "`#[keyspace(prefix = \"session\", ttl = \"30m\")]`",
    words: struct_words,
    text: Some("prefix"),
};
/// The kinds of keyspaces that some words contradict.
#[derive(Clone, Copy)]
pub(crate) enum KindWord {
    Counter,
    Limit,
    /// Neither a counter nor a throttle, and no `value`.
    Entry,
}

macro_rules! words {
    ($(
        $name:literal, $field:ident: $meaning:ty,
        $form:tt
        $(, counter $counter:literal)?
        $(, limit $limit:literal)?
        $(, entry $entry:literal)?;
    )*) => {
        /// The words on a struct.
        #[derive(Default)]
        pub(crate) struct StructWords {
            $(pub(crate) $field: Option<Word<$meaning>>,)*
            pub(crate) unread: Unread,
        }

        $(words!(@example $form);)*

        const NAMES: &[&str] = &[$($name),*];

        impl StructWords {
            /// Notes a word, or the mistake that it is.
            fn note(
                &mut self,
                name: Ident,
                input: ParseStream<'_>,
                mistakes: &mut Mistakes,
            ) {
                match name.to_string().as_str() {
                    $($name => {
                        let meaning = words!(@read name input $form);
                        once(&mut self.$field, name, meaning, mistakes);
                    })*
                    "key" | "tag" => mistakes.at(
                        name.span(),
                        &format!("`{name}` marks a field: write `#[keyspace({name})]` on it"),
                    ),
                    _ => mistakes.add(unknown(&name, &ON_STRUCT)),
                }
            }

            /// Returns the words that contradict a kind, with what to say.
            pub(crate) fn against(&self, kind: KindWord) -> Vec<(&Ident, &'static str)> {
                let rows = [$((
                    self.$field.as_ref().map(|word| &word.name),
                    match kind {
                        KindWord::Counter => words!(@text $($counter)?),
                        KindWord::Limit => words!(@text $($limit)?),
                        KindWord::Entry => words!(@text $($entry)?),
                    },
                )),*];
                let given = rows.into_iter().filter_map(|(name, text)| name.zip(text));
                given.collect()
            }
        }
    };
    (@example [example $example:ident $text:literal by $parse:ident]) => {
        pub(super) const $example: &str = $text;
    };
    (@example [alone]) => {};
    (@read $name:ident $input:ident [example $example:ident $text:literal by $parse:ident]) => {
        value(&$name, $input, $example, $parse)
    };
    (@read $name:ident $input:ident [alone]) => {
        stands_alone(&$name, $input)
    };
    (@text $text:literal) => { Some($text) };
    (@text) => { None };
}

words! {
    "prefix", prefix: Prefix,
        [example PREFIX "`prefix = \"session\"`, or `prefix = [\"cached\", T::NAME]` for parts that are joined by dots"
        by prefix];
    "ttl", ttl: Ttl,
        [example TTL "`ttl = \"30m\"` or `ttl = never`"
        by ttl],
        limit "a throttle lives for as long as its `limit` needs it: remove `ttl`";
    "value", value: Type,
        [example VALUE "`value = String`"
        by value_type],
        counter "a keyspace is a `counter` or has a `value`, not both",
        limit "a keyspace has a `value` or a `limit`, not both";
    "counter", counter: (),
        [alone],
        limit "a keyspace is a `counter` or has a `limit`, not both";
    "limit", limit: Vec<Limit>,
        [example LIMIT "`limit = \"5/min\"`, or `limit = [\"10/s\", \"500/h\"]` for several at once"
        by limits];
    "burst", burst: u32,
        [example BURST "`burst = 10`"
        by burst];
    "window", window: Window,
        [example WINDOW "`window = \"fixed\"` or `window = \"sliding\"`"
        by window];
    "version", version: u32,
        [example VERSION "`version = 2`"
        by version];
    "codec", codec: Type,
        [example CODEC "`codec = Json`, or the path of a type that implements `Codec`"
        by codec],
        counter "a `counter` is stored as decimal text: remove `codec`",
        limit "a throttle stores no values: remove `codec`";
    "sliding", sliding: (),
        [alone],
        counter "the window of a `counter` starts at the first hit and closes: remove `sliding`",
        limit "reading a throttle doesn't prolong it: write `window = \"sliding\"` for a sliding window";
    "jitter", jitter: u8,
        [example JITTER "`jitter = \"10%\"`"
        by jitter],
        counter "the window of a `counter` is as long as it says: remove `jitter`",
        limit "a throttle waits for exactly as long as it says: remove `jitter`";
    "shared", shared: (),
        [alone],
        counter "a `counter` isn't decoded, so there is nothing to share: remove `shared`",
        limit "a throttle stores no values, so there is nothing to share: remove `shared`";
    "lease", lease: Ttl,
        [example LEASE "`lease = \"10s\"`"
        by lease],
        counter "a `counter` is counted and not computed: remove `lease`",
        limit "a throttle stores no values: remove `lease`",
        entry "an entry is saved and not computed: remove `lease`, or declare a key with `value = T`";
    "stale", stale: Ttl,
        [example STALE "`stale = \"10m\"`"
        by stale],
        counter "a `counter` is counted and not computed: remove `stale`",
        limit "a throttle stores no values: remove `stale`",
        entry "an entry is saved and not computed: remove `stale`, or declare a key with `value = T`";
    "migrates", migrates: Type,
        [example MIGRATES "`migrates = SessionV1`"
        by migrates],
        counter "a `counter` has no layout to migrate: remove `migrates`",
        limit "a throttle has no layout to migrate: remove `migrates`";
    "on_decode_error", on_decode_error: ErrorOrMiss,
        [example ON_DECODE_ERROR "`on_decode_error = \"miss\"` or `on_decode_error = \"error\"`"
        by error_or_miss],
        counter "a `counter` is stored as decimal text: remove `on_decode_error`",
        limit "a throttle stores no values: remove `on_decode_error`";
    "on_unavailable", on_unavailable: ErrorOrMiss,
        [example ON_UNAVAILABLE "`on_unavailable = \"miss\"` or `on_unavailable = \"error\"`"
        by error_or_miss],
        counter "a `counter` without its store would count from zero: remove `on_unavailable`",
        limit "a throttle is told what to do without its store by `throttle::WhenDown`: remove `on_unavailable`";
    "inspect", inspect: (),
        [alone];
    "crate", krate: Path,
        [example CRATE "`crate = path::to::reinhardt_backends`"
        by crate_path];
}

impl StructWords {
    pub(crate) fn parse(attributes: &[Attribute], mistakes: &mut Mistakes) -> Self {
        let mut words = Self::default();
        words.unread = each_word(attributes, &ON_STRUCT, mistakes, |name, input, mistakes| {
            words.note(name, input, mistakes);
        });
        words
    }
}

/// Returns the sentence of the known words.
fn struct_words() -> String {
    let quoted: Vec<String> = NAMES.iter().map(|name| format!("`{name}`")).collect();
    let (last, others) = quoted.split_last().expect("there are words");
    format!("on a struct the words are {} and {last}", others.join(", "))
}
