//! The server that an address led to last, told from other servers by the id of its process.

use std::time::{Duration, Instant};

/// Servers that take turns within this time are several behind one address, and not a primary that
/// moved.
const TURN: Duration = Duration::from_secs(10);

/// The server that the address led to last, by the id of its process.
#[derive(Debug, Default)]
pub(super) struct Recognised {
    was_up: bool,
    /// True if a connection was lost since, perhaps by a failover.
    pub(super) is_in_doubt: bool,
    pub(super) run_id: Option<Box<str>>,
    /// The id before this one, and the time of the change.
    before: Option<(Box<str>, Instant)>,
    /// The time at which servers behind the address were seen to take turns last, as behind a
    /// proxy: then an id tells nothing for a while.
    turned: Option<Instant>,
}

impl Recognised {
    /// Notes a server that was reached, and says whether it is another one than before, as far as
    /// can be known.
    pub(super) fn is_other(&mut self, run_id: Option<&str>) -> bool {
        let was_in_doubt = std::mem::take(&mut self.is_in_doubt);
        if !std::mem::replace(&mut self.was_up, true) {
            self.run_id = run_id.map(Into::into);
            return false;
        }
        let Some((known, new)) = self.run_id.take().zip(run_id) else {
            self.run_id = run_id.map(Into::into);
            return was_in_doubt;
        };
        self.run_id = Some(new.into());
        if *known == *new {
            return false;
        }
        let now = Instant::now();
        let came_back = self
            .before
            .replace((known, now))
            .is_some_and(|(before, changed)| *before == *new && now < changed + TURN);
        let are_many = came_back || self.turned.is_some_and(|turned| now < turned + TURN * 6);
        self.turned = are_many.then_some(now);
        !are_many || was_in_doubt
    }
}
