//! Md5 of many files at once (RFC 1321). One md5 cannot go faster than its chain of
//! 64 dependent steps a block; files side by side in the lanes of a vector can. Measured
//! on AVX-512: 0.65 GB/s one by one, more than 2 GB/s in sixteen lanes.

use ::md5::{Digest as _, Md5};

/// Digest of each content, in order.
pub(crate) fn digests(contents: &[&[u8]]) -> Vec<[u8; 16]> {
    #[cfg(target_arch = "x86_64")]
    {
        if std::arch::is_x86_feature_detected!("avx512f") {
            // SAFETY: the processor has what the function is compiled for.
            return unsafe { with_avx512(contents) };
        }
        if std::arch::is_x86_feature_detected!("avx2") {
            // SAFETY: as above.
            return unsafe { with_avx2(contents) };
        }
    }
    in_lanes::<4>(contents)
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f")]
fn with_avx512(contents: &[&[u8]]) -> Vec<[u8; 16]> {
    in_lanes::<16>(contents)
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2")]
fn with_avx2(contents: &[&[u8]]) -> Vec<[u8; 16]> {
    in_lanes::<8>(contents)
}

const BLOCK: usize = 64;
const START: [u32; 4] = [0x6745_2301, 0xefcd_ab89, 0x98ba_dcfe, 0x1032_5476];
static NOTHING: [u8; BLOCK] = [0; BLOCK];

/// One file on its way through a lane.
struct Lane<'a> {
    file: usize,
    content: &'a [u8],
    /// The last bytes with their padding: one block or two.
    tail: [u8; 2 * BLOCK],
    next: usize,
    blocks: usize,
}

impl<'a> Lane<'a> {
    fn new(file: usize, content: &'a [u8]) -> Self {
        let whole = content.len() / BLOCK;
        let rest = &content[whole * BLOCK..];
        let mut tail = [0; 2 * BLOCK];
        tail[..rest.len()].copy_from_slice(rest);
        tail[rest.len()] = 0x80;
        let length = if rest.len() + 9 <= BLOCK { BLOCK } else { 2 * BLOCK };
        let bits = (content.len() as u64).wrapping_mul(8);
        tail[length - 8..length].copy_from_slice(&bits.to_le_bytes());
        Lane { file, content, tail, next: 0, blocks: whole + length / BLOCK }
    }

    fn block(&self) -> &[u8; BLOCK] {
        let start = self.next * BLOCK;
        let whole = self.content.len() / BLOCK * BLOCK;
        let block = match start < whole {
            true => &self.content[start..start + BLOCK],
            false => &self.tail[start - whole..start - whole + BLOCK],
        };
        block.try_into().expect("a block has its length")
    }
}

#[inline(always)]
fn in_lanes<const L: usize>(contents: &[&[u8]]) -> Vec<[u8; 16]> {
    let mut digests = vec![[0; 16]; contents.len()];
    // The longest first, so that the lanes end together.
    let mut waiting: Vec<usize> = (0..contents.len()).collect();
    waiting.sort_by_key(|&file| contents[file].len());
    // One that is as long as many of the others together would keep a lane busy alone.
    let mut total: usize = contents.iter().map(|content| content.len()).sum();
    while let Some(&file) = waiting.last()
        && contents[file].len() > total / 8
        && contents[file].len() > BLOCK
    {
        digests[file] = Md5::digest(contents[file]).into();
        total -= contents[file].len();
        waiting.pop();
    }
    let mut states = [[0; L]; 4];
    let mut lanes: [Option<Lane<'_>>; L] = std::array::from_fn(|_| None);
    loop {
        for (number, lane) in lanes.iter_mut().enumerate() {
            if let Some(ended) = lane.take_if(|lane| lane.next == lane.blocks) {
                digests[ended.file] = bytes(std::array::from_fn(|word| states[word][number]));
            }
            if lane.is_none()
                && let Some(file) = waiting.pop()
            {
                *lane = Some(Lane::new(file, contents[file]));
                for (state, start) in states.iter_mut().zip(START) {
                    state[number] = start;
                }
            }
        }
        // A few lanes are done sooner one by one.
        if lanes.iter().flatten().count() < L.div_ceil(4) {
            break;
        }
        let steps = lanes.iter().flatten().map(|lane| lane.blocks - lane.next).min().unwrap_or(0);
        for _ in 0..steps {
            let blocks: [&[u8; BLOCK]; L] =
                std::array::from_fn(|lane| lanes[lane].as_ref().map_or(&NOTHING, Lane::block));
            compress::<L>(&mut states, &blocks);
            lanes.iter_mut().flatten().for_each(|lane| lane.next += 1);
        }
    }
    for (number, lane) in lanes.iter_mut().enumerate() {
        let Some(lane) = lane else { continue };
        let mut state = states.map(|state| [state[number]]);
        while lane.next < lane.blocks {
            compress::<1>(&mut state, &[lane.block()]);
            lane.next += 1;
        }
        digests[lane.file] = bytes(state.map(|[word]| word));
    }
    digests
}

fn bytes(state: [u32; 4]) -> [u8; 16] {
    let mut bytes = [0; 16];
    for (bytes, word) in bytes.chunks_exact_mut(4).zip(state) {
        bytes.copy_from_slice(&word.to_le_bytes());
    }
    bytes
}

/// One block of every lane. Arrays of words, which the compiler turns into vectors.
#[inline(always)]
fn compress<const L: usize>(states: &mut [[u32; L]; 4], blocks: &[&[u8; BLOCK]; L]) {
    let mut words = [[0; L]; 16];
    for (number, word) in words.iter_mut().enumerate() {
        for (lane, block) in blocks.iter().enumerate() {
            let at = number * 4;
            word[lane] =
                u32::from_le_bytes([block[at], block[at + 1], block[at + 2], block[at + 3]]);
        }
    }
    let [mut a, mut b, mut c, mut d] = *states;
    // Four steps bring the four words back to their places, so that nothing is moved about.
    macro_rules! round {
        ($from:literal, $mix:expr, $word:expr, [$($shift:literal),+]) => {
            for step in (0..16).step_by(4) {
                let from = $from + step;
                let word = |step| &words[$word(step) % 16];
                let [first, second, third, fourth] = [$($shift),+];
                turn(&mut a, &b, &c, &d, $mix, word(step), SINES[from], first);
                turn(&mut d, &a, &b, &c, $mix, word(step + 1), SINES[from + 1], second);
                turn(&mut c, &d, &a, &b, $mix, word(step + 2), SINES[from + 2], third);
                turn(&mut b, &c, &d, &a, $mix, word(step + 3), SINES[from + 3], fourth);
            }
        };
    }
    round!(0, |b: u32, c, d| d ^ (b & (c ^ d)), |step: usize| step, [7, 12, 17, 22]);
    round!(16, |b: u32, c, d: u32| c ^ (d & (b ^ c)), |step: usize| 5 * step + 1, [5, 9, 14, 20]);
    round!(32, |b: u32, c: u32, d: u32| b ^ c ^ d, |step: usize| 3 * step + 5, [4, 11, 16, 23]);
    round!(48, |b: u32, c: u32, d: u32| c ^ (b | !d), |step: usize| 7 * step, [6, 10, 15, 21]);
    for (state, change) in states.iter_mut().zip([a, b, c, d]) {
        for (state, change) in state.iter_mut().zip(change) {
            *state = state.wrapping_add(change);
        }
    }
}

/// One step of every lane.
#[inline(always)]
#[expect(clippy::too_many_arguments, reason = "the step of RFC 1321 has as many")]
fn turn<const L: usize>(
    a: &mut [u32; L],
    b: &[u32; L],
    c: &[u32; L],
    d: &[u32; L],
    mix: impl Fn(u32, u32, u32) -> u32,
    word: &[u32; L],
    sine: u32,
    shift: u32,
) {
    for lane in 0..L {
        a[lane] = a[lane]
            .wrapping_add(mix(b[lane], c[lane], d[lane]))
            .wrapping_add(sine)
            .wrapping_add(word[lane])
            .rotate_left(shift)
            .wrapping_add(b[lane]);
    }
}

/// The whole part of `2^32 * abs(sin(i))` for `i` from 1 to 64, as RFC 1321 defines them.
static SINES: [u32; 64] = [
    0xd76a_a478,
    0xe8c7_b756,
    0x2420_70db,
    0xc1bd_ceee,
    0xf57c_0faf,
    0x4787_c62a,
    0xa830_4613,
    0xfd46_9501,
    0x6980_98d8,
    0x8b44_f7af,
    0xffff_5bb1,
    0x895c_d7be,
    0x6b90_1122,
    0xfd98_7193,
    0xa679_438e,
    0x49b4_0821,
    0xf61e_2562,
    0xc040_b340,
    0x265e_5a51,
    0xe9b6_c7aa,
    0xd62f_105d,
    0x0244_1453,
    0xd8a1_e681,
    0xe7d3_fbc8,
    0x21e1_cde6,
    0xc337_07d6,
    0xf4d5_0d87,
    0x455a_14ed,
    0xa9e3_e905,
    0xfcef_a3f8,
    0x676f_02d9,
    0x8d2a_4c8a,
    0xfffa_3942,
    0x8771_f681,
    0x6d9d_6122,
    0xfde5_380c,
    0xa4be_ea44,
    0x4bde_cfa9,
    0xf6bb_4b60,
    0xbebf_bc70,
    0x289b_7ec6,
    0xeaa1_27fa,
    0xd4ef_3085,
    0x0488_1d05,
    0xd9d4_d039,
    0xe6db_99e5,
    0x1fa2_7cf8,
    0xc4ac_5665,
    0xf429_2244,
    0x432a_ff97,
    0xab94_23a7,
    0xfc93_a039,
    0x655b_59c3,
    0x8f0c_cc92,
    0xffef_f47d,
    0x8584_5dd1,
    0x6fa8_7e4f,
    0xfe2c_e6e0,
    0xa301_4314,
    0x4e08_11a1,
    0xf753_7e82,
    0xbd3a_f235,
    0x2ad7_d2bb,
    0xeb86_d391,
];

#[cfg(test)]
mod tests {
    use super::*;

    /// Of every length around a block's, in every number of files, and with lanes that end apart.
    #[test]
    fn lanes_give_what_the_crate_gives_one_by_one() {
        let bytes: Vec<u8> = (0..5000u32).map(|i| (i * i / 7) as u8).collect();
        let all: Vec<&[u8]> =
            (0..200).chain([1000, 4999, 64, 4096]).map(|length| &bytes[..length]).collect();
        let expected: Vec<[u8; 16]> =
            all.iter().map(|content| Md5::digest(content).into()).collect();
        assert_eq!(in_lanes::<4>(&all), expected);
        for count in [0, 1, 2, 3, 5, 17, all.len()] {
            assert_eq!(digests(&all[..count]), expected[..count]);
            assert_eq!(in_lanes::<8>(&all[..count]), expected[..count]);
        }
    }

    #[test]
    fn the_sines_are_those_of_the_specification() {
        for (i, sine) in SINES.iter().enumerate() {
            assert_eq!(*sine, ((i as f64 + 1.0).sin().abs() * 4_294_967_296.0) as u32);
        }
    }
}
