//! The way to one place of a type: everything on it is written down, and everything before it is
//! made up.

mod deserializer;
mod elements;
mod entries;
mod fields;
mod place;
mod survey;
mod variant;

use self::place::ValuePlace;
use super::state::{DEPTH, Stop, TraceState};
use crate::keyspace::schema::layout::ROOT;

/// Writes down the request at one place and goes one way on from there.
#[derive(Debug)]
pub(super) struct RecordingDeserializer<'t> {
    trace: &'t mut TraceState,
    place: ValuePlace,
}

impl<'t> RecordingDeserializer<'t> {
    pub(super) fn root(trace: &'t mut TraceState) -> Self {
        let place = ValuePlace {
            path: ROOT.to_string(),
            prefix: "",
            default: false,
            depth: 0,
            key_of: None,
        };
        Self { trace, place }
    }

    /// Writes the node of this place.
    fn write(&mut self, kind: &str) -> Result<(), Stop> {
        self.trace.spend()?;
        let too_deep = self.place.depth > DEPTH;
        let kind = if too_deep { TOO_DEEP } else { kind };
        let ValuePlace {
            path,
            prefix,
            default,
            ..
        } = &self.place;
        self.trace.write(path, &format!("{prefix}{kind}"), *default);
        if too_deep {
            return Err(self.trace.finish());
        }
        Ok(())
    }

    /// Writes the node of a place that has none below it, which ends the pass.
    fn leaf(&mut self, kind: &str) -> Stop {
        match self.write(kind) {
            Ok(()) => self.trace.finish(),
            Err(stop) => stop,
        }
    }
}

const TOO_DEEP: &str = "opaque (nested too deep)";
