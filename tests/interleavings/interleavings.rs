//! Runs models of the library under a scheduler that chooses, at each lock, which thread goes on:
//! by chance, and by chance with few changes of the thread, which finds other faults sooner.
//!
//! What is looked at are the sources of the library, over doubles of its locks. Orders of memory
//! weaker than the sequential one are not: a model sees each store at once.

use reinhardt_backends_over_doubles::interleavings::{flight, memory, queue};

/// The number of interleavings of a model, by each of two ways to choose.
const MANY: usize = 1_500;
/// The changes of the thread in those with few of them.
const CHANGES: usize = 3;

fn each_interleaving_of(model: fn()) {
    shuttle::check_random(model, MANY);
    shuttle::check_pct(model, MANY, CHANGES);
}

fn reads_are_merged_in_some_of(model: fn()) {
    let before = queue::merged();
    each_interleaving_of(model);
    assert!(queue::merged() > before, "no read is merged");
}

#[test]
fn an_entry_that_has_ended_does_not_come_back() {
    each_interleaving_of(memory::an_entry_that_has_ended_does_not_come_back);
}

#[test]
fn an_entry_that_is_replaced_in_time_is_never_missed() {
    each_interleaving_of(memory::an_entry_that_is_replaced_in_time_is_never_missed);
}

#[test]
fn a_sweeper_is_handed_over_between_runtimes() {
    each_interleaving_of(memory::a_sweeper_is_handed_over_between_runtimes);
}

#[test]
fn no_sweeper_outlives_its_owner() {
    each_interleaving_of(memory::no_sweeper_outlives_its_owner);
}

#[test]
fn many_misses_are_one_computation() {
    each_interleaving_of(flight::many_misses_are_one_computation);
}

#[test]
fn callers_of_a_full_store_compute_one_after_the_other() {
    each_interleaving_of(flight::callers_of_a_full_store_compute_one_after_the_other);
}

#[test]
fn a_removal_lets_nobody_compute_beside_another() {
    each_interleaving_of(flight::a_removal_lets_nobody_compute_beside_another);
}

#[test]
fn a_leader_that_is_gone_is_followed() {
    each_interleaving_of(flight::a_leader_that_is_gone_is_followed);
}

#[test]
fn every_call_is_answered() {
    each_interleaving_of(queue::every_call_is_answered);
}

#[test]
fn closing_ends_every_call() {
    each_interleaving_of(queue::closing_ends_every_call);
}

#[test]
fn handing_back_ends_every_read() {
    each_interleaving_of(queue::handing_back_ends_every_read);
}

#[test]
fn reads_that_are_merged_have_their_own_answers() {
    reads_are_merged_in_some_of(queue::reads_that_are_merged_have_their_own_answers);
}

#[test]
fn a_foreign_type_fails_alone() {
    reads_are_merged_in_some_of(queue::a_foreign_type_fails_alone);
}

#[test]
fn closing_ends_reads_that_are_merged() {
    reads_are_merged_in_some_of(queue::closing_ends_reads_that_are_merged);
}

#[test]
fn a_caller_that_leaves_takes_nothing_along() {
    each_interleaving_of(queue::a_caller_that_leaves_takes_nothing_along);
}

#[test]
fn the_end_wakes_those_that_wait_for_room() {
    each_interleaving_of(queue::the_end_wakes_those_that_wait_for_room);
}
