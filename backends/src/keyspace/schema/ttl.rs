//! Lives as the file has them, by their meaning.

use std::time::Duration;

/// Says whether two lives, as the file has them, are the same times in other words.
pub(super) fn is_same_life(one: &str, other: &str) -> bool {
    let mut others = other.split(", ");
    let is_same = one.split(", ").all(|part| {
        others.next().is_some_and(|other| {
            part == other || time(part).is_some_and(|it| time(other) == Some(it))
        })
    });
    is_same && others.next().is_none()
}

/// `lease 1h` as the word and the time.
fn time(part: &str) -> Option<(&str, Duration)> {
    let words = ["lease ", "stale "];
    let word = words.into_iter().find(|word| part.starts_with(word));
    let word = word.unwrap_or_default();
    let time = humantime::parse_duration(&part[word.len()..]).ok()?;
    Some((word, time))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_times_in_other_words_are_the_same() {
        let old = "2months 29days 2h 52m 48s, sliding, stale 1h 30m, jitter 5%";
        assert!(is_same_life(old, "90d, sliding, stale 90m, jitter 5%"));
        assert!(is_same_life("never", "never"));
        for other in [
            "89d, sliding, stale 90m, jitter 5%",
            "90d, sliding, lease 90m, jitter 5%",
            "90d, sliding, stale 90m, jitter 6%",
            "90d, sliding, stale 90m",
            "90d, sliding, stale 90m, jitter 5%, more",
            "never",
        ] {
            assert!(!is_same_life(old, other), "{other}");
            assert!(!is_same_life(other, old), "{other}");
        }
    }
}
