//! Moving an entry where no step of a store can do it.

use super::{NewEntry, Store};
use crate::backend::write::{Condition, Write};
use crate::error::BackendResult;

/// Moves an entry in several calls: others may see both entries meanwhile.
pub(crate) async fn move_in_steps<S: Store + ?Sized>(
    store: &S,
    from: &str,
    expected: &[u8],
    to: NewEntry<'_>,
    over: Option<&[u8]>,
) -> BackendResult<bool> {
    store.info().limits.check_key(from)?;
    let life = to.life.checked()?;
    if from == to.key {
        return Ok(false);
    }
    let (condition, replaced) = match over {
        None => (Condition::Absent, None),
        Some(over) => match store.read(to.key).await? {
            Some((stored, expiry)) if stored.as_bytes() == over => {
                (Condition::Equals(over), Some((stored, expiry)))
            }
            _ => return Ok(false),
        },
    };
    let options = Write::new(life).when(condition);
    if !store.put(to.key, to.value, options).await? {
        return Ok(false);
    }
    let removed = store.remove(from, Some(expected)).await;
    if removed.map_err(|error| error.after(true))? {
        return Ok(true);
    }
    let taken_back = match &replaced {
        None => store.remove(to.key, Some(to.value)).await,
        Some((stored, expiry)) => {
            let options = Write::new((*expiry).into()).when(Condition::Equals(to.value));
            store.put(to.key, stored.as_bytes(), options).await
        }
    };
    taken_back.map(|_| false).map_err(|error| error.after(true))
}
