//! Where in a stretch of text words may stand: from what the bytes of its blocks are, a bit for
//! each byte.
//!
//! Each block is told from the ones beside it alone, so that several are worked on at once in
//! vector registers. A block's bits go on in the next one: what is shifted out of one end comes
//! in at the other.

use super::marks::{BLOCK, Marks};

/// Blocks of a stretch.
pub(super) const BLOCKS: usize = 128;
/// Blocks behind a stretch that are marked with it, and the one before it.
pub(super) const BEHIND: usize = 3;
const SLOTS: usize = 1 + BLOCKS + BEHIND;

/// Letters of tokens that follow one another from near a keyword that begins one.
pub(super) const LEAST_RUN: usize = 16;
/// How far behind the begin of the keyword they may begin.
pub(super) const NEAR: usize = 8;
/// Letters of base64 around a keyword that stands within them.
pub(super) const LEAST_AROUND: usize = 20;
/// Letters and digits at the begin of names.
pub(super) const LEAST_NAME: usize = 3;
/// How far behind the begin of a name its value is looked for: two blocks.
pub(super) const SOON: usize = 2 * BLOCK;
/// Signs of a value with a digit among them.
pub(super) const LEAST_VALUE: usize = 10;
/// Letters of tokens in a row, which are a value without a digit as well.
pub(super) const LEAST_LETTERS: usize = 20;

/// The marks of blocks, one array for each kind: the block before the stretch, its own, and
/// those behind it.
pub(super) struct Blocks {
    upper: [u64; SLOTS],
    lower: [u64; SLOTS],
    alnum: [u64; SLOTS],
    word: [u64; SLOTS],
    token: [u64; SLOTS],
    base64: [u64; SLOTS],
    digit: [u64; SLOTS],
    value: [u64; SLOTS],
    begin: [u64; SLOTS],
    begin_name: [u64; SLOTS],
    /// Where twenty letters of base64 begin.
    around: [u64; SLOTS],
    /// Where a value begins, or the part of one that tells it.
    values: [u64; SLOTS],
}

/// Of each block where words may stand that count anywhere, as tokens, within, as names, and as
/// names with a value behind them.
pub(super) struct Sites {
    pub(super) anywhere: [u64; BLOCKS],
    pub(super) tokens: [u64; BLOCKS],
    pub(super) within: [u64; BLOCKS],
    pub(super) names: [u64; BLOCKS],
    pub(super) valued: [u64; BLOCKS],
    /// The last three together.
    pub(super) shared: [u64; BLOCKS],
}

impl Blocks {
    pub(super) const fn new() -> Self {
        const NONE: [u64; SLOTS] = [0; SLOTS];
        Blocks {
            upper: NONE,
            lower: NONE,
            alnum: NONE,
            word: NONE,
            token: NONE,
            base64: NONE,
            digit: NONE,
            value: NONE,
            begin: NONE,
            begin_name: NONE,
            around: NONE,
            values: NONE,
        }
    }

    /// Of the block of that number in the stretch.
    #[inline(always)]
    pub(super) fn set(&mut self, number: usize, marks: &Marks) {
        let slot = number + 1;
        self.upper[slot] = marks.upper;
        self.lower[slot] = marks.lower;
        self.alnum[slot] = marks.alnum;
        self.word[slot] = marks.word;
        self.token[slot] = marks.token;
        self.base64[slot] = marks.base64;
        self.digit[slot] = marks.digit;
        self.value[slot] = marks.value;
        self.begin[slot] = marks.begin;
        self.begin_name[slot] = marks.begin_name;
    }

    /// What was the last block of a stretch is before the next one; before a text is nothing.
    pub(super) fn go_on(&mut self, is_begin: bool) {
        let kinds = [
            &mut self.upper,
            &mut self.lower,
            &mut self.alnum,
            &mut self.word,
            &mut self.token,
            &mut self.base64,
        ];
        for kind in kinds {
            kind[0] = if is_begin { 0 } else { kind[BLOCKS] };
        }
    }

    /// Fills in where words may stand in the first blocks of a stretch; the blocks behind them
    /// have to be marked.
    #[inline(always)]
    pub(super) fn sites(&mut self, count: usize, sites: &mut Sites) {
        let count = count.min(BLOCKS);
        self.runs(count);
        self.values(count);
        for at in 0..count {
            let (before, here, next) = (at, at + 1, at + 2);
            let behind = |kind: &[u64; SLOTS]| shifted_up(kind[here], kind[before], 1);
            let begins_word = self.word[here] & !behind(&self.word);
            let tokens = run(self.token[here], self.token[next], LEAST_RUN);
            sites.anywhere[at] = self.begin[here];
            sites.tokens[at] = begins_word & within_next(tokens, NEAR);
            let around = spread_up(self.around[here], self.around[before], LEAST_AROUND);
            let within = around & self.upper[here];
            let begins_camel = self.upper[here] & behind(&self.lower);
            let all = self.alnum[here] & !behind(&self.alnum) | begins_camel;
            let all = all & run(self.alnum[here], self.alnum[next], LEAST_NAME).0;
            let names = all & self.begin_name[here];
            let last = self.values[at + 3];
            let valued = all & soon(self.values[here], self.values[next], last);
            sites.within[at] = within;
            sites.names[at] = names;
            sites.valued[at] = valued;
            sites.shared[at] = within | names | valued;
        }
    }

    /// Where twenty letters of base64 begin.
    #[inline(always)]
    fn runs(&mut self, count: usize) {
        let (here, next) = (&self.base64[..=count], &self.base64[1..count + 2]);
        for ((out, &here), &next) in self.around[..=count].iter_mut().zip(here).zip(next) {
            *out = run(here, next, LEAST_AROUND).0;
        }
    }

    /// Where values begin, or the parts of them that tell them.
    #[inline(always)]
    fn values(&mut self, count: usize) {
        let own = 1..count + 3;
        let next = 2..count + 4;
        let kinds = [&self.value, &self.digit, &self.token];
        let [value, digit, token] =
            kinds.map(|kind| kind[own.clone()].iter().zip(&kind[next.clone()]));
        let out = self.values[own.clone()].iter_mut();
        for (((out, value), digit), token) in out.zip(value).zip(digit).zip(token) {
            let signs = run(*value.0, *value.1, LEAST_VALUE).0;
            let digits = within_next((*digit.0, *digit.1), LEAST_VALUE - 1);
            *out = signs & digits | run(*token.0, *token.1, LEAST_LETTERS).0;
        }
    }
}

/// Behind which places of a block a value begins before long: in it, in the next, or as far on in
/// the one after that.
#[inline(always)]
fn soon(here: u64, next: u64, last: u64) -> u64 {
    let mut before = here;
    before |= before >> 1;
    before |= before >> 2;
    before |= before >> 4;
    before |= before >> 8;
    before |= before >> 16;
    before |= before >> 32;
    let whole = if next == 0 { 0 } else { u64::MAX };
    before | whole | last | last.wrapping_neg()
}

impl Sites {
    pub(super) const fn new() -> Self {
        const NONE: [u64; BLOCKS] = [0; BLOCKS];
        Sites {
            anywhere: NONE,
            tokens: NONE,
            within: NONE,
            names: NONE,
            valued: NONE,
            shared: NONE,
        }
    }
}

/// The bits of a block from that many further on.
#[inline(always)]
fn shifted_down(here: u64, next: u64, by: usize) -> u64 {
    here >> by | next << (BLOCK - by)
}

/// The bits of a block from that many before.
#[inline(always)]
fn shifted_up(here: u64, before: u64, by: usize) -> u64 {
    here << by | before >> (BLOCK - by)
}

/// Where so many bits in a row begin, of a block and, as far as they are in it, of the next.
#[inline(always)]
fn run(here: u64, next: u64, least: usize) -> (u64, u64) {
    let (mut here, mut next, mut length) = (here, next, 1);
    while length < least {
        let more = length.min(least - length);
        here &= shifted_down(here, next, more);
        next &= next >> more;
        length += more;
    }
    (here, next)
}

/// Where a bit is set at a place or at one of so many behind it.
#[inline(always)]
fn within_next((mut here, mut next): (u64, u64), most: usize) -> u64 {
    let mut reach = 0;
    while reach < most {
        let more = (reach + 1).min(most - reach);
        here |= shifted_down(here, next, more);
        next |= next >> more;
        reach += more;
    }
    here
}

/// Each bit, and so many in all from it on.
#[inline(always)]
fn spread_up(here: u64, before: u64, count: usize) -> u64 {
    let (mut here, mut before, mut reach) = (here, before, 1);
    while reach < count {
        let more = reach.min(count - reach);
        here |= shifted_up(here, before, more);
        before |= before << more;
        reach += more;
    }
    here
}
