//! Calls on several keys. Each is written down as one call a key, for the same time.

use std::time::Duration;

use futures::StreamExt;
use reinhardt_backends::store::{NewEntry, Store, Touch};
use reinhardt_backends::{Backend, BackendResult, Life};
use tokio::time::timeout;

use super::{
    Client, KEYS, PATIENCE, Planted, REGISTERS, key_of, number_of, prefix_of, text_of, value_of,
};
use crate::call::{Action, Answer, Call, End, Lasts, When};

/// What came of a part of a call.
type Part = BackendResult<Answer>;

impl Client {
    /// Reads some keys in one call, and one of them twice.
    pub(super) async fn get_many(&mut self) -> Vec<Call> {
        let mut keys: Vec<u32> = self.several(KEYS);
        keys.push(keys[0]);
        let names: Vec<String> = keys.iter().map(|key| key_of(*key)).collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let millis = self.rng.u64(20..80);
        let (touch, action) = match self.rng.u8(..4) {
            0 => {
                let life = Duration::from_millis(millis);
                (Touch::Extend(life), Action::Extend(millis))
            }
            _ => (Touch::Keep, Action::Get),
        };
        let patience = self.patience();
        let began = self.clock.nanos();
        let read = patience.of(self.backend.read_values(&names, touch)).await;
        let parts = keys.iter().enumerate().map(|(at, key)| {
            let answer = (read.as_ref()).map(|read| value_of(*key, read[at].as_ref()));
            (*key, action, answer.map_err(Clone::clone))
        });
        self.parts(began, parts.collect())
    }

    /// Writes some registers in one call.
    pub(super) async fn set_many(&mut self) -> Vec<Call> {
        let keys = self.several(REGISTERS);
        let new: Vec<(u32, i64, u64)> = keys
            .into_iter()
            .map(|key| (key, self.new_value(), self.rng.u64(20..80)))
            .collect();
        let names: Vec<String> = new.iter().map(|(key, ..)| key_of(*key)).collect();
        let texts: Vec<String> = new.iter().map(|(k, v, _)| text_of(*k, *v)).collect();
        let entries = new.iter().zip(names.iter().zip(&texts));
        let mut entries: Vec<NewEntry<'_>> = entries
            .map(|((.., millis), (key, text))| NewEntry {
                key,
                value: text.as_bytes(),
                life: Life::In(Duration::from_millis(*millis)),
            })
            .collect();
        if self.planted == Some(Planted::LostPart) {
            entries.pop();
        }
        let patience = self.patience();
        let began = self.clock.nanos();
        let written = patience.of(self.backend.put_many(&entries)).await;
        let parts = new.into_iter().enumerate().map(|(at, (key, value, life))| {
            let failed = (written.as_ref().err()).filter(|error| {
                let failed = error.failed_indices();
                failed.is_empty() || failed.contains(&at)
            });
            let answer = failed.map_or(Ok(Answer::Done(true)), |error| Err(error.clone()));
            (
                key,
                Action::Put(value, Lasts::For(life), When::Always),
                answer,
            )
        });
        self.parts(began, parts.collect())
    }

    /// Removes some keys in one call. How many there were is told, but not which.
    pub(super) async fn delete_many(&mut self) -> Vec<Call> {
        let keys = self.several(REGISTERS);
        let names: Vec<String> = keys.iter().map(|key| key_of(*key)).collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let patience = self.patience();
        let began = self.clock.nanos();
        let removed = patience.of(self.backend.remove_many(&names)).await;
        let is_told = matches!(removed, Ok(count) if count == 0 || count == keys.len() as u64);
        let action = if is_told {
            Action::Delete
        } else {
            Action::Clear
        };
        let parts = keys.into_iter().map(|key| {
            let answer = removed.clone().map(|count| Answer::Done(count > 0));
            (key, action, answer)
        });
        self.parts(began, parts.collect())
    }

    /// Moves a value from one register to another one that has none.
    pub(super) async fn move_one(&mut self) -> Vec<Call> {
        let keys = self.several(REGISTERS);
        let (from, to) = (keys[0], keys[1]);
        let Some(expected) = self.seen_value(from) else {
            return vec![self.call(from, Action::Get).await];
        };
        let new = self.new_value();
        let (key, text) = (key_of(to), text_of(to, new));
        let entry = NewEntry {
            key: &key,
            value: text.as_bytes(),
            life: Life::Never,
        };
        let (from_key, from_text) = (key_of(from), text_of(from, expected));
        let patience = self.patience();
        let began = self.clock.nanos();
        let moving = (self.backend).move_entry(&from_key, from_text.as_bytes(), entry, None);
        let moved = patience.of(moving).await;
        let removal = (from, Action::CompareAndDelete(expected));
        let writing = (to, Action::Put(new, Lasts::Ever, When::Absent));
        // What can't be removed again is made to end.
        let ending = (to, Action::Put(new, Lasts::For(1), When::Equals(new)));
        let steps = |end, steps: &[(u32, Action)]| {
            let made = |(key, action): &(u32, Action)| self.made(began, *key, *action, end);
            steps.iter().map(made).collect()
        };
        match &moved {
            // One of the two wasn't as it had to be, but which isn't told.
            Ok(false) if !self.moves_in_steps => Vec::new(),
            // The new entry may have been there for a while.
            Ok(false) => {
                let taking_back = (to, Action::CompareAndDelete(new));
                steps(End::Perhaps, &[writing, taking_back])
            }
            Err(error) if self.moves_in_steps && error.outcome_unknown() => {
                steps(End::Unknown, &[removal, writing, ending])
            }
            Err(_) if self.moves_in_steps => steps(End::Perhaps, &[writing, ending]),
            Ok(true) | Err(_) => {
                let answer = || moved.clone().map(Answer::Done);
                let parts = [removal, writing].map(|(key, action)| (key, action, answer()));
                self.parts(began, parts.into())
            }
        }
    }

    /// Lists the keys of a time: each was there at some moment, and each other one wasn't.
    pub(super) async fn scan(&mut self) -> Vec<Call> {
        let first = self.key() / KEYS * KEYS;
        let prefix = prefix_of(first / KEYS);
        let began = self.clock.nanos();
        let (mut is_there, mut is_whole) = ([false; KEYS as usize], true);
        let mut calls = Vec::new();
        {
            let mut keys = self.backend.scan(&prefix);
            loop {
                let name = match timeout(PATIENCE, keys.next()).await {
                    Ok(Some(name)) => name,
                    Ok(None) => break,
                    // Of a page there is a deadline.
                    Err(_) => return vec![self.made(began, first, Action::Get, End::Failed)],
                };
                let Ok(name) = name else {
                    is_whole = false;
                    continue;
                };
                let index = number_of(&name).and_then(|key| key.checked_sub(first));
                match index.and_then(|index| is_there.get_mut(index as usize)) {
                    Some(it) => *it = true,
                    // Nothing that this prefix has.
                    None => {
                        let end = End::Answered(Answer::Foreign);
                        calls.push(self.made(began, first, Action::List, end));
                    }
                }
            }
        }
        if self.planted == Some(Planted::SkippedKey) && self.rng.u8(..4) == 0 {
            is_there[self.rng.usize(..is_there.len())] = false;
        }
        for (key, is_there) in (first..).zip(is_there) {
            // A list that ends with an error says nothing of the others.
            if is_there || is_whole {
                let end = End::Answered(Answer::Done(is_there));
                calls.push(self.made(began, key, Action::List, end));
            }
        }
        calls
    }

    /// Chooses two to four keys of one time, below the number `most`.
    fn several(&mut self, most: u32) -> Vec<u32> {
        let first = self.key() / KEYS * KEYS;
        let mut keys: Vec<u32> = (0..most).collect();
        self.rng.shuffle(&mut keys);
        keys.truncate(self.rng.usize(2..=4));
        keys.into_iter().map(|key| first + key).collect()
    }

    fn parts(&self, began: u64, parts: Vec<(u32, Action, Part)>) -> Vec<Call> {
        let parts = parts.into_iter();
        parts
            .map(|(key, action, answer)| self.made(began, key, action, self.end(action, answer)))
            .collect()
    }
}
