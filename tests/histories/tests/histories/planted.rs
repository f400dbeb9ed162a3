//! Faults of a library that isn't ours: each is found within some schedules.

use std::time::{Duration, Instant};

use reinhardt_backends_histories::{Plan, Planted, Stage, Violation, run, shrink};

/// On a machine that is busy a schedule shows less.
const PATIENCE: Duration = Duration::from_secs(300);

/// Runs schedules until one shows the fault.
fn is_found(stage: Stage, planted: Planted) -> Violation {
    is_found_by(|seed| Plan::new(stage, seed), planted)
}

fn is_found_by(plan: impl Fn(u64) -> Plan, planted: Planted) -> Violation {
    let deadline = Instant::now() + PATIENCE;
    for seed in 0.. {
        assert!(Instant::now() < deadline, "{planted:?} is not found");
        let outcome = run(&plan(seed), Some(planted));
        if let Err(violation) = outcome.verdict {
            return violation;
        }
    }
    unreachable!("there are more seeds than time");
}

/// Which of these a fault shows as first depends on the call that met it.
#[track_caller]
fn shows_in_keys(violation: &Violation) {
    let is_of_keys = matches!(
        violation,
        Violation::Impossible(_)
            | Violation::Foreign(_)
            | Violation::Invented(_)
            | Violation::CountedTwice(_)
    );
    assert!(is_of_keys, "{violation}");
}

#[test]
fn a_stale_read_is_found() {
    let violation = is_found(Stage::Memory, Planted::StaleRead);
    let Violation::Impossible(calls) = violation else {
        panic!("{violation}");
    };
    let shortest = shrink(&calls);
    assert!(shortest.len() < calls.len(), "{}", calls.len());
}

#[test]
fn a_write_that_was_never_sent_is_found() {
    let violation = is_found(Stage::Memory, Planted::LostWrite);
    shows_in_keys(&violation);
}

#[test]
fn an_entry_of_many_that_was_never_sent_is_found() {
    let violation = is_found(Stage::Memory, Planted::LostPart);
    shows_in_keys(&violation);
}

#[test]
fn a_list_of_keys_that_lacks_one_is_found() {
    let violation = is_found(Stage::Memory, Planted::SkippedKey);
    shows_in_keys(&violation);
}

#[test]
fn the_answer_to_another_question_is_found() {
    let violation = is_found(Stage::Memory, Planted::MixedAnswers);
    shows_in_keys(&violation);
}

#[test]
fn an_increment_that_is_sent_twice_is_found() {
    let violation = is_found(Stage::Server, Planted::SecondSend);
    shows_in_keys(&violation);
}

#[test]
fn an_error_that_becomes_a_miss_is_found() {
    let violation = is_found(Stage::Server, Planted::SwallowedError);
    shows_in_keys(&violation);
}

#[test]
fn a_redirection_that_is_lost_is_found() {
    let violation = is_found_by(Plan::of_moving_slots, Planted::LostMoved);
    shows_in_keys(&violation);
}

#[test]
fn an_owner_that_does_not_look_when_its_lease_ends_is_found() {
    let violation = is_found(Stage::Memory, Planted::EndlessLease);
    assert!(matches!(violation, Violation::TwoOwners(_)), "{violation}");
}

#[test]
fn a_removal_that_is_only_thought_to_be_made_is_found() {
    let violation = is_found(Stage::Server, Planted::ForgottenRemoval);
    assert!(matches!(violation, Violation::Outdated(_)), "{violation}");
}

#[test]
fn a_deletion_that_is_only_thought_to_be_made_is_found() {
    let violation = is_found(Stage::Server, Planted::ForgottenDeletion);
    assert!(
        matches!(violation, Violation::Resurrected(_)),
        "{violation}"
    );
}

#[test]
fn an_old_id_that_a_session_keeps_is_found() {
    let violation = is_found(Stage::Memory, Planted::KeptId);
    assert!(
        matches!(violation, Violation::Resurrected(_)),
        "{violation}"
    );
}

#[test]
fn a_session_that_gets_a_new_id_and_is_lost_is_found() {
    let violation = is_found(Stage::Memory, Planted::LostSession);
    assert!(matches!(violation, Violation::Vanished(_)), "{violation}");
}

#[test]
fn a_list_of_thousands_that_lacks_a_key_is_found() {
    let violation = is_found(Stage::Memory, Planted::ShortList);
    assert!(matches!(violation, Violation::Listed(_)), "{violation}");
}

#[test]
fn a_call_that_takes_longer_than_its_deadline_is_found() {
    let violation = is_found(Stage::Memory, Planted::NoDeadline);
    assert!(matches!(violation, Violation::Late(_)), "{violation}");
}

#[test]
fn attempts_that_are_let_through_for_nothing_are_found() {
    let violation = is_found(Stage::Memory, Planted::FreeAttempt);
    assert!(matches!(violation, Violation::TooMany(..)), "{violation}");
}

#[test]
fn a_server_that_forgets_when_it_is_killed_is_found() {
    // It shows in throttles and leases, too.
    let violation = is_found(Stage::Server, Planted::ForgetfulServer);
    assert!(
        !matches!(violation, Violation::Late(_) | Violation::NotBack(_)),
        "{violation}"
    );
}

#[test]
fn a_store_that_never_comes_back_is_found() {
    let violation = is_found(Stage::Server, Planted::NeverBack);
    assert!(matches!(violation, Violation::NotBack(_)), "{violation}");
}

#[test]
fn a_failure_that_is_less_certain_than_it_says_is_found() {
    let violation = is_found(Stage::Server, Planted::CertainFailure);
    shows_in_keys(&violation);
}
