//! The hash slot of a key: the part of a cluster's keys to which it belongs.
//!
//! It is the CRC16 (XMODEM) of the key modulo 16,384, or of the text between the first `{` and the
//! next `}`, if there is any
//! (<https://redis.io/docs/latest/operate/oss_and_stack/reference/cluster-spec/#key-distribution-model>).

/// The number of slots of every cluster.
pub(crate) const SLOTS: u16 = 16_384;

/// Returns the slot of a key.
pub(crate) fn slot(key: &[u8]) -> u16 {
    let crc = hashed(key).iter().fold(0, |crc: u16, byte| {
        let index = (crc >> 8) ^ u16::from(*byte);
        (crc << 8) ^ TABLE[usize::from(index)]
    });
    crc % SLOTS
}

/// The hash slots of the keys of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Slots {
    None,
    One(u16),
    Several,
}

impl Slots {
    pub(crate) fn of<'k>(keys: impl Iterator<Item = &'k [u8]>) -> Self {
        keys.map(slot).fold(Self::None, |slots, slot| match slots {
            Self::None => Self::One(slot),
            Self::One(other) if other == slot => slots,
            _ => Self::Several,
        })
    }
}

/// Returns the part of a key that decides on its slot.
fn hashed(key: &[u8]) -> &[u8] {
    let inside = key
        .iter()
        .position(|byte| *byte == b'{')
        .map(|open| &key[open + 1..]);
    let tag = inside.and_then(|inside| {
        let close = inside.iter().position(|byte| *byte == b'}')?;
        Some(&inside[..close])
    });
    tag.filter(|tag| !tag.is_empty()).unwrap_or(key)
}

/// The remainders of the bytes by the polynomial x^16 + x^12 + x^5 + 1.
const TABLE: [u16; 256] = {
    let mut table = [0; 256];
    let mut byte = 0;
    while byte < 256 {
        let mut crc = (byte as u16) << 8;
        let mut bit = 0;
        while bit < 8 {
            let carry = crc & 0x8000 != 0;
            crc <<= 1;
            if carry {
                crc ^= 0x1021;
            }
            bit += 1;
        }
        table[byte] = crc;
        byte += 1;
    }
    table
};

#[cfg(test)]
mod tests {
    use super::*;

    /// The first is the check value of the CRC; the others are as a server's `CLUSTER KEYSLOT` has
    /// them.
    #[test]
    fn slots_are_those_of_the_servers() {
        assert_eq!(slot(b"123456789"), 0x31c3 % SLOTS);
        for (key, expected) in [
            ("", 0),
            ("foo", 12_182),
            ("bar", 5061),
            ("reinhardt:session:abc", 15_391),
        ] {
            assert_eq!(slot(key.as_bytes()), expected, "{key}");
        }
    }

    #[test]
    fn what_stands_in_the_first_braces_decides() {
        for (key, same) in [
            ("{user1000}.following", "user1000"),
            ("foo{bar}{zap}", "bar"),
            ("a{b}c{d}", "b"),
        ] {
            assert_eq!(slot(key.as_bytes()), slot(same.as_bytes()), "{key}");
        }
        for key in ["foo{}{bar}", "foo{bar", "}foo{", "{}"] {
            assert_eq!(hashed(key.as_bytes()), key.as_bytes());
        }
        assert_eq!(hashed(b"foo{{bar}}zap"), b"{bar");
    }
}
