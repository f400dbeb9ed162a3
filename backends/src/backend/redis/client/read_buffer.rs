//! The bytes between the socket and the decoder.

use super::connection_end::ConnectionEnd;
use super::resp::{self, DecodeError, Reply, ScanState};

/// The usual size of a buffer; a buffer that grew for a large value is given back.
pub(super) const BUFFER: usize = 64 * 1024;

/// The bytes that were read and are no whole reply yet.
#[derive(Default)]
pub(super) struct ReadBuffer {
    bytes: Vec<u8>,
    /// The bytes between `start` and `end` are unread.
    start: usize,
    end: usize,
    /// The number of unread bytes from which it is worth looking again.
    needed: usize,
    /// The progress of the scan through the next reply, if it comes in parts.
    scan: Option<ScanState>,
}

/// The outcome of an attempt to begin an array.
pub(super) enum ArrayBegun {
    Yes,
    /// Something else is next.
    No,
    NotYet,
}

impl ReadBuffer {
    /// Returns room to read into.
    pub(super) fn room(&mut self) -> &mut [u8] {
        if self.start == self.end {
            (self.start, self.end) = (0, 0);
            if self.bytes.len() > BUFFER * 16 {
                self.bytes = Vec::new();
            }
        }
        if self.end == self.bytes.len() {
            self.bytes.copy_within(self.start..self.end, 0);
            (self.start, self.end) = (0, self.end - self.start);
            if self.end * 2 >= self.bytes.len() {
                // Grows with what came, not with what was declared.
                self.bytes.resize((self.bytes.len() * 2).max(BUFFER), 0);
            }
        }
        &mut self.bytes[self.end..]
    }

    /// Notes that so many bytes were read into the room.
    pub(super) fn add(&mut self, count: usize) {
        self.end += count;
    }

    /// Returns the bytes that are no whole reply yet.
    pub(super) fn unread(&self) -> &[u8] {
        &self.bytes[self.start..self.end]
    }

    /// Takes the beginning of an array of so many elements, if that is next.
    pub(super) fn begin_array(&mut self, length: usize) -> Result<ArrayBegun, ConnectionEnd> {
        let unread = &self.bytes[self.start..self.end];
        if self.scan.is_some() || unread.len() < self.needed {
            return Ok(ArrayBegun::No);
        }
        match resp::array(unread) {
            Ok(Some((count, head))) if count == length => {
                self.start += head;
                self.needed = 0;
                Ok(ArrayBegun::Yes)
            }
            Ok(_) => Ok(ArrayBegun::No),
            Err(DecodeError::Incomplete(_)) => Ok(ArrayBegun::NotYet),
            Err(DecodeError::Malformed) => Err(ConnectionEnd::Malformed),
        }
    }

    /// Returns the next reply, if the whole of it is there.
    pub(super) fn next(&mut self) -> Result<Option<Reply>, ConnectionEnd> {
        let unread = &self.bytes[self.start..self.end];
        if unread.len() < self.needed.max(1) {
            return Ok(None);
        }
        let is_there = self.scan.as_mut().map_or(Ok(0), |scan| scan.grow(unread));
        match is_there.and_then(|_| resp::reply(unread)) {
            Ok((reply, length)) => {
                self.pass(length);
                Ok(Some(reply))
            }
            Err(DecodeError::Incomplete(needed)) => {
                self.needed = needed;
                self.scan.get_or_insert_default();
                Ok(None)
            }
            Err(DecodeError::Malformed) => Err(ConnectionEnd::Malformed),
        }
    }

    /// Returns the next reply as it came, if the whole of it is there; an error as such.
    pub(super) fn next_raw(&mut self) -> Result<Option<Reply>, ConnectionEnd> {
        let unread = &self.bytes[self.start..self.end];
        if unread.len() < self.needed.max(1) {
            return Ok(None);
        }
        let scan = self.scan.get_or_insert_default();
        let length = match scan.grow(unread) {
            Ok(length) => length,
            Err(DecodeError::Incomplete(needed)) => {
                self.needed = needed;
                return Ok(None);
            }
            Err(DecodeError::Malformed) => return Err(ConnectionEnd::Malformed),
        };
        let reply = match &unread[..length] {
            [b'-' | b'!', ..] => match resp::reply(unread) {
                Ok((error, _)) => error,
                Err(_) => return Err(ConnectionEnd::Malformed),
            },
            [b'>', ..] => Reply::Push,
            reply => Reply::Raw(reply.into()),
        };
        self.pass(length);
        Ok(Some(reply))
    }

    /// Moves on to the bytes behind a reply.
    fn pass(&mut self, length: usize) {
        self.start += length;
        self.needed = 0;
        self.scan = None;
    }
}
