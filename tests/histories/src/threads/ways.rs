//! The ways of a call into the store: by a future, by the fast path, and by accessors of types.

use std::time::Duration;

use reinhardt_backends::store::{Store, SyncStore, Touch};
use reinhardt_backends::{Backend, BackendResult, Condition, Counted, Life, Stored, Write};

use super::caller::{Caller, meddle};
use super::keys::{self, Leased, Page, Register, Slot};
use super::{Planted, wait};
use crate::{Action, Answer, When};

/// The way of a call.
#[derive(Debug, Clone, Copy)]
enum Way {
    Future,
    Fast,
    Typed,
}

impl Caller {
    /// Makes a call by one of the ways that it can take.
    pub(super) fn perform(&self, key: u32, action: Action) -> BackendResult<Answer> {
        if !keys::is_slot(key) {
            return self.perform_on_computed(key, action);
        }
        let name = &*keys::name(key);
        let backend = &self.scene.backend;
        let never = Life::Never;
        match action {
            Action::Get => self.read(key, name),
            Action::Put(value, lasts, when) => {
                let life = lasts.life();
                if let When::Equals(expected) = when
                    && self.is_planted(Planted::TwoSteps)
                {
                    let found = self.read(key, name)?;
                    if found != Answer::Value(Some(expected)) {
                        return Ok(Answer::Done(false));
                    }
                    return self.put(key, name, value, life, Condition::Always);
                }
                let expected = when.expected().map(|value| Register::bytes(key, value));
                self.put(key, name, value, life, when.condition(expected.as_deref()))
            }
            Action::CompareAndDelete(expected) => {
                let expected = Stored::from(&*Register::bytes(key, expected));
                wait(backend.compare_and_delete(name, &expected)).map(Answer::Done)
            }
            Action::Delete => match self.way(key) {
                Way::Typed => wait(Slot::of(key).delete(backend)).map(Answer::Done),
                Way::Future | Way::Fast => wait(backend.delete(name)).map(Answer::Done),
            },
            Action::Take => match self.way(key) {
                Way::Typed => {
                    let taken = wait(Slot::of(key).take(backend));
                    taken.map(|register| of_register(key, register.as_ref()))
                }
                Way::Future | Way::Fast => {
                    let taken = wait(backend.take_value(name));
                    taken.map(|stored| of_stored(key, stored.as_ref()))
                }
            },
            Action::Exists => match self.way(key) {
                Way::Typed => wait(Slot::of(key).exists(backend)).map(Answer::Done),
                Way::Future | Way::Fast => wait(backend.exists(name)).map(Answer::Done),
            },
            Action::Ttl => match self.way(key) {
                Way::Typed => wait(Slot::of(key).ttl(backend)).map(Answer::left),
                Way::Future | Way::Fast => wait(backend.ttl(name)).map(Answer::left),
            },
            Action::Expire(millis) => {
                let life = millis.map_or(never, life);
                wait(backend.expire(name, life)).map(Answer::Done)
            }
            Action::Restart(millis) => {
                self.touch(key, name, Touch::Restart(Duration::from_millis(millis)))
            }
            Action::Extend(millis) => {
                self.touch(key, name, Touch::Extend(Duration::from_millis(millis)))
            }
            Action::Update(new) => self.update(key, new),
            Action::Add(delta) => self.add(key, name, delta, None),
            Action::AddFor(delta, millis) => {
                self.add(key, name, delta, Some(Duration::from_millis(millis)))
            }
            Action::Clear | Action::List | Action::Evicted(_) => {
                unreachable!("{action:?} is nobody's call")
            }
        }
    }

    /// Chooses a way. Counters have no accessors here.
    fn way(&self, key: u32) -> Way {
        match self.below(3) {
            0 => Way::Fast,
            1 if !keys::is_counter(key) => Way::Typed,
            _ => Way::Future,
        }
    }

    fn fast(&self, way: Way) -> Option<&dyn SyncStore> {
        let fast = self.scene.backend.as_sync();
        fast.filter(|_| matches!(way, Way::Fast))
    }

    fn read(&self, key: u32, name: &str) -> BackendResult<Answer> {
        let backend = &self.scene.backend;
        let answer = match self.way(key) {
            Way::Typed if self.below(2) == 0 => {
                let shared = wait(Slot::of(key).get_shared(backend))?;
                of_register(key, shared.as_deref())
            }
            Way::Typed => of_register(key, wait(Slot::of(key).get(backend))?.as_ref()),
            _ => self.touch(key, name, Touch::Keep)?,
        };
        if answer == Answer::Value(None) {
            self.miss(key, name)?;
        }
        Ok(answer)
    }

    /// What the planted faults make of a miss.
    fn miss(&self, key: u32, name: &str) -> BackendResult<()> {
        let backend = &self.scene.backend;
        if self.is_planted(Planted::LazyRemoval) {
            wait(backend.remove(name, None))?;
        }
        if self.is_planted(Planted::ComesBack)
            && self.scene.settings.evicts()
            && let Some(seen) = self.seen(key).filter(|_| !keys::is_counter(key))
        {
            let options = Write::new(Life::Never).when(Condition::Absent);
            wait(backend.put(name, &Register::bytes(key, seen), options))?;
        }
        Ok(())
    }

    fn touch(&self, key: u32, name: &str, touch: Touch) -> BackendResult<Answer> {
        let read = match self.fast(self.way(key)) {
            Some(fast) => fast.read_value(name, touch),
            None => wait(self.scene.backend.read_value(name, touch)),
        };
        read.map(|stored| of_stored(key, stored.as_ref()))
    }

    fn put(
        &self,
        key: u32,
        name: &str,
        value: i64,
        life: Life,
        condition: Condition<'_>,
    ) -> BackendResult<Answer> {
        let backend = &self.scene.backend;
        let way = self.way(key);
        if let Way::Typed = way {
            let (slot, register) = (Slot::of(key), Register { key, value });
            let written = match (condition, life) {
                (Condition::Always, Life::In(ttl)) => {
                    Some(wait(slot.set_for(backend, &register, ttl)).map(|()| true))
                }
                (Condition::Always, Life::Never) => {
                    Some(wait(slot.set(backend, &register)).map(|()| true))
                }
                (Condition::Absent, Life::Never) => {
                    Some(wait(slot.set_if_absent(backend, &register)))
                }
                (Condition::Present, Life::Never) => {
                    Some(wait(slot.set_if_present(backend, &register)))
                }
                (Condition::Equals(bytes), _) => {
                    let expected = Stored::from(bytes);
                    Some(wait(
                        backend.compare_and_set(name, &expected, &register, life),
                    ))
                }
                // Accessors have the life of the keyspace.
                _ => None,
            };
            if let Some(written) = written {
                return written.map(Answer::Done);
            }
        }
        let bytes = Register::bytes(key, value);
        let options = Write::new(life).when(condition);
        let written = match self.fast(way) {
            Some(fast) if self.below(2) == 0 => fast.put_from(name, &mut bytes.clone(), options),
            Some(fast) => fast.put(name, &bytes, options),
            None => wait(backend.put(name, &bytes, options)),
        };
        written.map(Answer::Done)
    }

    fn update(&self, key: u32, new: i64) -> BackendResult<Answer> {
        let (slot, backend) = (Slot::of(key), &self.scene.backend);
        if self.is_planted(Planted::LostUpdate) && self.below(20) == 0 {
            let register = wait(slot.get(backend))?;
            return Ok(of_register(key, register.as_ref()));
        }
        let mut before = None;
        let updated = wait(slot.update(backend, |register| {
            let holds = self.is_planted(Planted::HeldLock);
            let _held = holds.then(|| self.scene.held.lock());
            before = Some(register.value);
            meddle(Some(key));
            register.value = new;
        }))?;
        Ok(match updated {
            None => Answer::Value(None),
            Some(register) if (register.key, register.value) == (key, new) => Answer::Value(before),
            Some(_) => Answer::Foreign,
        })
    }

    fn add(
        &self,
        key: u32,
        name: &str,
        delta: i64,
        ttl: Option<Duration>,
    ) -> BackendResult<Answer> {
        let added = match self.fast(self.way(key)) {
            Some(fast) => fast.add(name, delta, ttl),
            None => wait(self.scene.backend.add(name, delta, ttl)),
        };
        added.map(|counted: Counted| Answer::Count(counted.value))
    }

    /// Makes a call on a value that is computed, by its accessors.
    fn perform_on_computed(&self, key: u32, action: Action) -> BackendResult<Answer> {
        let backend = &self.scene.backend;
        let (page, leased, is_leased) = (Page::of(key), Leased::of(key), keys::is_leased(key));
        match action {
            Action::Put(value, ..) => {
                let register = Register { key, value };
                let set = match is_leased {
                    true => wait(leased.set(backend, &register)),
                    false => wait(page.set(backend, &register)),
                };
                set.map(|()| Answer::Done(true))
            }
            Action::Delete => {
                let deleted = match is_leased {
                    true => wait(leased.delete(backend)),
                    false => wait(page.delete(backend)),
                };
                deleted.map(Answer::Done)
            }
            _ => {
                let read = match is_leased {
                    true => wait(leased.get(backend)),
                    false => wait(page.get(backend)),
                };
                read.map(|register| of_register(key, register.as_ref()))
            }
        }
    }
}

fn life(millis: u64) -> Life {
    Life::In(Duration::from_millis(millis))
}

/// Returns the answer that a register is, if it is one of this key.
fn of_register(key: u32, register: Option<&Register>) -> Answer {
    match register {
        None => Answer::Value(None),
        Some(register) if register.key == key => Answer::Value(Some(register.value)),
        Some(_) => Answer::Foreign,
    }
}

/// Returns the answer that bytes are, if they are some of this key.
fn of_stored(key: u32, stored: Option<&Stored>) -> Answer {
    match stored {
        None => Answer::Value(None),
        Some(stored) => match Register::read(key, stored) {
            Some(value) => Answer::Value(Some(value)),
            None => Answer::Foreign,
        },
    }
}
