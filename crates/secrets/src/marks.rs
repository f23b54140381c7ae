//! Kinds of bytes, sixty-four at once: a bit for each byte of a block says whether it is a
//! letter, part of a token, or the begin of some word.
//!
//! Each byte is looked up by its two halves in tables of sixteen, which vector registers do
//! for thirty-two bytes in one step. The plain form has the same answer from one table.

use super::sites::Blocks;

/// Bytes of a block.
pub(super) const BLOCK: usize = 64;
/// The same with the bytes behind it that a word at its end may need.
const WITH_NEXT: usize = BLOCK + 3;

const DIGIT: u8 = 1;
const UPPER: u8 = 2 | 4;
const LOWER: u8 = 8 | 16;
const ALNUM: u8 = DIGIT | UPPER | LOWER;
const LINE: u8 = 32;
const DASH: u8 = 64;
const WORD: u8 = ALNUM | LINE;
const TOKEN: u8 = WORD | DASH;
const BASE64: u8 = TOKEN | 128;

/// The kinds of a byte by its lower half, and by its upper half: it is of those in both.
/// Capitals and small letters are in two rows of ASCII each; `_`, `-`, and `+` with `/`.
const LOW: [u8; 16] = {
    let mut table = [0; 16];
    let mut low = 0;
    while low < 16 {
        if low < 10 {
            table[low] |= DIGIT;
        }
        if low > 0 {
            table[low] |= 2 | 8;
        }
        if low < 11 {
            table[low] |= 4 | 16;
        }
        low += 1;
    }
    table[15] |= 32 | 128;
    table[13] |= 64;
    table[11] |= 128;
    table
};
const HIGH: [u8; 16] = [0, 0, 64 | 128, DIGIT, 2, 4 | 32, 8, 16, 0, 0, 0, 0, 0, 0, 0, 0];

const fn kinds(byte: u8) -> u8 {
    LOW[(byte & 15) as usize] & HIGH[(byte >> 4) as usize]
}

/// The signs of values, each upper half with a bit of its own: what `assignment.rs` reads as one.
const VALUE_LOW: [u8; 16] = {
    const SIGNS: &[u8] = b"_-+/=.~:%!@$*#^0123456789\
        abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";
    let mut table = [0; 16];
    let mut at = 0;
    while at < SIGNS.len() {
        table[(SIGNS[at] & 15) as usize] |= 1 << (SIGNS[at] >> 4);
        at += 1;
    }
    table
};
const VALUE_HIGH: [u8; 16] = [1, 2, 4, 8, 16, 32, 64, 128, 0, 0, 0, 0, 0, 0, 0, 0];

const fn is_of_value(byte: u8) -> bool {
    VALUE_LOW[(byte & 15) as usize] & VALUE_HIGH[(byte >> 4) as usize] != 0
}

/// What the sixty-four bytes of a block are, the first in the lowest bit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Marks {
    pub(super) upper: u64,
    pub(super) lower: u64,
    /// Letters and digits.
    pub(super) alnum: u64,
    /// These and `_`.
    pub(super) word: u64,
    /// These and `-`: what most tokens are made of.
    pub(super) token: u64,
    /// These, `+` and `/`: either alphabet of base64.
    pub(super) base64: u64,
    pub(super) digit: u64,
    /// What values are made of.
    pub(super) value: u64,
    /// Where one of the words may begin that were asked for, and one that begins a name.
    pub(super) begin: u64,
    pub(super) begin_name: u64,
}

/// The first three or four bytes of words, in groups: for each place in them which
/// halves of bytes the words of a group have there.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Beginnings {
    /// Words that stand anywhere, and others that begin a name.
    anywhere: [EightGroups; 2],
    names: [EightGroups; 1],
}

/// A bit for each group.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct EightGroups {
    low: [[u8; 16]; 4],
    high: [[u8; 16]; 4],
}

impl Beginnings {
    /// Of words, of three bytes at least.
    pub(super) fn of<'a>(
        anywhere: impl Iterator<Item = (&'a [u8], bool)>,
        names: impl Iterator<Item = (&'a [u8], bool)>,
    ) -> Self {
        Beginnings { anywhere: grouped(anywhere), names: grouped(names) }
    }
}

/// Each word is put into the group in which it makes the fewest others pass.
fn grouped<'a, const PARTS: usize>(
    words: impl Iterator<Item = (&'a [u8], bool)>,
) -> [EightGroups; PARTS] {
    let mut all = [const { EightGroups::NONE }; PARTS];
    for (word, is_exact) in words {
        let groups = (0..PARTS).flat_map(|part| (0..8).map(move |group| (part, group)));
        let grown = groups.map(|(part, group)| {
            let grown = all[part].with(word, is_exact, group);
            (grown.passed(group) - all[part].passed(group), part, grown)
        });
        let best = grown.min_by_key(|(cost, _, _)| *cost);
        let (_, part, grown) = best.expect("some groups");
        all[part] = grown;
    }
    all
}

fn may_begin(parts: &[EightGroups], bytes: &[u8]) -> bool {
    parts.iter().any(|part| part.groups(bytes) != 0)
}

impl EightGroups {
    const NONE: Self = EightGroups { low: [[0; 16]; 4], high: [[0; 16]; 4] };

    fn with(&self, word: &[u8], is_exact: bool, group: u32) -> Self {
        let mut grown = self.clone();
        for place in 0..4 {
            let mut add = |byte: u8| {
                grown.low[place][usize::from(byte & 15)] |= 1 << group;
                grown.high[place][usize::from(byte >> 4)] |= 1 << group;
            };
            match word.get(place) {
                Some(&byte) if is_exact => add(byte),
                Some(byte) => {
                    add(byte.to_ascii_lowercase());
                    add(byte.to_ascii_uppercase());
                }
                None => (0..=u8::MAX).for_each(add),
            }
        }
        grown
    }

    /// How many texts of four bytes a group lets pass.
    fn passed(&self, group: u32) -> u64 {
        let count = |table: &[u8; 16]| table.iter().filter(|it| *it >> group & 1 == 1).count();
        let places = self.low.iter().zip(&self.high);
        places.map(|(low, high)| (count(low) * count(high)) as u64).product()
    }

    /// Those of which a word may begin with four bytes.
    fn groups(&self, bytes: &[u8]) -> u8 {
        let groups = |place: usize| {
            let byte = usize::from(bytes[place]);
            self.low[place][byte & 15] & self.high[place][byte >> 4]
        };
        groups(0) & groups(1) & groups(2) & groups(3)
    }
}

/// The marks of so many blocks; three more bytes follow the last.
pub(super) fn mark(bytes: &[u8], beginnings: &Beginnings, count: usize, out: &mut Blocks) {
    #[cfg(target_arch = "x86_64")]
    if std::arch::is_x86_feature_detected!("avx2") {
        // SAFETY: the processor has the instructions.
        return unsafe { by_vectors(bytes, beginnings, count, |at, marks| out.set(at, &marks)) };
    }
    let plainly = |block: &[u8; WITH_NEXT]| plainly(block, beginnings);
    each_block(bytes, count, plainly, |at, marks| out.set(at, &marks));
}

#[inline(always)]
fn each_block(
    bytes: &[u8],
    count: usize,
    marks: impl Fn(&[u8; WITH_NEXT]) -> Marks,
    mut put: impl FnMut(usize, Marks),
) {
    for number in 0..count {
        let rest = &bytes[number * BLOCK..];
        put(number, marks(rest.first_chunk().expect("three bytes behind the last block")));
    }
}

fn plainly(block: &[u8; WITH_NEXT], beginnings: &Beginnings) -> Marks {
    let mut marks = Marks::default();
    for (place, four) in block.windows(4).enumerate() {
        let kinds = kinds(four[0]);
        let bit = |mask: u8| u64::from(kinds & mask != 0) << place;
        marks.upper |= bit(UPPER);
        marks.lower |= bit(LOWER);
        marks.alnum |= bit(ALNUM);
        marks.word |= bit(WORD);
        marks.token |= bit(TOKEN);
        marks.base64 |= bit(BASE64);
        marks.digit |= bit(DIGIT);
        marks.value |= u64::from(is_of_value(four[0])) << place;
        marks.begin |= u64::from(may_begin(&beginnings.anywhere, four)) << place;
        marks.begin_name |= u64::from(may_begin(&beginnings.names, four)) << place;
    }
    marks
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2")]
fn by_vectors(bytes: &[u8], beginnings: &Beginnings, count: usize, put: impl FnMut(usize, Marks)) {
    use std::arch::x86_64::*;

    /// Both halves of a register hold the table: each looks up its own sixteen bytes.
    #[target_feature(enable = "avx2")]
    fn table(table: &[u8; 16]) -> __m256i {
        // SAFETY: sixteen bytes are there, and need no alignment.
        _mm256_broadcastsi128_si256(unsafe { _mm_loadu_si128(table.as_ptr().cast()) })
    }

    /// Bytes as their lower and upper halves.
    #[target_feature(enable = "avx2")]
    fn halves(bytes: __m256i) -> [__m256i; 2] {
        let half = _mm256_set1_epi8(15);
        let upper = _mm256_srli_epi16::<4>(bytes);
        [_mm256_and_si256(bytes, half), _mm256_and_si256(upper, half)]
    }

    #[target_feature(enable = "avx2")]
    fn look_up(halves: [__m256i; 2], tables: [__m256i; 2]) -> __m256i {
        let [low, high] = [0, 1].map(|it: usize| _mm256_shuffle_epi8(tables[it], halves[it]));
        _mm256_and_si256(low, high)
    }

    /// Where a byte has one of some bits, of which the highest is none.
    #[target_feature(enable = "avx2")]
    fn bits(vector: __m256i, mask: u8) -> u64 {
        let masked = _mm256_and_si256(vector, _mm256_set1_epi8(mask.cast_signed()));
        let is_any = _mm256_cmpgt_epi8(masked, _mm256_setzero_si256());
        u64::from(_mm256_movemask_epi8(is_any).cast_unsigned())
    }

    /// Where a byte has any bit.
    #[target_feature(enable = "avx2")]
    fn any(vector: __m256i) -> u64 {
        let is_none = _mm256_cmpeq_epi8(vector, _mm256_setzero_si256());
        u64::from(!_mm256_movemask_epi8(is_none).cast_unsigned())
    }

    let of_kinds = [table(&LOW), table(&HIGH)];
    let of_values = [table(&VALUE_LOW), table(&VALUE_HIGH)];
    let [one, two] = &beginnings.anywhere;
    let [names] = &beginnings.names;
    let parts = [one, two, names].map(|part: &EightGroups| {
        [0, 1, 2, 3].map(|place: usize| [table(&part.low[place]), table(&part.high[place])])
    });
    let half = |block: &[u8; WITH_NEXT], at: usize| {
        let all = [0, 1, 2, 3].map(|place: usize| {
            // SAFETY: of the 67 bytes 32 are read from at most 32 + 3 on.
            halves(unsafe { _mm256_loadu_si256(block.as_ptr().add(at + place).cast()) })
        });
        let kinds = look_up(all[0], of_kinds);
        let mut groups = [_mm256_setzero_si256(); 3];
        for (groups, part) in groups.iter_mut().zip(&parts) {
            let at = |place: usize| look_up(all[place], part[place]);
            let (begin, end) = (_mm256_and_si256(at(0), at(1)), _mm256_and_si256(at(2), at(3)));
            *groups = _mm256_and_si256(begin, end);
        }
        let [one, two, names] = groups;
        // The highest bit is the sign.
        let of_base64 = u64::from(_mm256_movemask_epi8(kinds).cast_unsigned());
        let [digit, upper, lower, line, dash] =
            [DIGIT, UPPER, LOWER, LINE, DASH].map(|mask: u8| bits(kinds, mask));
        let value = any(look_up(all[0], of_values));
        let (begin, begin_name) = (any(_mm256_or_si256(one, two)), any(names));
        [digit, upper, lower, line, dash, of_base64, value, begin, begin_name]
    };
    let both = |block: &[u8; WITH_NEXT]| {
        let (one, two) = (half(block, 0), half(block, 32));
        let [digit, upper, lower, line, dash, of_base64, value, begin, begin_name] =
            [0, 1, 2, 3, 4, 5, 6, 7, 8].map(|kind: usize| one[kind] | two[kind] << 32);
        let alnum = digit | upper | lower;
        let word = alnum | line;
        let token = word | dash;
        let base64 = token | of_base64;
        Marks { upper, lower, alnum, word, token, base64, digit, value, begin, begin_name }
    };
    each_block(bytes, count, both, put);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_byte_is_of_the_kinds_that_ascii_has() {
        for byte in 0..=u8::MAX {
            let is = |mask: u8| kinds(byte) & mask != 0;
            assert_eq!(is(UPPER), byte.is_ascii_uppercase(), "{byte}");
            assert_eq!(is(LOWER), byte.is_ascii_lowercase(), "{byte}");
            assert_eq!(is(ALNUM), byte.is_ascii_alphanumeric(), "{byte}");
            assert_eq!(is(WORD), byte.is_ascii_alphanumeric() || byte == b'_', "{byte}");
            let is_token = byte.is_ascii_alphanumeric() || b"_-".contains(&byte);
            assert_eq!(is(TOKEN), is_token, "{byte}");
            assert_eq!(is(BASE64), is_token || b"+/".contains(&byte), "{byte}");
            assert_eq!(is_of_value(byte), super::super::assignment::is_of_value(byte), "{byte}");
        }
    }

    #[test]
    fn vectors_mark_the_same_as_the_plain_form() {
        let words: [(&[u8], bool); 4] =
            [(b"key", false), (b"token", false), (b"://", false), (b"AKIA", true)];
        let beginnings = Beginnings::of(words.into_iter(), [(&b"AKIA"[..], true)].into_iter());
        let mut seed = 7_u32;
        let random = std::iter::repeat_with(|| {
            seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (seed >> 24) as u8
        });
        let mut text: Vec<u8> = random.take(200).collect();
        for (at, word) in [(3, &b"kEy"[..]), (62, b"token"), (90, b"://"), (196, b"AKIA")] {
            text[at..at + word.len()].copy_from_slice(word);
        }
        text.extend([0; 64]);
        for from in 0..text.len() - BLOCK * 3 {
            let (mut fast, mut slow) = ([Marks::default(); 3], [Marks::default(); 3]);
            let part = &text[from..];
            if part.len() < BLOCK * 3 + 3 {
                break;
            }
            #[cfg(target_arch = "x86_64")]
            // SAFETY: tests are run on processors that have the instructions.
            unsafe {
                by_vectors(part, &beginnings, 3, |at, marks| fast[at] = marks);
            }
            each_block(part, 3, |block| plainly(block, &beginnings), |at, it| slow[at] = it);
            assert_eq!(fast, slow, "{from}");
            for at in [3, 62, 90, 196].into_iter().filter_map(|at: usize| at.checked_sub(from)) {
                let block = fast.get(at / BLOCK);
                assert!(block.is_none_or(|it| it.begin >> (at % BLOCK) & 1 == 1), "{from} {at}");
            }
        }
    }
}
