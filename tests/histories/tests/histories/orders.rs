//! Histories of a few calls, of which it is known whether there is an order.

use reinhardt_backends_histories::{Action, Answer, Call, End, Lasts, Order, When, order};

pub(super) const MILLI: u64 = 1_000_000;

pub(super) fn call(began: u64, ended: u64, action: Action, end: End) -> Call {
    Call {
        client: 0,
        key: 0,
        action,
        began: began * MILLI,
        ended: ended * MILLI,
        end,
    }
}

pub(super) fn done(began: u64, ended: u64, action: Action) -> Call {
    call(began, ended, action, End::Answered(Answer::Done(true)))
}

fn not_done(began: u64, ended: u64, action: Action) -> Call {
    call(began, ended, action, End::Answered(Answer::Done(false)))
}

pub(super) fn read(began: u64, ended: u64, value: Option<i64>) -> Call {
    call(
        began,
        ended,
        Action::Get,
        End::Answered(Answer::Value(value)),
    )
}

fn counted(began: u64, ended: u64, count: i64) -> Call {
    call(
        began,
        ended,
        Action::Add(1),
        End::Answered(Answer::Count(count)),
    )
}

#[track_caller]
fn has_an_order(calls: &[Call]) {
    assert_eq!(order(calls), Order::Found);
}

#[track_caller]
fn has_none(calls: &[Call]) {
    assert_eq!(order(calls), Order::None);
}

#[test]
fn a_read_sees_the_last_write_or_one_that_overlaps() {
    has_an_order(&[]);
    has_an_order(&[read(0, 1, None)]);
    has_none(&[read(0, 1, Some(1))]);
    has_an_order(&[done(0, 10, Action::set(1)), read(5, 6, None)]);
    has_an_order(&[done(0, 10, Action::set(1)), read(5, 6, Some(1))]);
    has_none(&[done(0, 10, Action::set(1)), read(11, 12, None)]);
    // Once the new value was read it stays.
    let write = done(10, 20, Action::set(2));
    has_none(&[
        done(0, 1, Action::set(1)),
        write,
        read(11, 12, Some(2)),
        read(13, 14, Some(1)),
    ]);
    has_an_order(&[
        done(0, 1, Action::set(1)),
        write,
        read(11, 13, Some(2)),
        read(12, 14, Some(1)),
    ]);
}

#[test]
fn a_condition_has_one_winner() {
    let both = [
        done(0, 10, Action::Put(1, Lasts::Ever, When::Absent)),
        done(0, 10, Action::Put(2, Lasts::Ever, When::Absent)),
    ];
    has_none(&both);
    has_an_order(&[
        both[0],
        not_done(0, 10, Action::Put(2, Lasts::Ever, When::Absent)),
    ]);
    let first = done(0, 1, Action::set(1));
    let swaps = [
        done(2, 9, Action::Put(2, Lasts::Ever, When::Equals(1))),
        done(2, 9, Action::Put(3, Lasts::Ever, When::Equals(1))),
    ];
    has_none(&[first, swaps[0], swaps[1]]);
    let take = |value| call(2, 9, Action::Take, End::Answered(Answer::Value(value)));
    has_none(&[first, take(Some(1)), take(Some(1))]);
    has_an_order(&[first, take(Some(1)), take(None)]);
}

#[test]
fn a_counter_misses_and_doubles_nothing() {
    has_an_order(&[counted(0, 9, 2), counted(0, 9, 1), counted(10, 11, 3)]);
    has_none(&[counted(0, 9, 1), counted(0, 9, 1)]);
    has_none(&[counted(0, 1, 1), counted(2, 3, 3)]);
}

#[test]
fn an_unknown_outcome_is_nothing_or_once_at_any_time() {
    let unknown = call(0, 5, Action::Add(1), End::Unknown);
    has_an_order(&[unknown, counted(6, 7, 1), counted(8, 9, 2)]);
    has_an_order(&[unknown, counted(6, 7, 2)]);
    has_an_order(&[unknown, counted(6, 7, 1), counted(8, 9, 3)]);
    has_none(&[unknown, counted(6, 7, 1), counted(8, 9, 4)]);
    let failed = call(0, 5, Action::Add(1), End::Failed);
    has_none(&[failed, counted(6, 7, 2)]);
}

#[test]
fn an_entry_ends_at_its_time_and_not_before() {
    let brief = done(0, 10, Action::Put(1, Lasts::For(100), When::Always));
    has_an_order(&[brief, read(50, 51, Some(1)), read(120, 121, None)]);
    has_an_order(&[brief, read(105, 106, Some(1))]);
    has_an_order(&[brief, read(105, 106, None)]);
    has_none(&[brief, read(50, 51, None)]);
    has_none(&[brief, read(115, 116, Some(1))]);
    // Ended is ended.
    has_none(&[brief, read(105, 106, None), read(107, 108, Some(1))]);
    has_an_order(&[
        brief,
        done(120, 121, Action::Put(2, Lasts::Ever, When::Absent)),
        read(122, 123, Some(2)),
    ]);
}

#[test]
fn a_value_that_keeps_a_life_ends_with_it() {
    let brief = done(0, 1, Action::Put(1, Lasts::For(100), When::Always));
    let kept = |when| done(10, 11, Action::Put(2, Lasts::Kept, when));
    for when in [When::Always, When::Present, When::Equals(1)] {
        has_an_order(&[
            brief,
            kept(when),
            read(50, 51, Some(2)),
            read(110, 111, None),
        ]);
        has_none(&[brief, kept(when), read(110, 111, Some(2))]);
        has_none(&[brief, kept(when), read(50, 51, None)]);
    }
    // There is no life to keep.
    has_an_order(&[kept(When::Absent), read(900, 901, Some(2))]);
    has_none(&[kept(When::Absent), read(900, 901, None)]);
}

#[test]
fn what_nobody_was_told_of_has_happened_before_its_end_or_never() {
    let set = done(0, 1, Action::set(1));
    let removal = |end| call(5, 9, Action::CompareAndDelete(1), end);
    let late = [read(10, 11, Some(1)), read(12, 13, None)];
    has_an_order(&[set, removal(End::Unknown), late[0], late[1]]);
    has_none(&[set, removal(End::Perhaps), late[0], late[1]]);
    for value in [Some(1), None] {
        has_an_order(&[set, removal(End::Perhaps), read(10, 11, value)]);
    }
}
