//! How bytes are compressed, by what they begin with.

/// A compression, or none that is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Packing {
    /// Not compressed, as far as anybody can tell.
    Plain,
    Gzip,
    Zstd,
    Bzip2,
    Xz,
}

impl Packing {
    /// As many bytes as [`Packing::of`] looks at.
    pub const START_LEN: usize = 6;

    /// By the first bytes, of which there may be fewer than [`Packing::START_LEN`] at the end.
    pub fn of(start: &[u8]) -> Self {
        match start {
            [0x1f, 0x8b, ..] => Packing::Gzip,
            [0x28, 0xb5, 0x2f, 0xfd, ..] => Packing::Zstd,
            // A skippable frame, which zstd:chunked and pzstd write in front of others.
            [0x50..=0x5f, 0x2a, 0x4d, 0x18, ..] => Packing::Zstd,
            [b'B', b'Z', b'h', b'1'..=b'9', ..] => Packing::Bzip2,
            [0xfd, b'7', b'z', b'X', b'Z', 0, ..] => Packing::Xz,
            _ => Packing::Plain,
        }
    }

    /// The program that writes and reads it.
    pub fn program(self) -> Option<&'static str> {
        match self {
            Packing::Plain => None,
            Packing::Gzip => Some("gzip"),
            Packing::Zstd => Some("zstd"),
            Packing::Bzip2 => Some("bzip2"),
            Packing::Xz => Some("xz"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn compressions_are_known_by_their_first_bytes() {
        let cases: [(&[u8], Packing); 7] = [
            (b"\x1f\x8b\x08", Packing::Gzip),
            (b"\x28\xb5\x2f\xfd\x04\0", Packing::Zstd),
            (b"\x5a\x2a\x4d\x18\x04\0", Packing::Zstd),
            (b"BZh91AY", Packing::Bzip2),
            (b"BZhello", Packing::Plain),
            (b"\xfd7zXZ\0", Packing::Xz),
            (b"", Packing::Plain),
        ];
        for (start, expected) in cases {
            assert_eq!(Packing::of(start), expected, "{}", start.escape_ascii());
        }
    }
}
