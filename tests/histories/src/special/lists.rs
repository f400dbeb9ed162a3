//! Clients that list keys which are there all the time: each is in every list, and nothing else.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use futures::TryStreamExt;
use reinhardt_backends::store::{NewEntry, Store};
use reinhardt_backends::{Backend, Life};
use tokio::time::{Instant, sleep, timeout};

use super::{Looks, Setup};
use crate::client::{PATIENCE, Planted};
use crate::judge::Violation;

/// The number of these keys: enough for some pages of every server.
const COUNT: usize = 5_000;
/// They are written so many at a time.
const PART: usize = 500;
/// What these keys begin with, and no others.
pub(crate) const PREFIX: &str = "list:";

/// Writes the keys. Nothing befalls the servers yet, but they may have no time.
pub(crate) async fn fill(backend: &Arc<dyn Backend>) {
    let names: Vec<String> = (0..COUNT).map(|key| format!("{PREFIX}{key}")).collect();
    let entry = |key| NewEntry {
        key,
        value: b"here",
        life: Life::Never,
    };
    for part in names.chunks(PART) {
        let entries: Vec<NewEntry<'_>> = part.iter().map(|key| entry(key.as_str())).collect();
        let began = Instant::now();
        while let Err(error) = backend.put_many(&entries).await {
            assert!(began.elapsed() < PATIENCE, "{error}");
            sleep(Duration::from_millis(20)).await;
        }
    }
}

/// Lists the keys until the time is over.
pub(super) async fn list(mut setup: Setup) -> Looks {
    let mut looks = Looks::default();
    while !setup.clock.is_over() {
        sleep(Duration::from_millis(setup.rng.u64(0..40))).await;
        let listing = setup.other.scan(PREFIX).try_collect::<Vec<String>>();
        let violation = match timeout(PATIENCE, listing).await {
            Ok(Ok(mut keys)) => {
                if setup.is_planted(Planted::ShortList) {
                    keys.pop();
                }
                mistake(&keys).map(Violation::Listed)
            }
            // A list that ends with an error says so, and is none.
            Ok(Err(_)) => continue,
            Err(_) => Some(Violation::Stuck(vec![format!("a list of `{PREFIX}`")])),
        };
        looks.add([Duration::ZERO, setup.clock.now()], violation);
    }
    looks
}

/// Keys may come more than once.
fn mistake(keys: &[String]) -> Option<String> {
    let number = |key: &String| key.strip_prefix(PREFIX)?.parse::<usize>().ok();
    if let Some(other) = keys.iter().find(|key| number(key).is_none()) {
        return Some(format!("`{other}` is in it"));
    }
    let listed: HashSet<usize> = keys.iter().filter_map(number).collect();
    let missing: Vec<usize> = (0..COUNT).filter(|key| !listed.contains(key)).collect();
    let first = missing.first()?;
    let (missing, all) = (missing.len(), keys.len());
    Some(format!(
        "of {all} keys it lacks {missing}, the first is `{PREFIX}{first}`"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_has_every_key_and_no_other() {
        let mut keys: Vec<String> = (0..COUNT).map(|key| format!("{PREFIX}{key}")).collect();
        assert_eq!(mistake(&keys), None);
        keys.push(keys[7].clone());
        assert_eq!(mistake(&keys), None);
        keys.push("else".to_string());
        assert!(mistake(&keys).is_some_and(|text| text.contains("else")));
        keys.pop();
        keys.remove(3);
        assert!(mistake(&keys).is_some_and(|text| text.contains("list:3`")));
    }
}
