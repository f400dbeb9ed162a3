//! Numbers, sizes, times and texts as people read them.

use std::fmt::Write;
use std::time::Duration;

use crate::backend::Expiry;
use crate::numbers::{self, counted};

pub(super) use crate::numbers::number;

/// `1 entry`, `2 entries`
pub(super) fn count(count: usize, one: &str, many: &str) -> String {
    counted(count as u64, one, many)
}

/// `512 B`, `1.5 KiB`, `16.0 MiB`
pub(super) fn size(bytes: usize) -> String {
    numbers::size(bytes as u64)
}

/// `12 s`, `3 min 5 s`, `2 h 4 min`, `9 d 3 h`: the two largest units. A part of a second counts as
/// a whole one.
pub(super) fn time(time: Duration) -> String {
    let part = u64::from(time.subsec_nanos() > 0);
    let seconds = time.as_secs().saturating_add(part);
    let (days, hours) = (seconds / 86_400, seconds / 3_600 % 24);
    let (minutes, left) = (seconds / 60 % 60, seconds % 60);
    match (days, hours, minutes) {
        (0, 0, 0) => format!("{left} s"),
        (0, 0, _) => format!("{minutes} min {left} s"),
        (0, _, _) => format!("{hours} h {minutes} min"),
        _ => format!("{} d {hours} h", number(days)),
    }
}

/// The rest of a life.
pub(super) fn life(expiry: Expiry) -> String {
    match expiry {
        Expiry::Never => "no end".to_string(),
        Expiry::In(left) => time(left),
    }
}

/// The text with every character escaped that acts on what shows it: control characters, and those
/// that turn the direction of a line or can't be seen.
pub(super) fn visible(text: &str) -> String {
    let mut visible = String::with_capacity(text.len());
    let last = text.len().saturating_sub(1);
    for (position, char) in text.char_indices() {
        match char {
            // At the ends nobody sees it.
            ' ' if position == 0 || position == last => visible.push_str("\\u{20}"),
            '\n' => visible.push_str("\\n"),
            '\t' => visible.push_str("\\t"),
            '\\' => visible.push_str("\\\\"),
            char if char.is_control() || is_unseen(char) => {
                let _ = write!(visible, "\\u{{{:x}}}", char as u32);
            }
            char => visible.push(char),
        }
    }
    visible
}

/// Says whether a character has no width, looks like a space, or changes the direction of the text
/// around it.
fn is_unseen(char: char) -> bool {
    let is_other_space = char.is_whitespace() && char != ' ';
    is_other_space
        || matches!(
            char,
            '\u{ad}'
                | '\u{34f}'
                | '\u{61c}'
                | '\u{115f}'
                | '\u{1160}'
                | '\u{17b4}'
                | '\u{17b5}'
                | '\u{180b}'..='\u{180f}'
                | '\u{2800}'
                | '\u{3164}'
                | '\u{fe00}'..='\u{fe0f}'
                | '\u{ffa0}'
                | '\u{200b}'..='\u{200f}'
                | '\u{2028}'..='\u{202e}'
                | '\u{2060}'..='\u{206f}'
                | '\u{feff}'
                | '\u{fff9}'..='\u{fffb}'
                | '\u{e0000}'..='\u{e0fff}'
        )
}

/// `1f 8b 00`
pub(super) fn hex(bytes: &[u8]) -> String {
    let bytes = bytes.iter().map(|byte| format!("{byte:02x}"));
    bytes.collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_have_their_two_largest_units() {
        for (millis, text) in [
            (1, "1 s"),
            (59_000, "59 s"),
            (59_001, "1 min 0 s"),
            (3_600_000, "1 h 0 min"),
            (90_061_000, "1 d 1 h"),
            (86_400_000_000, "1,000 d 0 h"),
        ] {
            assert_eq!(time(Duration::from_millis(millis)), text);
        }
        assert_eq!(time(Duration::MAX), "213,503,982,334,601 d 7 h");
    }

    #[test]
    fn texts_that_differ_look_different() {
        let texts = [
            "a",
            "a ",
            " a",
            "a\u{a0}",
            "a\u{3164}",
            "a\u{fe0f}",
            "a\n",
            "a\\n",
        ];
        let shown: std::collections::HashSet<String> =
            texts.iter().map(|text| visible(text)).collect();
        assert_eq!(shown.len(), texts.len(), "{shown:?}");
    }

    #[test]
    fn no_character_acts_on_a_terminal_or_turns_a_line() {
        assert_eq!(
            visible("a\u{1b}[31m\r\n\u{202e}\u{9b}\0ü"),
            "a\\u{1b}[31m\\u{d}\\n\\u{202e}\\u{9b}\\u{0}ü"
        );
    }
}
