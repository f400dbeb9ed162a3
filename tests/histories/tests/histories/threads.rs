//! Threads that call one store in memory: their histories are right, those of a broken store
//! aren't, and ends are judged to the moment.

use reinhardt_backends_histories::threads::{Planted, run};
use reinhardt_backends_histories::{
    Action, Answer, Call, End, FOR_EVER, Lasts, Order, Rules, Violation, When, order_by,
};

use super::orders::{MILLI, call, done, read};

const MEMORY: Rules = Rules {
    grace: 200,
    may_vanish: false,
};
const CACHE: Rules = Rules {
    may_vanish: true,
    ..MEMORY
};

#[test]
fn schedules_on_threads_are_right() {
    for seed in 0..12 {
        let outcome = run(seed, None);
        let [answered, ..] = outcome.counts();
        assert!(answered > 0, "seed {seed}");
        match outcome.verdict {
            Ok(judged) => assert!(
                judged.undecided * 20 <= judged.keys,
                "seed {seed}: {judged:?}"
            ),
            Err(violation) => panic!("seed {seed}: {violation}"),
        }
    }
}

/// Runs schedules until one shows the fault.
fn is_found(planted: Planted) -> Violation {
    for seed in 0..60 {
        if let Err(violation) = run(seed, Some(planted)).verdict {
            return violation;
        }
    }
    panic!("{planted:?} is not found");
}

#[track_caller]
fn has_no_order(planted: Planted) {
    let violation = is_found(planted);
    assert!(matches!(violation, Violation::Impossible(_)), "{violation}");
}

#[test]
fn a_compare_and_set_in_two_steps_is_found() {
    has_no_order(Planted::TwoSteps);
}

#[test]
fn the_lazy_removal_of_a_fresh_value_is_found() {
    has_no_order(Planted::LazyRemoval);
}

#[test]
fn an_entry_that_comes_back_after_it_was_evicted_is_found() {
    has_no_order(Planted::ComesBack);
}

#[test]
fn an_update_whose_result_is_lost_is_found() {
    has_no_order(Planted::LostUpdate);
}

#[test]
fn a_key_that_a_scan_leaves_out_is_found() {
    has_no_order(Planted::SkippedKey);
}

#[test]
fn two_computations_at_one_time_are_found() {
    let violation = is_found(Planted::TwoComputations);
    assert!(matches!(violation, Violation::Computed(_)), "{violation}");
}

#[test]
fn a_computed_value_that_outlives_its_removal_is_found() {
    let violation = is_found(Planted::StoredLate);
    // It is told of twice as well.
    let is_it = matches!(
        violation,
        Violation::Computed(_) | Violation::Impossible(_) | Violation::Told(_)
    );
    assert!(is_it, "{violation}");
}

#[test]
fn a_closure_that_runs_under_a_lock_is_found() {
    let violation = is_found(Planted::HeldLock);
    let Violation::Stuck(calls) = violation else {
        panic!("{violation}");
    };
    assert!(
        calls.iter().any(|call| call.contains("Update")),
        "{calls:?}"
    );
}

fn left(began: u64, ended: u64, left: Option<u64>) -> Call {
    let left = left.map(|millis| millis.saturating_mul(MILLI));
    call(began, ended, Action::Ttl, End::Answered(Answer::Left(left)))
}

#[track_caller]
fn has_an_order(calls: &[Call]) {
    assert_eq!(order_by(calls, MEMORY), Order::Found);
}

#[track_caller]
fn has_none(calls: &[Call]) {
    assert_eq!(order_by(calls, MEMORY), Order::None);
}

const BRIEF: Action = Action::Put(1, Lasts::For(100), When::Always);

/// A call that began before the end and took effect after somebody had found the entry absent.
#[test]
fn an_entry_that_ended_is_not_brought_back_by_a_call_from_before() {
    let brief = done(0, 1, BRIEF);
    for (late, answer, value) in [
        (Action::Expire(None), Answer::Done(true), 1),
        (Action::Restart(500), Answer::Value(Some(1)), 1),
        (Action::Extend(500), Answer::Value(Some(1)), 1),
        (
            Action::Put(2, Lasts::Ever, When::Present),
            Answer::Done(true),
            2,
        ),
        (
            Action::Put(2, Lasts::Ever, When::Equals(1)),
            Answer::Done(true),
            2,
        ),
    ] {
        let late = call(90, 160, late, End::Answered(answer));
        has_none(&[
            brief,
            late,
            read(150, 151, None),
            read(170, 171, Some(value)),
        ]);
        has_an_order(&[brief, late, read(170, 171, Some(value))]);
        has_an_order(&[
            brief,
            late,
            read(90, 151, Some(1)),
            read(170, 171, Some(value)),
        ]);
    }
}

/// A read that began before the end, and a write that took the old value's place in time.
#[test]
fn an_entry_that_was_replaced_before_its_end_is_not_missed() {
    let brief = done(0, 1, BRIEF);
    let slow = |value| read(50, 150, value);
    has_none(&[brief, done(60, 61, Action::set(2)), slow(None)]);
    has_none(&[brief, done(60, 61, Action::Expire(None)), slow(None)]);
    has_an_order(&[brief, done(60, 120, Action::set(2)), slow(None)]);
    has_an_order(&[brief, slow(None)]);
}

#[test]
fn an_end_is_exact_and_learnt_from_what_is_left() {
    let brief = done(0, 10, BRIEF);
    has_none(&[brief, read(111, 112, Some(1))]);
    has_none(&[brief, read(98, 99, None)]);
    has_an_order(&[brief, left(20, 20, Some(85)), read(104, 104, Some(1))]);
    has_none(&[brief, left(20, 20, Some(85)), read(104, 104, None)]);
    has_none(&[brief, left(20, 20, Some(91))]);
    has_none(&[brief, left(20, 20, None)]);
    let for_ever = FOR_EVER / MILLI + 1;
    has_none(&[brief, left(20, 20, Some(for_ever))]);
    has_an_order(&[done(0, 1, Action::set(1)), left(20, 20, Some(for_ever))]);
}

#[test]
fn what_was_evicted_is_gone_and_nothing_else_is() {
    let set = done(0, 1, Action::set(1));
    let evicted = done(5, 9, Action::Evicted(1));
    has_an_order(&[set, evicted, read(6, 7, Some(1)), read(10, 11, None)]);
    has_none(&[set, evicted, read(10, 11, Some(1))]);
    has_none(&[set, read(10, 11, None)]);
    has_none(&[set, done(5, 9, Action::Evicted(2))]);
    // Where nobody tells.
    assert_eq!(order_by(&[set, read(10, 11, None)], CACHE), Order::Found);
    let back = [set, read(10, 11, None), read(12, 13, Some(1))];
    assert_eq!(order_by(&back, CACHE), Order::None);
}

#[test]
fn a_clear_removes_what_is_there_at_some_moment() {
    let set = done(0, 1, Action::set(1));
    let clear = done(5, 9, Action::Clear);
    has_an_order(&[set, clear, read(10, 11, None)]);
    has_none(&[set, clear, read(10, 11, Some(1))]);
    let again = done(6, 7, Action::set(2));
    has_an_order(&[set, clear, again, read(10, 11, Some(2))]);
    has_an_order(&[set, clear, again, read(10, 11, None)]);
    let (unseen, absent) = (read(6, 6, None), read(10, 11, None));
    has_none(&[set, clear, unseen, done(7, 8, Action::set(2)), absent]);
    let perhaps = call(5, 9, Action::Clear, End::Perhaps);
    has_an_order(&[
        set,
        clear,
        unseen,
        done(7, 8, Action::set(2)),
        perhaps,
        absent,
    ]);
}

#[test]
fn an_update_sees_what_it_replaces_and_keeps_the_end() {
    let brief = done(0, 1, BRIEF);
    let update = |value| {
        call(
            50,
            51,
            Action::Update(2),
            End::Answered(Answer::Value(value)),
        )
    };
    has_an_order(&[
        brief,
        update(Some(1)),
        read(60, 61, Some(2)),
        read(110, 111, None),
    ]);
    has_none(&[brief, update(Some(1)), read(60, 61, Some(1))]);
    has_none(&[brief, update(Some(1)), read(110, 111, Some(2))]);
    has_none(&[brief, update(None)]);
}
