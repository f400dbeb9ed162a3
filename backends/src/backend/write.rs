//! The options of a write: its condition, and the life that the entry gets.

use std::fmt;

use super::life::Life;

/// The condition on the present entry under which a write happens.
#[derive(Clone, Copy)]
pub enum Condition<'a> {
    /// None: the write always happens.
    Always,
    /// There is no live entry.
    Absent,
    /// There is a live entry.
    Present,
    /// There is a live entry and it holds exactly these bytes.
    Equals(&'a [u8]),
}

/// The options of a write: its condition, and the life that the entry gets.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct Write<'a> {
    /// The condition on the present entry.
    pub condition: Condition<'a>,
    /// The life that the entry gets.
    pub life: Life,
}

impl<'a> Write<'a> {
    /// Replaces any entry that is there.
    pub fn new(life: Life) -> Self {
        Self {
            condition: Condition::Always,
            life,
        }
    }

    /// Writes only if `condition` holds.
    #[must_use]
    pub fn when(mut self, condition: Condition<'a>) -> Self {
        self.condition = condition;
        self
    }
}

/// Hides the bytes, which may be a secret.
impl fmt::Debug for Condition<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Always => "Always",
            Self::Absent => "Absent",
            Self::Present => "Present",
            Self::Equals(_) => "Equals(..)",
        })
    }
}
