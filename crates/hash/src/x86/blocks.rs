//! All digests of a content, and the sha256 of what it lies in, in one loop over its blocks.
//!
//! Each of md5's 64 steps waits for the one before, for some five cycles in which the processor
//! could do more; sha1 and sha256 have chains of their own. So a few steps of each follow each
//! other, and all of them take as long as md5 alone. The two sha256 have different states and the same
//! words: those are made once.
//!
//! The compiler would take all steps of one digest and then all of the next, further apart than a
//! processor looks ahead, and add what is new before what is old. Two assembler blocks without an
//! instruction hold it to the order that is written here.
//!
//! There are no closures in it: a function without these instructions, such as `array::map`, cannot have one
//! that has them inlined. The instructions: Intel's "SHA Extensions" (sha1rnds4, sha256rnds2 and their helpers).

use std::arch::asm;
use std::arch::x86_64::*;

use super::State;
use crate::constants::{CUBES, SINES, shift, word};
use crate::lanes::Block;

/// The same word, which the compiler has to have made before it adds anything to it.
#[inline(always)]
fn made(mut word: u32) -> u32 {
    // SAFETY: there is no instruction in it; the word stays in its register.
    unsafe {
        asm!("/* {0:e} */", inout(reg) word, options(pure, nomem, nostack, preserves_flags));
    }
    word
}

/// The compiler takes no step from here on before it has taken those that lead to both.
#[inline]
#[target_feature(enable = "sse2")]
fn meet(word: &mut u32, vector: &mut __m128i) {
    // SAFETY: there is no instruction in it; both stay in their registers.
    unsafe {
        asm!(
            "/* {0:e} {1} */",
            inout(reg) * word,
            inout(xmm_reg) * vector,
            options(pure, nomem, nostack, preserves_flags),
        );
    }
}

/// The same for two vectors.
#[inline]
#[target_feature(enable = "sse2")]
fn meet_vectors(one: &mut __m128i, other: &mut __m128i) {
    // SAFETY: there is no instruction in it; both stay in their registers.
    unsafe {
        asm!(
            "/* {0} {1} */",
            inout(xmm_reg) * one,
            inout(xmm_reg) * other,
            options(pure, nomem, nostack, preserves_flags),
        );
    }
}

/// One step of md5: the new value of `a`. Of what is added, only the last parts wait for `b`.
#[inline(always)]
fn step<const S: usize>(a: u32, b: u32, c: u32, d: u32, words: &[u32; 16]) -> u32 {
    let sum = a.wrapping_add(words[word(S)]).wrapping_add(SINES[S]);
    let sum = match S / 16 {
        0 => made(sum).wrapping_add(d ^ (b & (c ^ d))),
        1 => made(sum.wrapping_add(c & !d)).wrapping_add(b & d),
        2 => made(sum).wrapping_add(made(c ^ d) ^ b),
        _ => made(sum).wrapping_add(c ^ (b | !d)),
    };
    sum.rotate_left(shift(S)).wrapping_add(b)
}

/// Inlined whatever happens: a call would cost the vectors their registers.
#[inline(always)]
fn words(block: &Block) -> [u32; 16] {
    let mut words = [0; 16];
    for (word, bytes) in words.iter_mut().zip(block.as_chunks::<4>().0) {
        *word = u32::from_le_bytes(*bytes);
    }
    words
}

#[inline]
#[target_feature(enable = "sse2")]
fn quarters(block: &Block) -> [__m128i; 4] {
    let mut loaded = [_mm_setzero_si128(); 4];
    let (quarters, _) = block.as_chunks::<16>();
    for (to, quarter) in loaded.iter_mut().zip(quarters) {
        // SAFETY: it is sixteen bytes long, and the load asks for no alignment.
        *to = unsafe { _mm_loadu_si128(quarter.as_ptr().cast()) };
    }
    loaded
}

#[inline]
#[target_feature(enable = "sse2")]
fn vector(words: [u32; 4]) -> __m128i {
    let [first, second, third, fourth] = words;
    _mm_set_epi32(
        fourth.cast_signed(),
        third.cast_signed(),
        second.cast_signed(),
        first.cast_signed(),
    )
}

/// The words of a vector, the lowest first.
#[inline]
#[target_feature(enable = "sse4.1")]
fn words_of(vector: __m128i) -> [u32; 4] {
    [
        _mm_extract_epi32::<0>(vector),
        _mm_extract_epi32::<1>(vector),
        _mm_extract_epi32::<2>(vector),
        _mm_extract_epi32::<3>(vector),
    ]
    .map(i32::cast_unsigned)
}

/// The eight words of a sha256 as the instructions want them: `a b e f` and `c d g h`, the last
/// of each the lowest.
#[inline]
#[target_feature(enable = "sse2")]
fn halves([a, b, c, d, e, f, g, h]: [u32; 8]) -> [__m128i; 2] {
    [vector([f, e, b, a]), vector([h, g, d, c])]
}

#[inline]
#[target_feature(enable = "sse4.1")]
fn whole(halves: [__m128i; 2]) -> [u32; 8] {
    let [[f, e, b, a], [h, g, d, c]] = [words_of(halves[0]), words_of(halves[1])];
    [a, b, c, d, e, f, g, h]
}

/// Four steps of md5.
macro_rules! md5_steps {
    ($group:literal, $md5:ident, $words:ident) => {
        $md5[0] = step::<{ 4 * $group }>($md5[0], $md5[1], $md5[2], $md5[3], &$words);
        $md5[3] = step::<{ 4 * $group + 1 }>($md5[3], $md5[0], $md5[1], $md5[2], &$words);
        $md5[2] = step::<{ 4 * $group + 2 }>($md5[2], $md5[3], $md5[0], $md5[1], &$words);
        $md5[1] = step::<{ 4 * $group + 3 }>($md5[1], $md5[2], $md5[3], $md5[0], &$words);
    };
}
/// Four rounds of both sha256.
macro_rules! sha256_rounds {
    ($group:literal, $of:ident, $inner:ident, $around:ident) => {
        let (first, second) = ($of[$group % 4], $of[($group + 1) % 4]);
        let (third, fourth) = ($of[($group + 2) % 4], $of[($group + 3) % 4]);
        let words = &mut $of[$group % 4];
        if $group >= 4 {
            let older = _mm_sha256msg1_epu32(first, second);
            let sum = _mm_add_epi32(older, _mm_alignr_epi8::<4>(fourth, third));
            *words = _mm_sha256msg2_epu32(sum, fourth);
        }
        let from = 4 * $group;
        let cubes = [CUBES[from], CUBES[from + 1], CUBES[from + 2], CUBES[from + 3]];
        let low = _mm_add_epi32(*words, vector(cubes));
        let high = _mm_shuffle_epi32::<0x0e>(low);
        $inner[1] = _mm_sha256rnds2_epu32($inner[1], $inner[0], low);
        if OUTER {
            $around[1] = _mm_sha256rnds2_epu32($around[1], $around[0], low);
        }
        $inner[0] = _mm_sha256rnds2_epu32($inner[0], $inner[1], high);
        if OUTER {
            $around[0] = _mm_sha256rnds2_epu32($around[0], $around[1], high);
        }
    };
}
/// Four rounds of sha1.
macro_rules! sha1_rounds {
    ($group:literal, $of:ident, $abcd:ident, $last:ident, $e_before:ident) => {
        let (first, second) = ($of[$group % 4], $of[($group + 1) % 4]);
        let (third, fourth) = ($of[($group + 2) % 4], $of[($group + 3) % 4]);
        let words = &mut $of[$group % 4];
        if $group >= 4 {
            let older = _mm_xor_si128(_mm_sha1msg1_epu32(first, second), third);
            *words = _mm_sha1msg2_epu32(older, fourth);
        }
        let with_e = match $group == 0 {
            true => _mm_add_epi32($e_before, *words),
            false => _mm_sha1nexte_epu32($last, *words),
        };
        $last = $abcd;
        $abcd = _mm_sha1rnds4_epu32::<{ $group / 5 }>($abcd, with_e);
    };
}

/// Takes blocks of a content into the digests that are asked for, and with `OUTER` into the sha256
/// of what the content lies in.
#[target_feature(enable = "sha,sse4.1,ssse3,bmi1,bmi2,avx2")]
pub(super) fn take<const MD5: bool, const SHA1: bool, const SHA256: bool, const OUTER: bool>(
    state: &mut State,
    outer: &mut [u32; 8],
    blocks: &[Block],
) {
    let big_endian = _mm_set_epi64x(0x0c0d_0e0f_0809_0a0b, 0x0405_0607_0001_0203);
    let reversed = _mm_set_epi64x(0x0001_0203_0405_0607, 0x0809_0a0b_0c0d_0e0f);
    let mut md5 = state.md5;
    let [a, b, c, d, e] = state.sha1;
    let mut abcd = vector([d, c, b, a]);
    let mut next_e = vector([0, 0, 0, e]);
    let mut inner = halves(state.sha256);
    let mut around = halves(*outer);
    for block in blocks {
        let words = words(block);
        let quarters = quarters(block);
        let (mut of_sha256, mut of_sha1) = (quarters, quarters);
        for quarter in 0..4 {
            of_sha256[quarter] = _mm_shuffle_epi8(quarters[quarter], big_endian);
            of_sha1[quarter] = _mm_shuffle_epi8(quarters[quarter], reversed);
        }
        let (md5_before, abcd_before, e_before) = (md5, abcd, next_e);
        let (inner_before, around_before) = (inner, around);
        let mut last = abcd;
        macro_rules! together {
            ($($group:literal: $($of_sha1:literal)+;)+) => { $(
                if MD5 {
                    md5_steps!($group, md5, words);
                }
                if SHA256 {
                    sha256_rounds!($group, of_sha256, inner, around);
                }
                if SHA1 {
                    $( sha1_rounds!($of_sha1, of_sha1, abcd, last, e_before); )+
                }
                if MD5 && SHA1 {
                    meet(&mut md5[1], &mut abcd);
                }
                if MD5 && SHA256 {
                    meet(&mut md5[1], &mut inner[0]);
                }
                if SHA1 && SHA256 && !MD5 {
                    meet_vectors(&mut abcd, &mut inner[0]);
                }
                if OUTER {
                    meet_vectors(&mut inner[0], &mut around[0]);
                }
            )+ };
        }
        // Sixteen groups of four for md5 and sha256, twenty for sha1.
        together! {
            0: 0; 1: 1; 2: 2; 3: 3 4; 4: 5; 5: 6; 6: 7; 7: 8 9;
            8: 10; 9: 11; 10: 12; 11: 13 14; 12: 15; 13: 16; 14: 17; 15: 18 19;
        }
        for (word, before) in md5.iter_mut().zip(md5_before) {
            *word = word.wrapping_add(before);
        }
        next_e = _mm_sha1nexte_epu32(last, e_before);
        abcd = _mm_add_epi32(abcd, abcd_before);
        for half in 0..2 {
            inner[half] = _mm_add_epi32(inner[half], inner_before[half]);
            around[half] = _mm_add_epi32(around[half], around_before[half]);
        }
    }
    if MD5 {
        state.md5 = md5;
    }
    if SHA1 {
        let ([d, c, b, a], [_, _, _, e]) = (words_of(abcd), words_of(next_e));
        state.sha1 = [a, b, c, d, e];
    }
    if SHA256 {
        state.sha256 = whole(inner);
    }
    if OUTER {
        *outer = whole(around);
    }
}
