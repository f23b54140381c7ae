//! Digests as a scan needs them: md5, sha1 and sha256 of every file, and sha256 of the stream
//! that the files lie in.
//!
//! One digest after another costs as much as all of them; taken together they cost about as much
//! as the slowest. Small contents go side by side through the lanes of a vector
//! ([`of_each`]), and the digests of a long one are taken in one loop ([`Content`]), because a
//! chain of dependent steps leaves most of the processor idle. `cargo bench -p inscan-hash`
//! measures it. Where the processor lacks the instructions, the plain form takes one digest after
//! another.

mod constants;
mod content;
mod lanes;
mod lanes_of_md5;
mod plain;
#[cfg(target_arch = "x86_64")]
mod x86;

pub use content::{Content, Outer, Parts};

/// The digests of one content.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Digests {
    pub md5: [u8; 16],
    pub sha1: [u8; 20],
    pub sha256: [u8; 32],
}

/// Whether a [`Content`] takes its digests in one loop, which takes about as long as md5 alone.
pub fn is_one_loop() -> bool {
    #[cfg(target_arch = "x86_64")]
    return x86::has_sha();
    #[cfg(not(target_arch = "x86_64"))]
    false
}

/// The digests of each content, in order.
pub fn of_each(contents: &[&[u8]]) -> Vec<Digests> {
    #[cfg(target_arch = "x86_64")]
    if let Some(digests) = x86::of_each(contents) {
        return digests;
    }
    plain::of_each(contents)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Of every length around a block's, in every number of contents, and with lanes that end apart.
    #[test]
    fn contents_side_by_side_have_the_digests_they_have_alone() {
        let bytes: Vec<u8> = (0..9000_u32).map(|i| (i * i / 7) as u8).collect();
        let lengths = (0..520).chain([1000, 8999, 64, 4096, 4095, 4097, 6400]);
        let all: Vec<&[u8]> = lengths.map(|length| &bytes[..length]).collect();
        let expected = plain::of_each(&all);
        for count in [0, 1, 2, 3, 4, 5, 15, 16, 17, 33, 200, all.len()] {
            assert_eq!(of_each(&all[..count]), expected[..count], "{count} contents");
        }
        let reversed: Vec<&[u8]> = all.iter().rev().copied().collect();
        assert!(of_each(&reversed).iter().eq(expected.iter().rev()));
    }

    #[test]
    fn one_long_content_among_short_ones_is_the_same() {
        let bytes = vec![7; 3 << 20];
        let contents: Vec<&[u8]> = [3 << 20, 10, 100, 1000, 64, 0, 55, 56]
            .iter()
            .map(|&length| &bytes[..length])
            .collect();
        assert_eq!(of_each(&contents), plain::of_each(&contents));
    }
}
