//! With the sha instructions, and with vectors of 512 bits where there are any.

mod blocks;
mod lanes;
mod stream;

pub(crate) use lanes::of_each;
pub(crate) use stream::{Content, Outer};

use std::arch::is_x86_feature_detected;

use crate::constants::{ROOTS, START_OF_MD5};
use crate::lanes::{BLOCK, Block, padded};

/// What every digest of a content has come to.
#[derive(Clone, Copy)]
pub(crate) struct State {
    md5: [u32; 4],
    sha1: [u32; 5],
    sha256: [u32; 8],
}

/// FIPS 180-4: where sha1 begins is where md5 does, and a word more.
const START: State = State {
    md5: START_OF_MD5,
    sha1: [0x6745_2301, 0xefcd_ab89, 0x98ba_dcfe, 0x1032_5476, 0xc3d2_e1f0],
    sha256: ROOTS,
};

/// Whether [`blocks`] may be called.
pub(crate) fn has_sha() -> bool {
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
        let mut digests = crate::Digests::default();
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

/// How a length in bits stands at the end of the last block: as sha1 and sha256 have it. For md5 its
/// bytes are turned.
fn length_at_end(bits: u64) -> [u8; 8] {
    bits.to_be_bytes()
}
