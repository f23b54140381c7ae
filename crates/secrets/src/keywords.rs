//! Where the keywords of all rules stand in a text.
//!
//! Sixty-four bytes at once are marked (`marks.rs`): which may begin one of a few words that
//! stand anywhere, which begin a word of letters, which are in long runs of the letters of
//! tokens. Only there other words are looked for (`sites.rs`), by a hash of their first bytes:
//! most of them begin a token, or are a name with a value behind it. Looking at each byte would
//! cost many times as much.

use std::cell::Cell;
use std::ops::Range;

use super::marks::{BLOCK, Beginnings, mark};
use super::sites::{BEHIND, BLOCKS, Blocks, LEAST_NAME, Sites};

/// The bytes that are marked before words are looked for in them.
const STRETCH: usize = BLOCKS * BLOCK;
/// These, the blocks behind them, and what a look at their last byte may read.
const WINDOW: usize = STRETCH + BEHIND * BLOCK + 8;
/// Sets the bit by which small letters differ from capitals. Other signs that it makes alike
/// are told apart when words are compared.
const CASE: u64 = 0x2020_2020_2020_2020;

/// Where a word counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Place {
    /// At the begin of a word, with sixteen letters of tokens in a row within the next
    /// twenty-four bytes.
    Token,
    /// Within twenty letters of base64 in a row. It has a capital with two letters behind it.
    Within,
    /// Where its first letter that no other is before begins a word, within `camelCase` too.
    /// That and the next two are letters or digits.
    Name,
    /// The same, and a value begins within the next 128 bytes: ten of its signs with a digit
    /// among them, or twenty letters of tokens.
    Valued,
    Anywhere,
}

/// A word to look for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Word {
    /// Lower case, or as it is written where it is exact. At least three bytes.
    pub(super) text: Box<[u8]>,
    pub(super) is_exact: bool,
    pub(super) place: Place,
}

/// A word that was found: its position among the words, and where it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Found {
    pub(super) word: usize,
    pub(super) range: Range<usize>,
}

pub(super) struct Keywords {
    words: Vec<Option<Word>>,
    beginnings: Beginnings,
    anywhere: Grams,
    tokens: Grams,
    within: Grams,
    names: Grams,
    valued: Grams,
    /// Of the first bytes of those three together.
    shared: Filter,
}

/// Words by the bytes at their anchor: six, or as many as there are.
struct Grams {
    /// Of the first three or four bytes of all.
    filter: Filter,
    six: Table,
    four: Table,
    three: Table,
}

/// What may stand at a place, by a hash of its bytes.
struct Table {
    filter: Filter,
    starts: Vec<u16>,
    entries: Vec<Entry>,
}

/// A bit for each hash of bytes that some entry has.
struct Filter {
    /// Bits of the bytes that count.
    mask: u64,
    bits: Box<[u64; 1 << (FILTER_BITS - 6)]>,
}

#[derive(Clone, Copy)]
struct Entry {
    bytes: u64,
    word: u16,
    /// Bytes of the word before these.
    offset: u8,
    /// How many of these the word has, at most eight.
    length: u8,
}

/// 4 KiB, so that all tables stay in the nearest memory.
const FILTER_BITS: u32 = 15;
const TABLE_BITS: u32 = 10;

impl Keywords {
    /// Words that are `None` keep their positions and are not looked for.
    pub(super) fn new(words: Vec<Option<Word>>) -> Self {
        let of = |place: Place| Grams::of(&words, place);
        let begins = |place: Place| {
            let all = words.iter().flatten().filter(move |word| word.place == place);
            all.map(|word| (&word.text[anchor(word)..], word.is_exact))
        };
        let shared =
            [Place::Within, Place::Name, Place::Valued].map(|place| entries(&words, place));
        Keywords {
            beginnings: Beginnings::of(begins(Place::Anywhere), begins(Place::Name)),
            shared: Filter::of_first(&shared.concat()),
            anywhere: of(Place::Anywhere),
            tokens: of(Place::Token),
            within: of(Place::Within),
            names: of(Place::Name),
            valued: of(Place::Valued),
            words,
        }
    }

    /// Every place of every word, in the order of their ends; of those that end together the
    /// longest first.
    pub(super) fn find(&self, text: &[u8]) -> Vec<Found> {
        let mut all = Vec::new();
        self.each(text, |found| all.push(found.clone()));
        all
    }

    /// The same without keeping them: a text may be made of nothing else.
    pub(super) fn each(&self, text: &[u8], look: impl FnMut(&Found)) {
        thread_local! {
            static SCRATCH: Cell<Option<Box<Scratch>>> = const { Cell::new(None) };
        }
        // What is looked at may be searched in turn, with another one.
        let mut scratch = SCRATCH.take().unwrap_or_else(Scratch::new);
        self.each_with(&mut scratch, text, look);
        SCRATCH.set(Some(scratch));
    }

    fn each_with(&self, scratch: &mut Scratch, text: &[u8], mut look: impl FnMut(&Found)) {
        let mut found = std::mem::take(&mut scratch.found);
        for from in (0..text.len()).step_by(STRETCH) {
            scratch.blocks.go_on(from == 0);
            self.in_stretch(scratch, text, from, &mut found);
            found.sort_unstable_by_key(|found| (found.range.end, found.range.start, found.word));
            found.drain(..).for_each(|found| look(&found));
        }
        scratch.found = found;
    }

    fn in_stretch(&self, scratch: &mut Scratch, text: &[u8], from: usize, found: &mut Vec<Found>) {
        #[cfg(target_arch = "x86_64")]
        if is_fast() {
            // SAFETY: the processor has the instructions.
            return unsafe { self.in_stretch_fast(scratch, text, from, found) };
        }
        self.in_stretch_of_any(scratch, text, from, found);
    }

    /// The same code, compiled to instructions that count and take bits one by one.
    #[cfg(target_arch = "x86_64")]
    #[target_feature(enable = "avx2,bmi1,bmi2,popcnt")]
    fn in_stretch_fast(
        &self,
        scratch: &mut Scratch,
        text: &[u8],
        from: usize,
        found: &mut Vec<Found>,
    ) {
        self.in_stretch_of_any(scratch, text, from, found);
    }

    #[inline(always)]
    fn in_stretch_of_any(
        &self,
        scratch: &mut Scratch,
        text: &[u8],
        from: usize,
        found: &mut Vec<Found>,
    ) {
        let Scratch { blocks, sites, positions, padded, .. } = scratch;
        let rest = &text[from..];
        let count = rest.len().div_ceil(BLOCK).min(BLOCKS);
        let window = rest.first_chunk().unwrap_or_else(|| with_zeros(rest, padded));
        mark(window, &self.beginnings, count + BEHIND, blocks);
        blocks.sites(count, sites);
        for (sites, grams) in [(&sites.anywhere, &self.anywhere), (&sites.tokens, &self.tokens)] {
            positions.set(&sites[..count], window, &grams.filter);
            positions.retain(window, |bytes| grams.may_have(bytes));
            for at in positions.all() {
                self.compare(text, from + at, grams, found);
            }
        }
        positions.set(&sites.shared[..count], window, &self.shared);
        let kinds = [
            (&sites.within, &self.within),
            (&sites.names, &self.names),
            (&sites.valued, &self.valued),
        ];
        for at in positions.all() {
            let bytes = folded(&eight(window, at));
            for (sites, grams) in kinds {
                if sites[at / BLOCK] >> (at % BLOCK) & 1 == 1 && grams.may_have(bytes) {
                    self.compare(text, from + at, grams, found);
                }
            }
        }
    }

    /// Adds the words whose anchor is at a place.
    #[inline(never)]
    fn compare(&self, text: &[u8], at: usize, grams: &Grams, found: &mut Vec<Found>) {
        for entry in grams.at(folded(&eight(text, at))) {
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

/// What a search works in, kept for the next one: most texts are short.
struct Scratch {
    blocks: Blocks,
    sites: Sites,
    positions: Positions,
    /// The end of a text, and zeros behind it.
    padded: [u8; WINDOW],
    found: Vec<Found>,
}

impl Scratch {
    fn new() -> Box<Self> {
        Box::new(Scratch {
            blocks: Blocks::new(),
            sites: Sites::new(),
            positions: Positions { all: [0; ROOM], count: 0 },
            padded: [0; WINDOW],
            found: Vec::new(),
        })
    }
}

/// The end of a text, and behind it the zeros that the search reads.
fn with_zeros<'a>(rest: &[u8], padded: &'a mut [u8; WINDOW]) -> &'a [u8; WINDOW] {
    padded[..rest.len()].copy_from_slice(rest);
    padded[rest.len()..].iter_mut().take((BEHIND + 1) * BLOCK + 8).for_each(|byte| *byte = 0);
    padded
}

#[cfg(target_arch = "x86_64")]
fn is_fast() -> bool {
    std::arch::is_x86_feature_detected!("avx2")
        && std::arch::is_x86_feature_detected!("bmi1")
        && std::arch::is_x86_feature_detected!("bmi2")
        && std::arch::is_x86_feature_detected!("popcnt")
}

/// Places of one stretch. Filled and thinned out without branches that depend on the text:
/// a wrong guess at each would cost more than the looking.
struct Positions {
    all: [u16; ROOM],
    count: usize,
}

/// Bits of a block that are looked at together, whether they are set or not: a wrong guess at
/// each would cost more.
const AT_ONCE: usize = 4;
/// A power of two above the bytes of a stretch.
const ROOM: usize = 2 * STRETCH;

impl Positions {
    /// The bits that are set in the blocks of a stretch, where some word may stand by its first
    /// bytes.
    #[inline(always)]
    fn set(&mut self, blocks: &[u64], window: &[u8; WINDOW], filter: &Filter) {
        let mut kept = 0;
        for (number, &block) in blocks.iter().enumerate() {
            let begin = (number * BLOCK) as u16;
            let mut bits = block;
            while bits != 0 {
                for _ in 0..AT_ONCE {
                    let at = begin.wrapping_add(bits.trailing_zeros() as u16) % STRETCH as u16;
                    self.all[kept % ROOM] = at;
                    let bytes = window[usize::from(at)..].first_chunk().expect("eight bytes more");
                    kept += usize::from(filter.may_have(folded(bytes)) & (bits != 0));
                    bits &= bits.wrapping_sub(1);
                }
            }
        }
        self.count = kept;
    }

    #[inline(always)]
    fn retain(&mut self, window: &[u8; WINDOW], may_have: impl Fn(u64) -> bool) {
        let mut kept = 0;
        for number in 0..self.count.min(STRETCH) {
            let at = self.all[number] % STRETCH as u16;
            self.all[kept % ROOM] = at;
            let bytes = window[usize::from(at)..].first_chunk().expect("eight bytes more");
            kept += usize::from(may_have(folded(bytes)));
        }
        self.count = kept;
    }

    fn all(&self) -> impl Iterator<Item = usize> + '_ {
        self.all[..self.count].iter().map(|&at| usize::from(at))
    }
}

/// Beginnings that are looked for at each byte, whatever is before them: parts of names as
/// `apikey` and `PGPASSWORD` have them, and signs. Words with one of them in it are found by it.
const ANCHORS: [&str; 14] = [
    "://", ":AA", "key", "toke", "secr", "cred", "pass", "pwd", "psk", "htok", "ndpw", "otpw",
    "erpw", "rauth",
];

/// At which of its bytes a word is looked up.
fn anchor(word: &Word) -> usize {
    let text = &word.text;
    match word.place {
        Place::Token => 0,
        Place::Within => capital(text).unwrap_or(0),
        Place::Name | Place::Valued => begin_of_name(text).unwrap_or(0),
        Place::Anywhere => anchor_in(text).unwrap_or_else(|| rarest(text)),
    }
}

fn anchor_in(text: &[u8]) -> Option<usize> {
    let lower = text.to_ascii_lowercase();
    let all = ANCHORS
        .iter()
        .filter_map(|anchor| bstr::ByteSlice::find(&lower[..], anchor.to_ascii_lowercase()));
    all.min()
}

/// Whether a word is of those that are looked for at each byte.
pub(super) fn has_anchor(text: &str) -> bool {
    anchor_in(text.as_bytes()).is_some()
}

/// The first letter of a word that no other is before, if a name may begin there.
pub(super) fn begin_of_name(text: &[u8]) -> Option<usize> {
    let is_name = |at: &usize| {
        let begin = text.get(*at..at + LEAST_NAME + 1);
        begin.is_some_and(|begin| begin[..LEAST_NAME].iter().all(u8::is_ascii_alphanumeric))
            && (*at == 0 || !text[at - 1].is_ascii_alphanumeric())
    };
    (0..text.len()).find(is_name)
}

/// The first capital of a word with two bytes behind it.
pub(super) fn capital(text: &[u8]) -> Option<usize> {
    (0..text.len().saturating_sub(2)).find(|&at| text[at].is_ascii_uppercase())
}

/// The words that count at such places.
fn entries(words: &[Option<Word>], place: Place) -> Vec<Entry> {
    let of_place = |word: &Option<Word>| word.as_ref().is_some_and(|word| word.place == place);
    let all = words.iter().enumerate().filter(|(_, word)| of_place(word));
    all.filter_map(|(position, word)| {
        let word = word.as_ref()?;
        let at = anchor(word);
        Some(Entry {
            bytes: folded(&eight(&word.text, at)),
            word: u16::try_from(position).expect("some thousand words"),
            offset: u8::try_from(at).expect("words are short"),
            length: (word.text.len() - at).min(8) as u8,
        })
    })
    .collect()
}

impl Grams {
    fn of(words: &[Option<Word>], place: Place) -> Self {
        let all = entries(words, place);
        let of = |lengths: std::ops::RangeInclusive<u8>| -> Vec<Entry> {
            all.iter().filter(|entry| lengths.contains(&entry.length)).copied().collect()
        };
        Grams {
            filter: Filter::of_first(&all),
            six: Table::new(of(6..=8), 6),
            four: Table::new(of(4..=5), 4),
            three: Table::new(of(0..=3), 3),
        }
    }

    #[inline(always)]
    fn may_have(&self, bytes: u64) -> bool {
        let [six, four, three] = [&self.six, &self.four, &self.three].map(|table| &table.filter);
        six.may_have(bytes) | four.may_have(bytes) | three.may_have(bytes)
    }

    fn at(&self, bytes: u64) -> impl Iterator<Item = &Entry> {
        self.six.at(bytes).chain(self.four.at(bytes)).chain(self.three.at(bytes))
    }
}

/// Words of three bytes that are few.
const MOST_SHORT: usize = 16;

/// Few words are looked up with each byte that may follow them: nearly all others are told from
/// them by it. Entries of three bytes with each one that may be the next.
fn with_next(three: &[Entry]) -> Vec<Entry> {
    let next = |entry: &Entry| {
        let bytes = entry.bytes & 0xff_ffff;
        (0..=u64::from(u8::MAX)).map(move |byte| bytes | byte << 24 | CASE)
    };
    let all = three.iter().flat_map(|entry| next(entry).map(|bytes| Entry { bytes, ..*entry }));
    all.collect()
}

impl Filter {
    /// Of the first bytes of entries: four where few are shorter.
    fn of_first(entries: &[Entry]) -> Self {
        let (short, mut all): (Vec<Entry>, Vec<Entry>) =
            entries.iter().partition(|entry| entry.length < 4);
        if short.len() > MOST_SHORT {
            return Filter::new(entries, 3);
        }
        all.extend(with_next(&short));
        Filter::new(&all, 4)
    }

    /// Of entries of which so many bytes count.
    fn new(entries: &[Entry], length: u32) -> Self {
        let mut filter =
            Filter { mask: (1 << (8 * length)) - 1, bits: Box::new([0; 1 << (FILTER_BITS - 6)]) };
        for entry in entries {
            let hash = hash(entry.bytes & filter.mask) >> (64 - FILTER_BITS);
            filter.bits[(hash >> 6) as usize] |= 1_u64 << (hash & 63);
        }
        filter
    }

    #[inline(always)]
    fn may_have(&self, bytes: u64) -> bool {
        let hash = hash(bytes & self.mask) >> (64 - FILTER_BITS);
        self.bits[(hash >> 6) as usize] >> (hash & 63) & 1 == 1
    }
}

impl Table {
    /// Of entries of which so many bytes count.
    fn new(mut entries: Vec<Entry>, length: u32) -> Self {
        let filter = Filter::new(&entries, length);
        entries.iter_mut().for_each(|entry| entry.bytes &= filter.mask);
        entries.sort_by_key(|entry| (bucket(entry.bytes), entry.bytes, entry.word));
        let mut starts = vec![0; (1 << TABLE_BITS) + 1];
        entries.iter().for_each(|entry| starts[bucket(entry.bytes) + 1] += 1);
        for bucket in 0..1 << TABLE_BITS {
            starts[bucket + 1] += starts[bucket];
        }
        Table { filter, starts, entries }
    }

    fn at(&self, bytes: u64) -> impl Iterator<Item = &Entry> {
        let bytes = bytes & self.filter.mask;
        let bucket = bucket(bytes);
        let (start, end) = (self.starts[bucket], self.starts[bucket + 1]);
        let entries = &self.entries[usize::from(start)..usize::from(end)];
        entries.iter().filter(move |entry| entry.bytes == bytes)
    }
}

/// Bytes in little endian, case ignored.
#[inline(always)]
fn folded(eight: &[u8; 8]) -> u64 {
    u64::from_le_bytes(*eight) | CASE
}

/// Eight bytes of a text; behind its end zeros.
fn eight(text: &[u8], at: usize) -> [u8; 8] {
    let rest = text.get(at..).unwrap_or_default();
    rest.first_chunk().copied().unwrap_or_else(|| {
        let mut eight = [0; 8];
        eight[..rest.len()].copy_from_slice(rest);
        eight
    })
}

fn hash(folded: u64) -> u64 {
    // Of the odd numbers near 2^64 divided by the golden ratio.
    folded.wrapping_mul(0x9e37_79b9_7f4a_7c15)
}

fn bucket(bytes: u64) -> usize {
    (hash(bytes) >> (64 - TABLE_BITS)) as usize
}

/// What tokens are made of, besides letters and digits.
pub(super) fn is_of_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"_-+/=.~!%|:$@".contains(&byte)
}

/// Where the four bytes of a word begin that texts have least often.
fn rarest(word: &[u8]) -> usize {
    let cost = |at: &usize| word[*at..at + 4].iter().map(commonness).sum::<u32>();
    (0..(word.len() + 1).saturating_sub(4)).min_by_key(cost).unwrap_or(0)
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
    use super::super::sites::{LEAST_AROUND, LEAST_LETTERS, LEAST_RUN, LEAST_VALUE, NEAR, SOON};
    use super::*;

    fn word(text: &str, is_exact: bool, place: Place) -> Option<Word> {
        Some(Word { text: text.as_bytes().into(), is_exact, place })
    }

    fn all_words() -> Vec<Option<Word>> {
        vec![
            word("key", false, Place::Anywhere),
            word("api_key", false, Place::Anywhere),
            word("://", false, Place::Anywhere),
            word("1q~", true, Place::Anywhere),
            word("AKIA", true, Place::Token),
            word("sk_", true, Place::Token),
            word("s.1", true, Place::Token),
            word("Z2hwX", true, Place::Within),
            word("-us", false, Place::Anywhere),
            None,
            word("private key", false, Place::Name),
            word("github", false, Place::Name),
            word(".acc-", false, Place::Name),
            word("gitlab", false, Place::Valued),
        ]
    }

    /// Whether a word counts at a place, as its kind of place is defined.
    fn counts(text: &[u8], word: &Word, start: usize) -> bool {
        let is = |at: usize, of: fn(&u8) -> bool| text.get(at).is_some_and(of);
        let before = |at: usize, of: fn(&u8) -> bool| at > 0 && is(at - 1, of);
        let is_word = |byte: &u8| byte.is_ascii_alphanumeric() || *byte == b'_';
        let is_token = |byte: &u8| byte.is_ascii_alphanumeric() || b"_-".contains(byte);
        let is_base64 = |byte: &u8| byte.is_ascii_alphanumeric() || b"_-+/".contains(byte);
        match word.place {
            Place::Anywhere => true,
            Place::Token => {
                let is_run = |from: usize| (from..from + LEAST_RUN).all(|at| is(at, is_token));
                let begins = is(start, is_word) && !before(start, is_word);
                begins && (start..=start + NEAR).any(is_run)
            }
            Place::Within => {
                let at = start + anchor(word);
                let is_run = |from: usize| (from..from + LEAST_AROUND).all(|at| is(at, is_base64));
                is(at, u8::is_ascii_uppercase)
                    && ((at + 1).saturating_sub(LEAST_AROUND)..=at).any(is_run)
            }
            Place::Name | Place::Valued => {
                let at = start + anchor(word);
                let is_letter = u8::is_ascii_alphanumeric;
                let is_camel = is(at, u8::is_ascii_uppercase) && before(at, u8::is_ascii_lowercase);
                let is_sign = |byte: &u8| super::super::assignment::is_of_value(*byte);
                let is_value = |from: usize| {
                    let (signs, letters) = (from..from + LEAST_VALUE, from..from + LEAST_LETTERS);
                    signs.clone().all(|at| is(at, is_sign)) && { signs }
                        .any(|at| is(at, u8::is_ascii_digit))
                        || { letters }.all(|at| is(at, is_token))
                };
                (at..at + LEAST_NAME).all(|at| is(at, is_letter))
                    && (is_camel || !before(at, is_letter))
                    && (word.place == Place::Name || (at..=at + SOON).any(is_value))
            }
        }
    }

    #[test]
    fn a_name_counts_as_far_before_a_value_as_two_blocks() {
        let words = all_words();
        let keywords = Keywords::new(words.clone());
        for value in ["aaaaaaaaa1", "a=.~:%!@9$", "a_b-cdefghijklmnopqr", "abcdefgh1", "a(b1)"] {
            for gap in 0..SOON + 12 {
                for shift in [0, 1, 40, 63] {
                    let space = " ".repeat(gap);
                    let text = format!("{}gitlab{space}{value} ", "(".repeat(shift));
                    let found = keywords.find(text.as_bytes());
                    assert_eq!(found, slowly(&words, text.as_bytes()), "{gap} {shift} {value}");
                }
            }
        }
    }

    /// What is found, without tables.
    fn slowly(words: &[Option<Word>], text: &[u8]) -> Vec<Found> {
        let mut found = Vec::new();
        for start in 0..text.len() {
            for (position, word) in words.iter().enumerate() {
                let Some(word) = word else { continue };
                let range = start..start + word.text.len();
                let Some(there) = text.get(range.clone()) else { continue };
                let is_same = match word.is_exact {
                    true => *there == *word.text,
                    false => there.eq_ignore_ascii_case(&word.text),
                };
                if is_same && counts(text, word, start) {
                    found.push(Found { word: position, range });
                }
            }
        }
        found.sort_by_key(|found| (found.range.end, found.range.start, found.word));
        found
    }

    const TEXT: &str = "aPi_Key AKIAABCDEFGHIJKLMNOP akia://Q sk_ sk_abcdefghijklmnop \
        sk_abcdefghij xAKIAABCDEFGHIJKLMNOP s.1bcdefghijklmnopq a1q~b PRIVATE KEYkeykey my_GitHub \
        mygithub myGithub d.acc-x gitlab=a1-b2~c3!d myGitLab_ gitlab 0123456789012345678901-us6 a-us6 QUJDQUJDZ2hwXQUJDQUJDQUJD+/Z2hwX";

    #[test]
    fn finds_the_same_as_a_plain_search_at_every_length_and_place() {
        let words = all_words();
        let keywords = Keywords::new(words.clone());
        let text = TEXT.as_bytes();
        for start in 0..text.len() {
            for end in start..=text.len() {
                let part = &text[start..end];
                assert_eq!(keywords.find(part), slowly(&words, part), "{start}..{end}");
            }
        }
    }

    #[test]
    fn finds_the_same_across_stretches() {
        let words = all_words();
        let keywords = Keywords::new(words.clone());
        for shift in 0..BLOCK {
            let text = [&b" ".repeat(shift)[..], &TEXT.as_bytes().repeat(40)].concat();
            assert!(text.len() > STRETCH + 2 * TEXT.len());
            let near = STRETCH - TEXT.len()..STRETCH + TEXT.len();
            let is_near = |found: &Found| near.contains(&found.range.start);
            let fast: Vec<Found> = keywords.find(&text).into_iter().filter(is_near).collect();
            let mut slow = slowly(&words, &text);
            slow.retain(is_near);
            assert!(fast.iter().all(|one| slow.contains(one)), "{shift}");
            assert_eq!(fast.len(), slow.len(), "{shift}");
        }
    }
}
