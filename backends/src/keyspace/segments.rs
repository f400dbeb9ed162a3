//! The segments of a key: a key is built of them, read back into them, and rewritten with them.

use std::fmt;

use percent_encoding::percent_decode_str;

use super::info::KeyspaceInfo;
use super::key::Key;
use super::segment::{KeyArg, KeySegment, SegmentWriter};
use super::target::Target;

/// For the derive: writes the text of a key, segment by segment.
#[derive(Debug)]
pub struct KeyBuilder<'k> {
    target: Target<'k>,
    segments: usize,
    tag: Option<usize>,
    is_possible: bool,
}

impl<'k> KeyBuilder<'k> {
    #[inline]
    fn new(mut target: Target<'k>, keyspace: &KeyspaceInfo) -> Self {
        write_head(&mut target, keyspace);
        Self {
            target,
            segments: 0,
            tag: keyspace.tag,
            is_possible: true,
        }
    }

    /// Adds the segment of a key field of type `T`.
    #[inline]
    pub fn segment<T>(&mut self, argument: &impl KeyArg<T>) -> &mut Self {
        self.write(|segment| argument.write(segment))
    }

    /// Adds the segment of a key field.
    #[inline]
    pub fn field<T: KeySegment + ?Sized>(&mut self, field: &T) -> &mut Self {
        self.write(|segment| field.write(segment))
    }

    /// Adds the segment that `write` writes.
    #[inline]
    pub fn write(&mut self, write: impl FnOnce(&mut SegmentWriter<'_>)) -> &mut Self {
        if self.segments > 0 {
            self.target.push(":");
        }
        let is_tag = self.tag == Some(self.segments);
        self.segments += 1;
        if !is_tag {
            write(&mut SegmentWriter::new(self.target.reborrow()));
            return self;
        }
        self.target.push("{");
        let before = self.target.len();
        write(&mut SegmentWriter::new(self.target.reborrow()));
        self.is_possible &= self.target.len() > before;
        self.target.push("}");
        self
    }
}

impl Key {
    /// For the derive: builds a key of the keyspace from the segments that `add` adds. A key whose
    /// tag is empty, which a cluster would ignore, becomes the empty key, which every backend
    /// refuses.
    #[inline]
    pub fn build(keyspace: &KeyspaceInfo, add: impl FnOnce(&mut KeyBuilder<'_>)) -> Self {
        let mut key = Self::empty();
        let mut builder = KeyBuilder::new(Target::Key(&mut key), keyspace);
        add(&mut builder);
        if !builder.is_possible {
            key = Self::empty();
        }
        key
    }

    /// For the derive: says whether this is the key that [`build`](Self::build) would build;
    /// allocates nothing.
    #[inline]
    pub fn is_built(&self, keyspace: &KeyspaceInfo, add: impl FnOnce(&mut KeyBuilder<'_>)) -> bool {
        let mut equal = 0;
        let target = Target::Other {
            text: self,
            is_plain: self.is_plain,
            equal: &mut equal,
        };
        let mut builder = KeyBuilder::new(target, keyspace);
        add(&mut builder);
        builder.is_possible && equal == self.len()
    }

    /// Builds a key of one segment, under a prefix that is known only now.
    pub(crate) fn of<T: KeySegment + ?Sized>(prefix: &str, segment: &T) -> Self {
        let mut key = Self::empty();
        key.push(prefix);
        key.push(":");
        segment.write(&mut SegmentWriter::new(Target::Key(&mut key)));
        key
    }

    /// Returns the text of the same key in another version of its keyspace; `None` if it can't be
    /// one.
    pub(super) fn moved(&self, from: &KeyspaceInfo, to: &KeyspaceInfo) -> Option<Self> {
        moved(self, from, to)
    }

    /// Returns the key of the lease under which the value of this key is computed; the empty key,
    /// which every backend refuses, if this is none of the keyspace's.
    pub(crate) fn of_lease(&self, keyspace: &KeyspaceInfo) -> Self {
        of_lease(self, keyspace).unwrap_or_else(Self::empty)
    }
}

/// For the derive: reads the segments of a key back.
///
/// Each segment must be the text that its value writes, to the letter: so two texts never name one
/// key.
pub struct Segments<'a> {
    rest: Option<&'a str>,
    position: usize,
    tag: Option<usize>,
}

impl<'a> Segments<'a> {
    /// Begins to read the text of a key; `None` if it belongs to another keyspace.
    pub fn new(keyspace: &KeyspaceInfo, text: &'a str) -> Option<Self> {
        let rest = segments(text, keyspace)?;
        let none = keyspace.key_fields.is_empty() && rest.is_empty();
        Some(Self {
            rest: (!none).then_some(rest),
            position: 0,
            tag: keyspace.tag,
        })
    }

    /// Reads the segment of a key field of type `T`.
    pub fn parse_next<T: KeySegment + ?Sized>(&mut self) -> Option<T::Owned>
    where
        T::Owned: KeySegment,
    {
        let rest = self.rest?;
        let (mut segment, rest) = match rest.split_once(':') {
            Some((segment, rest)) => (segment, Some(rest)),
            None => (rest, None),
        };
        if self.tag == Some(self.position) {
            segment = segment.strip_prefix('{')?.strip_suffix('}')?;
            if segment.is_empty() {
                return None;
            }
        }
        self.rest = rest;
        self.position += 1;
        let text = percent_decode_str(segment).decode_utf8().ok()?;
        let value = T::parse(&text)?;
        is_written_as(&value, segment).then_some(value)
    }

    /// Makes sure that nothing is left.
    pub fn end(self) -> Option<()> {
        self.rest.is_none().then_some(())
    }
}

/// Shows no segment, which may be a session's secret.
impl fmt::Debug for Segments<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Segments")
            .field("position", &self.position)
            .finish_non_exhaustive()
    }
}

fn is_written_as<T: KeySegment>(value: &T, segment: &str) -> bool {
    let mut equal = 0;
    let target = Target::Other {
        text: segment,
        is_plain: false,
        equal: &mut equal,
    };
    value.write(&mut SegmentWriter::new(target));
    equal == segment.len()
}

/// Rewrites a key of a keyspace, or a prefix of keys, to that of the lease: `page:en` to
/// `page@lease:en`, `page@2:en` to `page@2@lease:en`.
///
/// No keyspace has such a key, as its prefix holds no `@` and its version is a number; and no scan
/// of a keyspace sees it, as the prefix of its keys ends with a colon.
pub(super) fn of_lease(text: &str, keyspace: &KeyspaceInfo) -> Option<Key> {
    let segments = segments(text, keyspace)?;
    let head = scan_prefix(keyspace);
    Some(Key::of_parts([
        head.trim_end_matches(':'),
        "@lease:",
        segments,
    ]))
}

/// Rewrites the text of a key, or of its leading segments, from one version of a keyspace to
/// another.
pub(super) fn moved(text: &str, from: &KeyspaceInfo, to: &KeyspaceInfo) -> Option<Key> {
    let segments = segments(text, from)?;
    let mut key = Key::of_parts([scan_prefix(to).as_str()]);
    if segments.is_empty() {
        return Some(key);
    }
    for (position, segment) in segments.split(':').enumerate() {
        if position > 0 {
            key.push(":");
        }
        let segment = match from.tag == Some(position) {
            true => segment.strip_prefix('{')?.strip_suffix('}')?,
            false => segment,
        };
        match to.tag == Some(position) {
            true if segment.is_empty() => return None,
            true => ["{", segment, "}"]
                .into_iter()
                .for_each(|part| key.push(part)),
            false => key.push(segment),
        }
    }
    Some(key)
}

/// Returns the text behind the prefix and the version; `None` if `text` belongs to another
/// keyspace.
fn segments<'a>(text: &'a str, keyspace: &KeyspaceInfo) -> Option<&'a str> {
    text.strip_prefix(scan_prefix(keyspace).as_str())
}

/// Returns the prefix that all keys of the keyspace and no others begin with.
pub(crate) fn scan_prefix(keyspace: &KeyspaceInfo) -> Key {
    let mut key = Key::empty();
    write_head(&mut Target::Key(&mut key), keyspace);
    key
}

/// Writes the text that every key of the keyspace begins with.
#[inline]
fn write_head(target: &mut Target<'_>, keyspace: &KeyspaceInfo) {
    if keyspace.head.is_empty() {
        write_head_by_parts(target, keyspace);
    } else {
        target.push(keyspace.head);
    }
}

#[cold]
fn write_head_by_parts(target: &mut Target<'_>, keyspace: &KeyspaceInfo) {
    target.push(keyspace.prefix);
    if keyspace.version > 1 {
        target.push("@");
        SegmentWriter::new(target.reborrow()).display(keyspace.version);
    }
    target.push(":");
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backend::Life;
    use crate::keyspace::Kind;

    const PAIR: KeyspaceInfo =
        KeyspaceInfo::new("Pair", "pair", Kind::Value, &["a", "b"], Life::Never);

    fn pair(a: &str, b: &str) -> Key {
        Key::build(&PAIR, |key| {
            let _ = key.field(a).field(b);
        })
    }

    fn parse(text: &str) -> Option<(String, String)> {
        let mut segments = Segments::new(&PAIR, text)?;
        let pair = (segments.parse_next::<str>()?, segments.parse_next::<str>()?);
        segments.end()?;
        Some(pair)
    }

    #[test]
    fn a_separator_inside_of_a_segment_is_not_one() {
        assert_eq!(&*pair("a:b", "c"), "pair:a%3Ab:c");
        assert_eq!(&*pair("a", "b:c"), "pair:a:b%3Ac");
    }

    #[test]
    fn what_means_something_elsewhere_never_appears_raw() {
        for char in "%:*?[]^\\{} \t\n\0\u{7f}\u{a0}\u{2003}\u{85}".chars() {
            let key = pair(&char.to_string(), "");
            assert!(
                !key["pair:".len()..key.len() - 1].contains(char) || char == '%',
                "{char:?} in {key}"
            );
        }
        assert_eq!(&*pair("%", ""), "pair:%25:");
    }

    #[test]
    fn keys_are_read_back() {
        let odd = [
            "",
            "a",
            "%41",
            "a:b",
            "ü",
            "\u{10ffff}",
            "{x}",
            &"long".repeat(50),
        ];
        for a in odd {
            for b in odd {
                assert_eq!(parse(&pair(a, b)), Some((a.to_string(), b.to_string())));
            }
        }
    }

    #[test]
    fn text_that_no_key_has_is_not_read() {
        for text in [
            "",
            "pair",
            "pair:",
            "pair:a",
            "pair:a:b:c",
            "pairs:a:b",
            "pair:%61:b",
            "pair:%3a:b",
            "pair:%:b",
            "pair:ü:b",
            "pair:%ff:b",
        ] {
            assert_eq!(parse(text), None, "{text}");
        }
    }

    #[test]
    fn the_version_is_a_part_of_the_key_from_2_on() {
        let second = PAIR.version(2);
        let key = Key::build(&second, |key| {
            let _ = key.field("a").field("b");
        });
        assert_eq!(&*key, "pair@2:a:b");
        assert!(Segments::new(&second, "pair:a:b").is_none());
        assert!(Segments::new(&PAIR, "pair@2:a:b").is_none());
        assert!(Segments::new(&second, "pair@22:a:b").is_none());
        assert_eq!(
            &*pair("a", "b").moved(&PAIR, &second).unwrap(),
            "pair@2:a:b"
        );
        assert_eq!(&*key.moved(&second, &PAIR).unwrap(), "pair:a:b");
    }

    #[test]
    fn a_tag_stands_in_braces() {
        let tagged = PAIR.tag(1);
        let key = Key::build(&tagged, |key| {
            let _ = key.field("a").field("b}");
        });
        assert_eq!(&*key, "pair:a:{b%7D}");
        let mut segments = Segments::new(&tagged, &key).unwrap();
        assert_eq!(segments.parse_next::<str>().as_deref(), Some("a"));
        assert_eq!(segments.parse_next::<str>().as_deref(), Some("b}"));
        assert!(segments.end().is_some());
        for text in ["pair:a:b", "pair:a:{}", "pair:a:{b", "pair:{a}:b"] {
            let mut segments = Segments::new(&tagged, text).unwrap();
            let read = segments
                .parse_next::<str>()
                .zip(segments.parse_next::<str>());
            assert_eq!(read, None, "{text}");
        }
    }

    #[test]
    fn an_empty_tag_makes_a_key_that_every_backend_refuses() {
        let tagged = PAIR.tag(0);
        assert_eq!(
            &*Key::build(&tagged, |key| {
                let _ = key.field("").field("b");
            }),
            ""
        );
    }

    #[test]
    fn a_key_moves_between_versions_with_other_tags() {
        let (untagged, tagged) = (PAIR, PAIR.version(2).tag(0));
        let key = pair("a", "b").moved(&untagged, &tagged).unwrap();
        assert_eq!(&*key, "pair@2:{a}:b");
        assert_eq!(&*key.moved(&tagged, &untagged).unwrap(), "pair:a:b");
        assert_eq!(pair("", "b").moved(&untagged, &tagged), None);
    }

    #[test]
    fn the_key_of_a_lease_is_no_keyspaces() {
        let second = PAIR.version(2);
        let key = pair("a:b", "c");
        assert_eq!(&*key.of_lease(&PAIR), "pair@lease:a%3Ab:c");
        let newer = key.moved(&PAIR, &second).unwrap();
        assert_eq!(&*newer.of_lease(&second), "pair@2@lease:a%3Ab:c");
        assert_eq!(&*of_lease("pair:a:", &PAIR).unwrap(), "pair@lease:a:");
        assert_eq!(&*key.of_lease(&second), "", "it is another's key");
        for keyspace in [&PAIR, &second] {
            for key in [key.of_lease(&PAIR), newer.of_lease(&second)] {
                assert!(Segments::new(keyspace, &key).is_none());
                assert!(!key.starts_with(&*scan_prefix(keyspace)));
            }
        }
    }

    #[test]
    fn debug_shows_no_segment() {
        let key = pair("topsecret", "x");
        assert_eq!(format!("{key:?}"), "Key(pair:..)");
        assert!(key.is_built(&PAIR, |builder| {
            builder.field("topsecret").write(|segment| {
                let shown = format!("{segment:?}");
                assert!(!shown.contains("topsecret"), "{shown}");
                segment.text("x");
            });
        }));
        let segments = format!("{:?}", Segments::new(&PAIR, &key));
        assert!(!segments.contains("topsecret"), "{segments}");
    }

    #[test]
    fn a_key_without_fields_is_the_prefix_and_a_colon() {
        const ONE: KeyspaceInfo = KeyspaceInfo::new("One", "one", Kind::Counter, &[], Life::Never);
        assert_eq!(
            &*Key::build(&ONE, |key| {
                let _ = key;
            }),
            "one:"
        );
        assert!(Segments::new(&ONE, "one:").unwrap().end().is_some());
        assert!(Segments::new(&ONE, "one:x").unwrap().end().is_none());
    }

    #[test]
    fn numbers_are_read_back_only_as_they_are_written() {
        const ONE: KeyspaceInfo =
            KeyspaceInfo::new("One", "one", Kind::Counter, &["n"], Life::Never);
        let read = |text| Segments::new(&ONE, text)?.parse_next::<u32>();
        assert_eq!(read("one:7"), Some(7));
        for text in ["one:07", "one:+7", "one:-7", "one:", "one:4294967296"] {
            assert_eq!(read(text), None);
        }
    }
}
