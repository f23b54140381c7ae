//! Where the keywords of all rules stand in a text.
//!
//! Two tables of bits over hashes of four bytes, case ignored, say at which places one may
//! stand: the first passes one in twenty, the second one in ten of these. What both pass is
//! compared. An automaton over the same words reads one
//! byte after another and waits for memory at each; here no place waits for another.

use std::collections::BTreeMap;
use std::ops::Range;

/// Bytes that are hashed.
const GRAM: usize = 4;
/// Bits of the hash that the table has a bit for: 64 KiB.
const FILTER_BITS: u32 = 19;
/// The same of the second table: 32 KiB.
const SECOND_BITS: u32 = 18;
/// Places that are looked up at once.
const STEP: usize = 8;
/// Places that are searched before what was found is looked at; a multiple of the above.
const STRETCH: usize = 64 << 10;
/// Sets the bit by which small letters differ from capitals. Other signs that it makes alike
/// are told apart when words are compared.
const CASE: u64 = 0x2020_2020_2020_2020;

/// A word to look for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Word {
    /// Lower case, or as it is written where it is exact. At least three bytes.
    pub(super) text: Box<[u8]>,
    pub(super) is_exact: bool,
    /// Whether a letter, a digit or a sign of tokens has to follow.
    pub(super) is_begin: bool,
}

/// A word that was found: its position among the words, and where it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Found {
    pub(super) word: usize,
    pub(super) range: Range<usize>,
}

pub(super) struct Keywords {
    filter: Filter,
    /// Words by four bytes of them, and those of three letters.
    by_four: Table,
    by_three: Table,
    words: Vec<Option<Word>>,
}

/// One bit for each hash.
struct Filter {
    first: Box<[u64; 1 << (FILTER_BITS - 6)]>,
    second: Box<[u64; 1 << (SECOND_BITS - 6)]>,
}

impl Filter {
    /// 1 where some word may stand.
    fn passes(&self, folded: u32) -> u64 {
        let hash = hash(folded) >> (32 - FILTER_BITS);
        self.first[(hash >> 6) as usize] >> (hash & 63) & 1
    }

    fn passes_second(&self, folded: u32) -> bool {
        let hash = second_hash(folded) >> (32 - SECOND_BITS);
        self.second[(hash >> 6) as usize] >> (hash & 63) & 1 == 1
    }

    fn mark(&mut self, folded: u32) {
        let hash = hash(folded) >> (32 - FILTER_BITS);
        self.first[(hash >> 6) as usize] |= 1 << (hash & 63);
        let hash = second_hash(folded) >> (32 - SECOND_BITS);
        self.second[(hash >> 6) as usize] |= 1 << (hash & 63);
    }
}

/// What may stand at a place, by the hash of its bytes.
struct Table {
    starts: Vec<u16>,
    entries: Vec<Entry>,
}

#[derive(Clone, Copy)]
struct Entry {
    bytes: u32,
    word: u16,
    /// Bytes of the word before these.
    offset: u8,
}

const TABLE_BITS: u32 = 12;

impl Keywords {
    /// Words that are `None` keep their positions and are not looked for.
    pub(super) fn new(words: Vec<Option<Word>>) -> Self {
        let mut filter = Filter {
            first: Box::new([0; 1 << (FILTER_BITS - 6)]),
            second: Box::new([0; 1 << (SECOND_BITS - 6)]),
        };
        let (mut four, mut three) = (Vec::new(), Vec::new());
        for (position, word) in words.iter().enumerate() {
            let Some(word) = word else { continue };
            let position = u16::try_from(position).expect("some thousand words");
            if word.text.len() < GRAM {
                let bytes = folded(&[&word.text[..], b"\0"].concat());
                three.push(Entry { bytes: bytes & THREE, word: position, offset: 0 });
                for next in (0..=u8::MAX).filter(|&next| !word.is_begin || is_of_token(next)) {
                    filter.mark(folded(&[&word.text[..], &[next]].concat()));
                }
            } else {
                let offset = rarest(&word.text);
                let bytes = folded(&word.text[offset..]);
                let offset = u8::try_from(offset).expect("words are short");
                four.push(Entry { bytes, word: position, offset });
                filter.mark(bytes);
            }
        }
        Keywords { filter, by_four: Table::new(four), by_three: Table::new(three), words }
    }

    /// Every place of every word, in the order of their ends; of those that end together the
    /// longest first.
    pub(super) fn find(&self, text: &[u8]) -> Vec<Found> {
        let mut all = Vec::new();
        self.each(text, |found| all.push(found.clone()));
        all
    }

    /// The same without keeping them: a text may be made of nothing else.
    pub(super) fn each(&self, text: &[u8], mut look: impl FnMut(&Found)) {
        let mut found = Vec::new();
        for from in (0..text.len()).step_by(STRETCH) {
            self.find_between(text, from..text.len().min(from + STRETCH), &mut found);
            found.sort_unstable_by_key(|found| (found.range.end, found.range.start));
            found.drain(..).for_each(|found| look(&found));
        }
    }

    fn find_between(&self, text: &[u8], places: Range<usize>, found: &mut Vec<Found>) {
        let mut at = places.start;
        while let Some(bytes) = text.get(at..at + STEP + GRAM).filter(|_| at < places.end) {
            let low = u64::from_le_bytes(bytes[..8].try_into().expect("eight bytes")) | CASE;
            let high = u64::from_le_bytes(bytes[4..].try_into().expect("eight bytes")) | CASE;
            let mut passed = 0_u64;
            for place in 0..4 {
                passed |= self.filter.passes((low >> (8 * place)) as u32) << place;
                passed |= self.filter.passes((high >> (8 * place)) as u32) << (place + 4);
            }
            while passed != 0 {
                let place = passed.trailing_zeros() as usize;
                let four = if place < 4 { low >> (8 * place) } else { high >> (8 * place - 32) };
                if self.filter.passes_second(four as u32) {
                    self.compare(text, at + place, found);
                }
                passed &= passed - 1;
            }
            at += STEP;
        }
        for at in at..places.end {
            self.compare(text, at, found);
        }
    }

    /// Adds the words of which these bytes are at a place.
    #[inline(never)]
    fn compare(&self, text: &[u8], at: usize, found: &mut Vec<Found>) {
        let rest = &text[at..];
        let mut bytes = [0; GRAM];
        let length = rest.len().min(GRAM);
        bytes[..length].copy_from_slice(&rest[..length]);
        let bytes = folded(&bytes);
        for entry in self.by_four.at(bytes).chain(self.by_three.at(bytes & THREE)) {
            let word = usize::from(entry.word);
            let Some(Word { text: letters, is_exact, .. }) = &self.words[word] else { continue };
            let Some(start) = at.checked_sub(usize::from(entry.offset)) else { continue };
            let range = start..start + letters.len();
            let is_there = text.get(range.clone()).is_some_and(|there| match is_exact {
                true => *there == **letters,
                false => there.eq_ignore_ascii_case(letters),
            });
            if is_there {
                found.push(Found { word, range });
            }
        }
    }
}

impl Table {
    fn new(mut entries: Vec<Entry>) -> Self {
        entries.sort_by_key(|entry| (bucket(entry.bytes), entry.bytes, entry.word));
        let mut counts = BTreeMap::new();
        for entry in &entries {
            *counts.entry(bucket(entry.bytes)).or_insert(0_u16) += 1;
        }
        let mut starts = vec![0];
        for bucket in 0..1 << TABLE_BITS {
            let count = counts.get(&bucket).copied().unwrap_or(0);
            starts.push(starts.last().copied().unwrap_or(0) + count);
        }
        Table { starts, entries }
    }

    fn at(&self, bytes: u32) -> impl Iterator<Item = &Entry> {
        let bucket = bucket(bytes);
        let (start, end) = (self.starts[bucket], self.starts[bucket + 1]);
        let entries = &self.entries[usize::from(start)..usize::from(end)];
        entries.iter().filter(move |entry| entry.bytes == bytes)
    }
}

/// The first three of four bytes.
const THREE: u32 = 0x00ff_ffff;

/// Four bytes in little endian, case ignored.
fn folded(bytes: &[u8]) -> u32 {
    let four = bytes[..GRAM].try_into().expect("four bytes");
    u32::from_le_bytes(four) | CASE as u32
}

fn hash(folded: u32) -> u32 {
    // Of the odd numbers near 2^32 divided by the golden ratio.
    folded.wrapping_mul(0x9e37_79b1)
}

/// Another one, which is right where the first is wrong.
fn second_hash(folded: u32) -> u32 {
    (folded ^ (folded >> 15)).wrapping_mul(0x85eb_ca6b)
}

fn bucket(bytes: u32) -> usize {
    (hash(bytes) >> (32 - TABLE_BITS)) as usize
}

/// What tokens are made of, besides letters and digits.
pub(super) fn is_of_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"_-+/=.~!%|:$@".contains(&byte)
}

/// Where the four bytes of a word begin that texts have least often.
fn rarest(word: &[u8]) -> usize {
    let cost = |at: &usize| word[*at..*at + GRAM].iter().map(commonness).sum::<u32>();
    (0..=word.len() - GRAM).min_by_key(cost).unwrap_or(0)
}

/// How often a byte is in programs and texts, roughly.
fn commonness(byte: &u8) -> u32 {
    const FROM_COMMON: &[u8] = b"etaionsrlcdupmhgfby.-_vw/kx:\"'0123456789jqz";
    let byte = byte.to_ascii_lowercase();
    let rank = FROM_COMMON.iter().position(|&common| common == byte);
    rank.map_or(1, |rank| 48 - u32::try_from(rank).unwrap_or(48))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn word(text: &str, is_exact: bool) -> Option<Word> {
        Some(Word { text: text.as_bytes().into(), is_exact, is_begin: false })
    }

    /// What is found, without the table.
    fn slowly(words: &[Option<Word>], text: &[u8]) -> Vec<Found> {
        let mut found = Vec::new();
        for start in 0..text.len() {
            for (position, word) in words.iter().enumerate() {
                let Some(word) = word else { continue };
                let range = start..start + word.text.len();
                let Some(there) = text.get(range.clone()) else { continue };
                let is_same = if word.is_exact {
                    *there == *word.text
                } else {
                    there.eq_ignore_ascii_case(&word.text)
                };
                if is_same {
                    found.push(Found { word: position, range });
                }
            }
        }
        found.sort_by_key(|found| (found.range.end, found.range.start));
        found
    }

    #[test]
    fn finds_the_same_as_a_plain_search_at_every_length_and_place() {
        let words = [
            word("key", false),
            word("api_key", false),
            word("AKIA", true),
            word("://", false),
            word("sk_", true),
            word("private key", false),
            None,
            word("a3t", false),
        ];
        let keywords = Keywords::new(words.to_vec());
        let text =
            "aPi_Key AKIA akia://A3T sk_SK_ PRIVATE KEYkeykey\u{0}xAKIAPI_KEY:// private keY";
        for start in 0..text.len() {
            for end in start..=text.len() {
                let part = &text.as_bytes()[start..end];
                assert_eq!(keywords.find(part), slowly(&words, part), "{start}..{end}");
            }
        }
    }

    #[test]
    fn what_only_begins_a_token_needs_more_of_it() {
        let begin = Word { text: (*b"pat").into(), is_exact: true, is_begin: true };
        let keywords = Keywords::new(vec![Some(begin)]);
        let count = |text: &str| keywords.find(text.as_bytes()).len();
        assert_eq!(count("a path of patA1 and of others, and so on"), 2);
        assert_eq!(count("a pat\" of others, and so on and on and on"), 0);
    }
}
