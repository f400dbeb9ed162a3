//! Faults by chance are the same for the same seed.

use super::*;

/// Makes so many increments under random faults, and returns what became of each: the kind of its
/// error and whether its outcome is unknown, and the sum that is stored.
async fn history(seed: u64) -> Vec<(Option<(ErrorKind, bool)>, i64)> {
    let flaky = Flaky::seeded(MemoryBackend::new(), seed);
    flaky.chaos(0.5);
    let mut history = Vec::new();
    for _ in 0..200 {
        let counted = flaky.increment("hits", None).await;
        let failed = counted.err().map(|e| (e.kind(), e.outcome_unknown()));
        let sum: Option<i64> = flaky.inner().get("hits").await.unwrap();
        history.push((failed, sum.unwrap_or_default()));
    }
    history
}

#[tokio::test]
async fn one_seed_gives_one_history_and_another_seed_another() {
    assert_eq!(history(7).await, history(7).await);
    assert_ne!(history(7).await, history(8).await);
    assert_eq!(flaky().seed(), 0);
    assert_eq!(Flaky::seeded(MemoryBackend::new(), 7).seed(), 7);
}

#[tokio::test]
async fn chaos_fails_in_every_way() {
    let mut before = 0;
    let mut seen = std::collections::BTreeSet::new();
    for (failed, sum) in history(7).await {
        let had_effect = sum > before;
        before = sum;
        match failed {
            None => assert!(had_effect),
            Some((kind, is_unknown)) => {
                assert_eq!(kind, ErrorKind::Unavailable);
                seen.insert((is_unknown, had_effect));
            }
        }
    }
    let all = [(false, false), (true, false), (true, true)];
    assert_eq!(seen.into_iter().collect::<Vec<_>>(), all);
}

#[tokio::test]
async fn a_chance_is_about_as_often_as_it_says() {
    for (chance, expected) in [
        (0.0, 0..=0),
        (-1.0, 0..=0),
        (f64::NAN, 0..=0),
        (0.25, 180..=320),
        (1.0, 1000..=1000),
        (f64::INFINITY, 1000..=1000),
    ] {
        let flaky = flaky();
        let rule = flaky.on(Op::Write).chance(chance).fail(ErrorKind::Full);
        failed_writes(&flaky, 1000).await;
        let applied = rule.applied();
        assert!(expected.contains(&applied), "{chance}: {applied}");
    }
}

/// Another rule in front of a rule changes which calls it is applied to, and not its chance.
#[tokio::test]
async fn the_chance_of_a_rule_does_not_depend_on_the_calls_that_others_take() {
    let failures = async |first: ErrorKind, is_taken: bool| {
        let flaky = flaky();
        let number = if is_taken { 3 } else { 0 };
        flaky.on(Op::Write).nth(number).fail(first);
        flaky.on(Op::Write).chance(0.5).fail(ErrorKind::Full);
        failed_writes(&flaky, 50).await
    };
    let (mut with, mut without) = (
        failures(ErrorKind::Denied, true).await,
        failures(ErrorKind::Denied, false).await,
    );
    assert!(with.remove(2));
    without.remove(2);
    assert_eq!(with, without);
}

#[tokio::test]
async fn a_chance_goes_with_numbers() {
    let flaky = flaky();
    let rule = flaky.on(Op::Write).after(10).first(100).chance(0.5);
    let rule = rule.fail(ErrorKind::Full);
    let failed = failed_writes(&flaky, 300).await;
    assert!(failed[..10].iter().all(|failed| !failed));
    assert!(failed[110..].iter().all(|failed| !failed));
    assert!((20..=80).contains(&rule.applied()), "{}", rule.applied());
}
