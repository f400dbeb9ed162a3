//! The turn to lead a flight, and the question whether the leader's runtime still runs.
//!
//! A leader can't be asked itself: its future is polled by its own runtime alone, and stays as it
//! is where nobody drives that runtime any more. So followers ask the runtime, by a task that says
//! nothing but that it was run. A runtime that doesn't run the task within a second is taken for
//! one that nobody drives.

use std::sync::{Arc, PoisonError};
use std::time::{Duration, Instant};

use tokio::runtime::Handle;

use crate::pending::Token;
use crate::sync::atomic::{AtomicBool, Ordering::SeqCst};
use crate::sync::{Mutex, MutexGuard, Semaphore};

/// The turn of a flight, which one leader at a time has, until the flight is over.
#[derive(Debug)]
pub(super) struct Turn {
    /// The permit to lead: the caller that gets it may lead. A flight that is over has enough
    /// permits for all.
    pub(super) permits: Semaphore,
    /// Locked for as long as a look takes. A holder that is taken out is dropped afterwards: a
    /// runtime's handle may own something of its user's.
    holder: Mutex<Holder>,
}

#[derive(Debug)]
enum Holder {
    /// Nobody, or the next in line, which hasn't been polled since it got the permit.
    Nobody {
        since: Instant,
    },
    Leader(TurnLeader),
    Over(FlightEnd),
}

/// Why a flight is over, before its leader is done or with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum FlightEnd {
    /// The leader gave no sign of life: other callers lead in another flight.
    PassedBy,
    /// The value of its leader can't be shared: each caller computes for itself.
    Unshared,
}

#[derive(Debug)]
struct TurnLeader {
    /// The leader's runtime; a leader without one can't be asked.
    runtime: Option<Handle>,
    /// The token that the leader may have put into the store.
    lease: Option<Token>,
    /// The time at which the leader is asked next, if a caller wants to know then.
    ask_at: Instant,
    was_asked: bool,
    question: Option<Question>,
}

#[derive(Debug)]
struct Question {
    answered: Arc<AtomicBool>,
    /// The time until which an answer is waited for.
    until: Instant,
    was_extended: bool,
}

/// The next step after a look at the leader.
#[derive(Debug)]
pub(super) enum NextStep {
    /// To look again after this time.
    Again(Duration),
    /// To have the runtime set the flag, and to look again after this time.
    Ask(Handle, Arc<AtomicBool>, Duration),
    /// To end the flight, which was marked as over. The lease is nobody's any more.
    PassBy(Option<Token>),
}

/// The time that a leader is at work before it is asked: short computations are asked nothing.
pub(super) const FIRST_LOOK: Duration = Duration::from_millis(100);
/// The time for which a leader isn't asked again after a question that was answered.
const ASK_EVERY: Duration = Duration::from_millis(500);
/// The time within which a runtime that somebody drives gives a sign.
const SIGN_WITHIN: Duration = Duration::from_secs(1);
/// A look that comes later than planned by this much was held up, as the leader may have been.
const LATE: Duration = Duration::from_millis(100);

impl Turn {
    pub(super) fn new() -> Self {
        Self {
            permits: Semaphore::new(1),
            holder: Mutex::new(Holder::nobody()),
        }
    }

    /// Makes its caller the leader if there is none and the flight isn't over, and says whether it
    /// did.
    pub(super) fn try_take(&self) -> bool {
        let Ok(permit) = self.permits.try_acquire() else {
            return false;
        };
        permit.forget();
        self.take().is_ok()
    }

    /// Makes its caller the leader, unless the flight is over. The caller has got a permit and
    /// forgotten it.
    pub(super) fn take(&self) -> Result<(), FlightEnd> {
        let runtime = Handle::try_current().ok();
        let mut holder = self.holder();
        if let Holder::Over(end) = *holder {
            return Err(end);
        }
        *holder = Holder::Leader(TurnLeader {
            runtime,
            lease: None,
            ask_at: Instant::now() + FIRST_LOOK,
            was_asked: false,
            question: None,
        });
        Ok(())
    }

    /// Asks another runtime for signs of life from now on: the one on which the leader goes on.
    pub(super) fn runs_on(&self, runtime: &Handle) {
        let last = match &mut *self.holder() {
            Holder::Leader(leader) => {
                let question = leader.question.take();
                leader.ask_at = Instant::now() + FIRST_LOOK;
                (leader.runtime.replace(runtime.clone()), question)
            }
            Holder::Nobody { .. } | Holder::Over(_) => (None, None),
        };
        drop(last);
    }

    /// To be called by the leader when it ends, however it does.
    pub(super) fn give_back(&self) {
        let last = {
            let mut holder = self.holder();
            let leads = matches!(*holder, Holder::Leader(_));
            leads.then(|| std::mem::replace(&mut *holder, Holder::nobody()))
        };
        self.permits.add_permits(1);
        drop(last);
    }

    pub(super) fn is_over(&self) -> bool {
        matches!(*self.holder(), Holder::Over(_))
    }

    /// To be called by the leader before it puts a token into the store; says whether it may.
    ///
    /// So a leader that was passed by has either put nothing there, or a token that is known here.
    pub(super) fn may_put(&self, token: Token) -> bool {
        let mut holder = self.holder();
        let Holder::Leader(leader) = &mut *holder else {
            return false;
        };
        let last = leader.lease.replace(token);
        drop(holder);
        drop(last);
        true
    }

    /// To be called by the leader whose token wasn't put into the store, or whose claim sees to the
    /// token: a caller that passes the leader by needn't.
    pub(super) fn has_put_nothing(&self) {
        let last = match &mut *self.holder() {
            Holder::Leader(leader) => leader.lease.take(),
            Holder::Nobody { .. } | Holder::Over(_) => None,
        };
        drop(last);
    }

    /// Marks the flight as over, and says whether it wasn't yet.
    pub(super) fn end(&self, end: FlightEnd) -> bool {
        let last = {
            let mut holder = self.holder();
            if let Holder::Over(_) = *holder {
                return false;
            }
            std::mem::replace(&mut *holder, Holder::Over(end))
        };
        drop(last);
        true
    }

    /// Gives a permit to every caller that waits for one; once, after the flight was marked as
    /// over.
    pub(super) fn open(&self) {
        self.permits.add_permits(Semaphore::MAX_PERMITS / 2);
    }

    /// Looks whether the leader has given a sign of life, for a follower that waits for as long as
    /// it was told, or for a caller that doesn't wait.
    pub(super) fn look(&self, waits: bool) -> NextStep {
        let own = Handle::try_current().ok();
        self.look_at(Instant::now(), waits, own.as_ref())
    }

    fn look_at(&self, now: Instant, waits: bool, own: Option<&Handle>) -> NextStep {
        let mut holder = self.holder();
        let look = match &mut *holder {
            Holder::Nobody { since } => match left(*since + SIGN_WITHIN, now) {
                Some(left) => NextStep::Again(left),
                // A caller that doesn't come for the permit has begun nothing.
                None => NextStep::PassBy(None),
            },
            Holder::Leader(leader) => {
                let bears_delay = waits || leader.is_on(own);
                leader.look(now, waits, bears_delay)
            }
            Holder::Over(_) => NextStep::Again(ASK_EVERY),
        };
        if let NextStep::PassBy(_) = look {
            let last = std::mem::replace(&mut *holder, Holder::Over(FlightEnd::PassedBy));
            drop(holder);
            drop(last);
        }
        look
    }

    fn holder(&self) -> MutexGuard<'_, Holder> {
        // Nothing panics while it is locked.
        self.holder.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Holder {
    fn nobody() -> Self {
        Self::Nobody {
            since: Instant::now(),
        }
    }
}

impl TurnLeader {
    /// An answer that is missing at a late look is waited for a moment longer, if the same delay
    /// may have held up the answer too.
    fn look(&mut self, now: Instant, waits: bool, bears_delay: bool) -> NextStep {
        let Some(runtime) = &self.runtime else {
            return NextStep::Again(ASK_EVERY);
        };
        if let Some(question) = &mut self.question {
            if question.answered.load(SeqCst) {
                self.question = None;
            } else if let Some(left) = left(question.until, now) {
                // Most answers are there at the next question's time.
                return NextStep::Again(left.min(ASK_EVERY));
            } else if bears_delay && !question.was_extended && now > question.until + LATE {
                question.was_extended = true;
                question.until = now + LATE;
                return NextStep::Again(LATE);
            } else {
                return NextStep::PassBy(self.lease.take());
            }
        }
        // A caller that doesn't wait may be away for long: it asks at once, so that there is an
        // answer when it comes again.
        let may_wait = waits || self.was_asked;
        if let Some(left) = left(self.ask_at, now).filter(|_| may_wait) {
            return NextStep::Again(left);
        }
        let answered = Arc::new(AtomicBool::new(false));
        self.was_asked = true;
        self.ask_at = now + ASK_EVERY;
        self.question = Some(Question {
            answered: answered.clone(),
            until: now + SIGN_WITHIN,
            was_extended: false,
        });
        NextStep::Ask(runtime.clone(), answered, ASK_EVERY)
    }

    fn is_on(&self, runtime: Option<&Handle>) -> bool {
        let id = |handle: &Handle| handle.id();
        runtime.is_some() && runtime.map(id) == self.runtime.as_ref().map(id)
    }
}

/// Returns the time that is left from `now` to `end`; `None` at the end.
fn left(end: Instant, now: Instant) -> Option<Duration> {
    end.checked_duration_since(now)
        .filter(|left| !left.is_zero())
}

#[cfg(test)]
mod tests {
    use tokio::runtime::{Builder, Runtime};

    use super::*;

    /// A runtime that nobody drives.
    fn runtime() -> Runtime {
        Builder::new_current_thread().build().unwrap()
    }

    /// A turn that a leader on `runtime` has, and the latest time at which it was taken.
    fn taken(runtime: &Runtime) -> (Turn, Instant) {
        let turn = Turn::new();
        let context = runtime.enter();
        assert!(turn.try_take());
        drop(context);
        (turn, Instant::now())
    }

    fn after(look: NextStep) -> Duration {
        match look {
            NextStep::Again(pause) => pause,
            other => panic!("{other:?}"),
        }
    }

    fn asked(look: NextStep) -> Arc<AtomicBool> {
        match look {
            NextStep::Ask(_, answered, pause) => {
                assert_eq!(pause, ASK_EVERY);
                answered
            }
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_short_computation_is_asked_nothing() {
        let runtime = runtime();
        let (turn, begun) = taken(&runtime);
        let pause = after(turn.look_at(begun, true, None));
        assert!(pause <= FIRST_LOOK && pause > FIRST_LOOK / 2, "{pause:?}");
        asked(turn.look_at(begun + FIRST_LOOK, true, None));
    }

    #[test]
    fn who_does_not_wait_asks_at_once_and_then_as_seldom() {
        let runtime = runtime();
        let (turn, begun) = taken(&runtime);
        let answered = asked(turn.look_at(begun, false, None));
        answered.store(true, SeqCst);
        assert_eq!(after(turn.look_at(begun, false, None)), ASK_EVERY);
        asked(turn.look_at(begun + ASK_EVERY, false, None));
    }

    #[test]
    fn one_question_at_a_time_is_asked_and_one_each_half_second() {
        let runtime = runtime();
        let (turn, begun) = taken(&runtime);
        let first = begun + FIRST_LOOK;
        let answered = asked(turn.look_at(first, true, None));
        for _ in 0..1000 {
            assert_eq!(after(turn.look_at(first, true, None)), ASK_EVERY);
        }
        answered.store(true, SeqCst);
        assert_eq!(after(turn.look_at(first, true, None)), ASK_EVERY);
        asked(turn.look_at(first + ASK_EVERY, true, None));
    }

    #[test]
    fn without_a_sign_within_a_second_the_leader_is_passed_by_once() {
        let runtime = runtime();
        let (turn, begun) = taken(&runtime);
        let first = begun + FIRST_LOOK;
        asked(turn.look_at(first, true, None));
        let moment = Duration::from_millis(1);
        let early = turn.look_at(first + SIGN_WITHIN - moment, true, None);
        assert_eq!(after(early), moment);
        let passed = turn.look_at(first + SIGN_WITHIN, true, None);
        assert!(matches!(passed, NextStep::PassBy(None)), "{passed:?}");
        after(turn.look_at(first + SIGN_WITHIN, true, None));
        assert!(turn.is_over());
        turn.give_back();
        assert!(turn.is_over(), "who was passed by leads no more");
    }

    #[test]
    fn the_next_leader_answers_for_itself() {
        let (one, other) = (runtime(), runtime());
        let (turn, begun) = taken(&one);
        let answered = asked(turn.look_at(begun + FIRST_LOOK, true, None));
        turn.give_back();
        let context = other.enter();
        assert!(turn.try_take());
        drop(context);
        answered.store(true, SeqCst);
        let first = Instant::now() + FIRST_LOOK;
        let NextStep::Ask(runtime, ..) = turn.look_at(first, true, None) else {
            panic!("it isn't asked");
        };
        assert_eq!(runtime.id(), other.handle().id());
        let passed = turn.look_at(first + SIGN_WITHIN, true, None);
        assert!(matches!(passed, NextStep::PassBy(None)), "{passed:?}");
    }

    /// The turn may be taken on one runtime, and the task that leads run on another.
    #[test]
    fn a_leader_is_asked_on_the_runtime_that_it_goes_on_by() {
        let (one, other) = (runtime(), runtime());
        let (turn, begun) = taken(&one);
        asked(turn.look_at(begun + FIRST_LOOK, true, None));
        turn.runs_on(other.handle());
        let first = Instant::now() + FIRST_LOOK;
        let NextStep::Ask(runtime, answered, _) = turn.look_at(first, true, None) else {
            panic!("it isn't asked");
        };
        assert_eq!(runtime.id(), other.handle().id());
        answered.store(true, SeqCst);
        asked(turn.look_at(first + SIGN_WITHIN, true, None));
        assert!(!turn.is_over());
    }

    #[test]
    fn a_leader_that_is_on_no_runtime_is_waited_for() {
        let turn = Turn::new();
        assert!(turn.try_take());
        let hour = Instant::now() + Duration::from_secs(3600);
        assert_eq!(after(turn.look_at(hour, true, None)), ASK_EVERY);
    }

    #[test]
    fn who_does_not_come_for_the_turn_is_passed_by() {
        let turn = Turn::new();
        // As the semaphore does that has given it to the next in line.
        turn.permits.try_acquire().unwrap().forget();
        let since = Instant::now();
        assert!(after(turn.look_at(since, true, None)) <= SIGN_WITHIN);
        let passed = turn.look_at(since + SIGN_WITHIN, true, None);
        assert!(matches!(passed, NextStep::PassBy(None)), "{passed:?}");
        assert_eq!(turn.take(), Err(FlightEnd::PassedBy), "it comes at last");
    }

    /// A follower, or a machine, that stood still doesn't blame the leader for it at once.
    #[test]
    fn who_looks_late_waits_a_moment_longer_once() {
        let runtime = runtime();
        let late = SIGN_WITHIN + 2 * LATE;
        let own = Some(runtime.handle());
        for (waits, own) in [(true, None), (false, own)] {
            let (turn, begun) = taken(&runtime);
            let first = begun + FIRST_LOOK;
            asked(turn.look_at(first, waits, own));
            assert_eq!(after(turn.look_at(first + late, waits, own)), LATE);
            let passed = turn.look_at(first + 2 * late, waits, own);
            assert!(matches!(passed, NextStep::PassBy(None)), "{passed:?}");
        }
        let (turn, begun) = taken(&runtime);
        let first = begun + FIRST_LOOK;
        asked(turn.look_at(first, false, None));
        let passed = turn.look_at(first + late, false, None);
        assert!(matches!(passed, NextStep::PassBy(None)), "{passed:?}");
    }

    #[cfg(feature = "memory")]
    #[test]
    fn a_leader_that_was_passed_by_puts_no_token_into_the_store() {
        use crate::MemoryBackend;
        use crate::lease::claim::Claim;

        let claim = Claim::new(&MemoryBackend::new(), &"key".into(), SIGN_WITHIN).unwrap();
        let runtime = runtime();
        let (turn, begun) = taken(&runtime);
        assert!(turn.may_put(claim.token()));
        let first = begun + FIRST_LOOK;
        asked(turn.look_at(first, true, None));
        let passed = turn.look_at(first + SIGN_WITHIN, true, None);
        assert!(matches!(passed, NextStep::PassBy(Some(_))), "{passed:?}");
        assert!(!turn.may_put(claim.token()));
    }
}
