//! The smallest part of a history that has no order.

use super::call::{Answer, Call};
use super::linear::{Order, order};

/// Leaves out calls on one key for as long as the rest has no order, and returns what is left.
///
/// A call whose effect somebody may have seen is needed: left out, it would make a fault where
/// there is none. So calls are left out from the end on, in whole, and before that only those that
/// change nothing.
pub fn shrink(calls: &[Call]) -> Vec<Call> {
    let mut left = calls.to_vec();
    while let Some((_, shorter)) = left.split_last() {
        if order(shorter) != Order::None {
            break;
        }
        left.truncate(left.len() - 1);
    }
    let mut at = left.len();
    while at > 0 {
        at -= 1;
        let changes_nothing = matches!(left[at].answer(), Some(Answer::Done(false)))
            || left[at].action == super::call::Action::Get;
        if !changes_nothing {
            continue;
        }
        let removed = left.remove(at);
        if order(&left) != Order::None {
            left.insert(at, removed);
        }
    }
    left
}
