//! Numbers, sizes, times and texts as people read them.

use std::fmt::Write;
use std::time::Duration;

use crate::backend::Expiry;

/// `1,234,567`
pub(super) fn number(number: impl Into<u64>) -> String {
    let digits = number.into().to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (position, digit) in digits.chars().enumerate() {
        if position > 0 && (digits.len() - position).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// `1 entry`, `2 entries`
pub(super) fn count(count: usize, one: &str, many: &str) -> String {
    match count {
        1 => format!("1 {one}"),
        count => format!("{} {many}", number(count as u64)),
    }
}

/// `512 B`, `1.5 KiB`, `16.0 MiB`
pub(super) fn size(bytes: usize) -> String {
    const UNIT: f64 = 1024.0;
    let mut size = bytes as f64;
    if bytes < 1024 {
        return format!("{bytes} B");
    }
    let mut units = ["KiB", "MiB", "GiB", "TiB"].into_iter();
    let mut unit = units.next().unwrap_or_default();
    size /= UNIT;
    for larger in units {
        // From here on it would be printed as 1024.0.
        if size < 1023.95 {
            break;
        }
        size /= UNIT;
        unit = larger;
    }
    format!("{size:.1} {unit}")
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
    fn numbers_have_a_comma_every_three_digits() {
        for (value, text) in [
            (0, "0"),
            (999, "999"),
            (1_000, "1,000"),
            (20_000_000, "20,000,000"),
        ] {
            assert_eq!(number(value as u64), text);
        }
        assert_eq!(count(1, "entry", "entries"), "1 entry");
        assert_eq!(count(1_000, "entry", "entries"), "1,000 entries");
    }

    #[test]
    fn sizes_have_the_largest_unit_that_fits() {
        for (bytes, text) in [
            (0, "0 B"),
            (1023, "1023 B"),
            (1024, "1.0 KiB"),
            (1536, "1.5 KiB"),
            ((1 << 20) - 1, "1.0 MiB"),
            (16 << 20, "16.0 MiB"),
            (1 << 50, "1024.0 TiB"),
        ] {
            assert_eq!(size(bytes), text);
        }
    }

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
