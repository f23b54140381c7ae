//! With the sha instructions, and with vectors of 512 bits where there are any.

mod blocks;
mod constants;
mod lanes;
mod stream;

pub(crate) use lanes::of_each;
pub(crate) use stream::{Content, Outer};

use std::arch::is_x86_feature_detected;

const BLOCK: usize = 64;
type Block = [u8; BLOCK];

/// What every digest of a content has come to.
#[derive(Clone, Copy)]
pub(crate) struct State {
    md5: [u32; 4],
    sha1: [u32; 5],
    sha256: [u32; 8],
}

/// RFC 1321, FIPS 180-4: where they begin.
const START: State = State {
    md5: [0x6745_2301, 0xefcd_ab89, 0x98ba_dcfe, 0x1032_5476],
    sha1: [0x6745_2301, 0xefcd_ab89, 0x98ba_dcfe, 0x1032_5476, 0xc3d2_e1f0],
    sha256: constants::ROOTS,
};

/// Whether [`blocks`] may be called.
fn has_sha() -> bool {
    is_x86_feature_detected!("sha")
        && is_x86_feature_detected!("sse4.1")
        && is_x86_feature_detected!("ssse3")
        && is_x86_feature_detected!("bmi1")
        && is_x86_feature_detected!("bmi2")
        && is_x86_feature_detected!("avx2")
}

/// Whether [`lanes`] may be taken.
fn has_lanes() -> bool {
    has_sha() && is_x86_feature_detected!("avx512f") && is_x86_feature_detected!("avx512bw")
}

impl State {
    fn digests(&self) -> crate::Digests {
        let mut digests = crate::Digests { md5: [0; 16], sha1: [0; 20], sha256: [0; 32] };
        for (bytes, word) in digests.md5.chunks_exact_mut(4).zip(self.md5) {
            bytes.copy_from_slice(&word.to_le_bytes());
        }
        for (bytes, word) in digests.sha1.chunks_exact_mut(4).zip(self.sha1) {
            bytes.copy_from_slice(&word.to_be_bytes());
        }
        digests.sha256 = big_endian(&self.sha256);
        digests
    }
}

fn big_endian(words: &[u32; 8]) -> [u8; 32] {
    let mut digest = [0; 32];
    for (bytes, word) in digest.chunks_exact_mut(4).zip(words) {
        bytes.copy_from_slice(&word.to_be_bytes());
    }
    digest
}

/// The last bytes of a content with their padding: one block or two, and how many of them. The
/// length at their end is written as sha1 and sha256 have it; md5 has its bytes turned.
fn padded(rest: &[u8], length: u64) -> ([Block; 2], usize) {
    let mut tail = [0; 2 * BLOCK];
    tail[..rest.len()].copy_from_slice(rest);
    tail[rest.len()] = 0x80;
    let count = if rest.len() + 9 <= BLOCK { 1 } else { 2 };
    let end = count * BLOCK;
    tail[end - 8..end].copy_from_slice(&length.wrapping_mul(8).to_be_bytes());
    let (blocks, _) = tail.as_chunks::<BLOCK>();
    ([blocks[0], blocks[1]], count)
}
