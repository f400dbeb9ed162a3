//! The smallest part of a history that has no order.

use super::call::{Answer, Call};
use super::linear::{Order, order_by};
use super::model::Rules;

/// Leaves out calls on one key of a server for as long as the rest has no order, and returns what
/// is left.
pub fn shrink(calls: &[Call]) -> Vec<Call> {
    shrink_by(calls, Rules::SERVERS)
}

/// Leaves out calls on one key for as long as the rest has no order by the rules of its store, and
/// returns what is left.
///
/// A call whose effect somebody may have seen is needed: left out, it would make a fault where
/// there is none. So calls are left out from the end on, in whole, and before that only those that
/// change nothing.
pub fn shrink_by(calls: &[Call], rules: Rules) -> Vec<Call> {
    let mut left = calls.to_vec();
    while let Some((_, shorter)) = left.split_last() {
        if order_by(shorter, rules) != Order::None {
            break;
        }
        left.truncate(left.len() - 1);
    }
    let mut at = left.len();
    while at > 0 {
        at -= 1;
        let changes_nothing =
            matches!(left[at].answer(), Some(Answer::Done(false))) || left[at].action.only_reads();
        if !changes_nothing {
            continue;
        }
        let removed = left.remove(at);
        if order_by(&left, rules) != Order::None {
            left.insert(at, removed);
        }
    }
    left
}
