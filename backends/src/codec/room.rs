//! The room that readers reserve for the elements that bytes declare.

/// So many elements have room reserved at every level.
const FEW: usize = 32;

/// Returns the number of elements to have room for, of those that are declared: as many as the
/// `bytes` that are left may hold, and of these a smaller part at each level that is open.
/// Otherwise all levels of lists inside of each other would have room for the same bytes reserved.
#[inline]
pub(super) fn room(declared: usize, bytes: usize, levels: usize) -> usize {
    match declared {
        ..=FEW => declared,
        many => many.min(FEW.max(bytes / levels.max(1))),
    }
}
