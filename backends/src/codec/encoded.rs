//! Buffers for encoded values, which a thread uses again and again.

use std::cell::Cell;
use std::ops::Deref;

/// An encoded value on its way to a backend; its buffer is kept for the next one.
#[derive(Debug)]
pub(crate) struct Encoded(Vec<u8>);

/// Larger buffers aren't kept, in bytes.
const MOST_KEPT: usize = 16 * 1024;
/// The size that most values fit in, in bytes.
const ENOUGH: usize = 128;

thread_local! {
    static SPARE: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
}

/// Returns an empty buffer. The buffer is the caller's alone: code that runs while it is filled may
/// ask for another.
pub(super) fn buffer() -> Vec<u8> {
    let spare = SPARE.try_with(Cell::take).unwrap_or_default();
    if spare.capacity() == 0 {
        return Vec::with_capacity(ENOUGH);
    }
    spare
}

impl From<Vec<u8>> for Encoded {
    fn from(bytes: Vec<u8>) -> Self {
        Self(bytes)
    }
}

impl Encoded {
    /// Returns the buffer, to be written from; its content is of no more use then.
    pub(crate) fn as_buffer(&mut self) -> &mut Vec<u8> {
        &mut self.0
    }
}

impl Deref for Encoded {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.0
    }
}

impl Drop for Encoded {
    fn drop(&mut self) {
        let mut buffer = std::mem::take(&mut self.0);
        if buffer.capacity() <= MOST_KEPT {
            buffer.clear();
            // A thread that ends keeps none.
            let _ = SPARE.try_with(|spare| spare.set(buffer));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_buffer_comes_back_empty() {
        let mut bytes = buffer();
        bytes.extend([7; 1000]);
        let address = bytes.as_ptr();
        drop(Encoded::from(bytes));
        let again = buffer();
        assert_eq!((again.as_ptr(), again.len()), (address, 0));
        let other = buffer();
        assert_ne!(other.as_ptr(), address);
    }

    #[test]
    fn a_large_buffer_is_not_kept() {
        drop(Encoded::from(Vec::with_capacity(MOST_KEPT + 1)));
        assert!(buffer().capacity() <= MOST_KEPT);
    }
}
