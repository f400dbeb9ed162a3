//! The counts that a memory backend keeps of itself.

/// The present size of a [`MemoryBackend`](super::MemoryBackend), and its counts since it was made.
///
/// The numbers are gathered shard by shard: they are exact while nothing else happens, and close to
/// each other otherwise.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct MemoryStats {
    /// The number of entries that take up memory, including those that have ended and not been
    /// swept yet.
    pub entries: usize,
    /// The number of bytes that the entries count for: keys, values, decoded values, and 72 bytes
    /// an entry besides.
    pub bytes: usize,
    /// The number of reads of a value that found one (`get`, `get_many`, `get_with_ttl`, `take` and
    /// the calls that are built on them). Look-ups are counted, not calls: `get_or_set_with` looks
    /// twice before it computes, and a keyspace with older versions looks for each version.
    pub hits: u64,
    /// The number of reads of a value that found none.
    pub misses: u64,
    /// The number of entries that have left because they ended.
    pub expired: u64,
    /// The number of entries that have left because the store was full.
    pub evicted: u64,
}

impl MemoryStats {
    /// Returns the share of reads that found a value, from 0 to 1; zero before the first read.
    pub fn hit_ratio(&self) -> f64 {
        let reads = self.hits + self.misses;
        if reads == 0 {
            return 0.0;
        }
        self.hits as f64 / reads as f64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hit_ratio_of_nothing_is_zero() {
        assert_eq!(MemoryStats::default().hit_ratio(), 0.0);
        let stats = MemoryStats {
            hits: 3,
            misses: 1,
            ..MemoryStats::default()
        };
        assert_eq!(stats.hit_ratio(), 0.75);
    }
}
