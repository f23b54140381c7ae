//! Sixteen contents side by side in the lanes of vectors of 512 bits.
//!
//! A block of each is loaded and the words are turned by a transposition, so that the
//! same word of all blocks lies in one vector; md5, sha1 and sha256 then take their rounds over it.

use std::arch::x86_64::*;

use super::stream::{finish, take};
use super::{BLOCK, START, State, has_lanes, has_sha, length_at_end, padded};
use crate::constants::{CUBES, SINES, shift, word};
use crate::lanes::{self, Block, Lanes};
use crate::{Digests, Parts};

const LANES: usize = 16;
/// A word of each lane.
type Words = [u32; LANES];

/// The digests of each content; `None` where the processor lacks the instructions.
pub(crate) fn of_each(contents: &[&[u8]]) -> Option<Vec<Digests>> {
    match (has_lanes(), has_sha()) {
        (true, _) => Some(lanes::digests(&mut States([[0; LANES]; 17]), contents)),
        (_, true) => Some(contents.iter().map(|content| alone(content)).collect()),
        _ => None,
    }
}

fn alone(content: &[u8]) -> Digests {
    let (whole, rest) = content.as_chunks::<BLOCK>();
    let (tail, count) = padded(rest, content.len() as u64, length_at_end);
    ended(START, whole, &tail[..count])
}

fn ended(mut state: State, whole: &[Block], tail: &[Block]) -> Digests {
    take(Parts::All, &mut state, None, whole);
    if !tail.is_empty() {
        finish(Parts::All, &mut state, tail);
    }
    state.digests()
}

/// Seventeen words of state for each lane: of md5, sha1 and sha256.
struct States([Words; 17]);

impl States {
    fn set(&mut self, lane: usize, state: &State) {
        let words = state.md5.iter().chain(&state.sha1).chain(&state.sha256);
        for (of_all, word) in self.0.iter_mut().zip(words) {
            of_all[lane] = *word;
        }
    }

    fn get(&self, lane: usize) -> State {
        let word = |at: usize| self.0[at][lane];
        State {
            md5: std::array::from_fn(word),
            sha1: std::array::from_fn(|at| word(4 + at)),
            sha256: std::array::from_fn(|at| word(9 + at)),
        }
    }
}

/// Only where [`has_lanes`] is true.
impl Lanes<LANES> for States {
    type Digest = Digests;
    const FEW: usize = 4;

    fn length_at_end(bits: u64) -> [u8; 8] {
        length_at_end(bits)
    }

    fn alone(content: &[u8]) -> Digests {
        alone(content)
    }

    fn begin(&mut self, lane: usize) {
        self.set(lane, &START);
    }

    fn step(&mut self, blocks: &[&Block; LANES], last: u16) {
        // SAFETY: `of_each` has asked `has_lanes`.
        unsafe { compress(self, blocks, last) };
    }

    fn end(&self, lane: usize, whole: &[Block], tail: &[Block]) -> Digests {
        ended(self.get(lane), whole, tail)
    }
}

#[inline]
#[target_feature(enable = "avx512f")]
fn load<T: Copy, const N: usize>(bytes: &[T; N]) -> __m512i {
    const { assert!(size_of::<T>() * N == 64) };
    // SAFETY: it is 64 bytes long, and the load asks for no alignment.
    unsafe { _mm512_loadu_si512(bytes.as_ptr().cast()) }
}

#[inline]
#[target_feature(enable = "avx512f")]
fn store(words: &mut Words, vector: __m512i) {
    // SAFETY: it is 64 bytes long, and the store asks for no alignment.
    unsafe { _mm512_storeu_si512(words.as_mut_ptr().cast(), vector) }
}

#[inline]
#[target_feature(enable = "avx512f")]
fn add(one: __m512i, other: __m512i) -> __m512i {
    _mm512_add_epi32(one, other)
}

#[inline]
#[target_feature(enable = "avx512f")]
fn all(word: u32) -> __m512i {
    _mm512_set1_epi32(word.cast_signed())
}

/// `$one ^ $other ^ $third`
macro_rules! xor {
    ($one:expr, $other:expr, $third:expr) => {
        _mm512_ternarylogic_epi32::<0x96>($one, $other, $third)
    };
}

/// One block of every lane. In lanes of which `last` has a bit the block is the last one, which ends in
/// the length.
#[target_feature(enable = "avx512f,avx512bw")]
fn compress(states: &mut States, blocks: &[&Block; LANES], last: u16) {
    let order =
        _mm512_broadcast_i32x4(_mm_set_epi64x(0x0c0d_0e0f_0809_0a0b, 0x0405_0607_0001_0203));
    // No closures: `array::map` has not these instructions, and so could not have one inlined.
    let mut rows = [_mm512_setzero_si512(); LANES];
    for (row, block) in rows.iter_mut().zip(blocks) {
        *row = load(block);
    }
    let turned = transposed(&rows);
    let mut of_sha = turned;
    for word in &mut of_sha {
        *word = _mm512_shuffle_epi8(*word, order);
    }
    // The length stands in the block as sha has it; for md5 all its eight bytes are turned.
    let mut of_md5 = turned;
    of_md5[14] = _mm512_mask_mov_epi32(turned[14], last, of_sha[15]);
    of_md5[15] = _mm512_mask_mov_epi32(turned[15], last, of_sha[14]);
    let [a, b, c, d, words @ ..] = &mut states.0;
    compress_md5([a, b, c, d], &of_md5);
    let [a, b, c, d, e, words @ ..] = words;
    compress_sha1([a, b, c, d, e], &mut of_sha.clone());
    compress_sha256(words, &mut of_sha);
}

/// From a row of sixteen words of each lane to a row of each word of sixteen lanes.
#[inline]
#[target_feature(enable = "avx512f")]
fn transposed(rows: &[__m512i; LANES]) -> [__m512i; LANES] {
    let mut pairs = *rows;
    for at in (0..LANES).step_by(2) {
        pairs[at] = _mm512_unpacklo_epi32(rows[at], rows[at + 1]);
        pairs[at + 1] = _mm512_unpackhi_epi32(rows[at], rows[at + 1]);
    }
    // In each quarter of a vector there is then one word of four lanes.
    let mut fours = pairs;
    for at in (0..LANES).step_by(4) {
        fours[at] = _mm512_unpacklo_epi64(pairs[at], pairs[at + 2]);
        fours[at + 1] = _mm512_unpackhi_epi64(pairs[at], pairs[at + 2]);
        fours[at + 2] = _mm512_unpacklo_epi64(pairs[at + 1], pairs[at + 3]);
        fours[at + 3] = _mm512_unpackhi_epi64(pairs[at + 1], pairs[at + 3]);
    }
    let mut words = fours;
    for at in 0..4 {
        let low = _mm512_shuffle_i32x4::<0x44>(fours[at], fours[4 + at]);
        let high = _mm512_shuffle_i32x4::<0xee>(fours[at], fours[4 + at]);
        let other_low = _mm512_shuffle_i32x4::<0x44>(fours[8 + at], fours[12 + at]);
        let other_high = _mm512_shuffle_i32x4::<0xee>(fours[8 + at], fours[12 + at]);
        words[at] = _mm512_shuffle_i32x4::<0x88>(low, other_low);
        words[4 + at] = _mm512_shuffle_i32x4::<0xdd>(low, other_low);
        words[8 + at] = _mm512_shuffle_i32x4::<0x88>(high, other_high);
        words[12 + at] = _mm512_shuffle_i32x4::<0xdd>(high, other_high);
    }
    words
}

#[inline]
#[target_feature(enable = "avx512f")]
fn step_of_md5<const S: usize, const SHIFT: i32>(
    [a, b, c, d]: [__m512i; 4],
    words: &[__m512i; LANES],
) -> __m512i {
    let mixed = match S / 16 {
        0 => _mm512_ternarylogic_epi32::<0xca>(b, c, d),
        1 => _mm512_ternarylogic_epi32::<0xca>(d, b, c),
        2 => xor!(b, c, d),
        _ => _mm512_ternarylogic_epi32::<0x39>(b, c, d),
    };
    let sum = add(add(a, mixed), add(words[word(S)], all(SINES[S])));
    add(b, _mm512_rol_epi32::<SHIFT>(sum))
}

#[inline]
#[target_feature(enable = "avx512f")]
fn compress_md5(state: [&mut Words; 4], words: &[__m512i; LANES]) {
    let [first, second, third, fourth] = state;
    let (mut a, mut b, mut c, mut d) = (load(first), load(second), load(third), load(fourth));
    macro_rules! steps {
        ($($from:literal)+) => { $(
            a = step_of_md5::<$from, { shift($from).cast_signed() }>([a, b, c, d], words);
            d = step_of_md5::<{ $from + 1 }, { shift($from + 1).cast_signed() }>([d, a, b, c], words);
            c = step_of_md5::<{ $from + 2 }, { shift($from + 2).cast_signed() }>([c, d, a, b], words);
            b = step_of_md5::<{ $from + 3 }, { shift($from + 3).cast_signed() }>([b, c, d, a], words);
        )+ };
    }
    steps!(0 4 8 12 16 20 24 28 32 36 40 44 48 52 56 60);
    for (words, change) in [(first, a), (second, b), (third, c), (fourth, d)] {
        store(words, add(load(words), change));
    }
}

#[inline]
#[target_feature(enable = "avx512f")]
fn compress_sha1(state: [&mut Words; 5], words: &mut [__m512i; LANES]) {
    let [first, second, third, fourth, fifth] = state;
    let (mut a, mut b, mut c) = (load(first), load(second), load(third));
    let (mut d, mut e) = (load(fourth), load(fifth));
    macro_rules! steps {
        ($steps:expr, $mix:literal, $constant:literal) => {
            for step in $steps {
                if step >= LANES {
                    let mixed = _mm512_xor_si512(
                        xor!(
                            words[(step + 13) % LANES],
                            words[(step + 8) % LANES],
                            words[(step + 2) % LANES]
                        ),
                        words[step % LANES],
                    );
                    words[step % LANES] = _mm512_rol_epi32::<1>(mixed);
                }
                let mixed = add(e, _mm512_ternarylogic_epi32::<$mix>(b, c, d));
                let sum = add(mixed, add(words[step % LANES], all($constant)));
                (e, d, c, b, a) =
                    (d, c, _mm512_rol_epi32::<30>(b), a, add(sum, _mm512_rol_epi32::<5>(a)));
            }
        };
    }
    steps!(0..20, 0xca, 0x5a82_7999);
    steps!(20..40, 0x96, 0x6ed9_eba1);
    steps!(40..60, 0xe8, 0x8f1b_bcdc);
    steps!(60..80, 0x96, 0xca62_c1d6);
    for (words, change) in [(first, a), (second, b), (third, c), (fourth, d), (fifth, e)] {
        store(words, add(load(words), change));
    }
}

#[inline]
#[target_feature(enable = "avx512f")]
fn compress_sha256(state: &mut [Words; 8], words: &mut [__m512i; LANES]) {
    let (mut a, mut b, mut c, mut d) =
        (load(&state[0]), load(&state[1]), load(&state[2]), load(&state[3]));
    let (mut e, mut f, mut g, mut h) =
        (load(&state[4]), load(&state[5]), load(&state[6]), load(&state[7]));
    macro_rules! turned {
        ($word:expr, $first:literal, $second:literal, $third:expr) => {
            xor!(_mm512_ror_epi32::<$first>($word), _mm512_ror_epi32::<$second>($word), $third)
        };
    }
    for step in 0..64 {
        if step >= LANES {
            let (near, far) = (words[(step + 14) % LANES], words[(step + 1) % LANES]);
            let near = turned!(near, 17, 19, _mm512_srli_epi32::<10>(near));
            let far = turned!(far, 7, 18, _mm512_srli_epi32::<3>(far));
            words[step % LANES] =
                add(add(words[step % LANES], far), add(words[(step + 9) % LANES], near));
        }
        let mixed = add(h, turned!(e, 6, 11, _mm512_ror_epi32::<25>(e)));
        let mixed = add(mixed, _mm512_ternarylogic_epi32::<0xca>(e, f, g));
        let sum = add(mixed, add(words[step % LANES], all(CUBES[step])));
        let majority = _mm512_ternarylogic_epi32::<0xe8>(a, b, c);
        let first = add(turned!(a, 2, 13, _mm512_ror_epi32::<22>(a)), majority);
        (h, g, f, e, d, c, b, a) = (g, f, e, add(d, sum), c, b, a, add(sum, first));
    }
    for (words, change) in state.iter_mut().zip([a, b, c, d, e, f, g, h]) {
        store(words, add(load(words), change));
    }
}
