//! Bytes that come in pieces, cut into blocks.

use super::{BLOCK, Block, START, State, big_endian, blocks, has_sha, length_at_end, padded};
use crate::{Digests, Parts};

/// Bytes that do not fill a block yet, and how many there were in all.
#[derive(Clone, Copy)]
struct Pending {
    block: Block,
    length: u64,
}

impl Pending {
    const NONE: Self = Pending { block: [0; BLOCK], length: 0 };

    fn used(&self) -> usize {
        (self.length % BLOCK as u64) as usize
    }

    /// Takes bytes in: gives `take` the block that they fill up, if any, and the whole ones behind it.
    fn add(&mut self, mut bytes: &[u8], mut take: impl FnMut(&[Block])) {
        let used = self.used();
        self.length += bytes.len() as u64;
        if used > 0 {
            let (first, rest) = bytes.split_at(bytes.len().min(BLOCK - used));
            self.block[used..used + first.len()].copy_from_slice(first);
            if used + first.len() < BLOCK {
                return;
            }
            take(&[self.block]);
            bytes = rest;
        }
        let (whole, rest) = bytes.as_chunks::<BLOCK>();
        take(whole);
        self.block[..rest.len()].copy_from_slice(rest);
    }

    fn padded(&self) -> ([Block; 2], usize) {
        padded(&self.block[..self.used()], self.length, length_at_end)
    }
}

/// See [`crate::Content`]. There is one only where the processor has the instructions.
pub(crate) struct Content {
    state: State,
    pending: Pending,
    parts: Parts,
}

/// See [`crate::Outer`]; likewise.
pub(crate) struct Outer {
    state: [u32; 8],
    pending: Pending,
}

impl Content {
    pub(crate) fn new(parts: Parts) -> Option<Self> {
        has_sha().then_some(Content { state: START, pending: Pending::NONE, parts })
    }

    pub(crate) fn update(&mut self, bytes: &[u8]) {
        let Content { state, pending, parts } = self;
        pending.add(bytes, |blocks| take(*parts, state, None, blocks));
    }

    pub(crate) fn update_within(&mut self, outer: &mut Outer, bytes: &[u8]) {
        // Only where both have the same bytes to fill up are their blocks the same.
        if !self.parts.has_sha256() || self.pending.used() != outer.pending.used() {
            self.update(bytes);
            outer.update(bytes);
            return;
        }
        if self.pending.used() > 0 {
            // What is pending may differ: the stream's may be from before the content.
            let (first, rest) = bytes.split_at(bytes.len().min(BLOCK - self.pending.used()));
            self.update(first);
            outer.update(first);
            if !rest.is_empty() {
                self.update_within(outer, rest);
            }
            return;
        }
        outer.pending.length += bytes.len() as u64;
        let Content { state, pending, parts } = self;
        let around = &mut outer.state;
        pending.add(bytes, |blocks| take(*parts, state, Some(around), blocks));
        outer.pending.block = pending.block;
    }

    pub(crate) fn finish(mut self) -> Digests {
        let (tail, count) = self.pending.padded();
        finish(self.parts, &mut self.state, &tail[..count]);
        let mut digests = self.state.digests();
        if !self.parts.has_md5_and_sha1() {
            (digests.md5, digests.sha1) = ([0; 16], [0; 20]);
        }
        if !self.parts.has_sha256() {
            digests.sha256 = [0; 32];
        }
        digests
    }
}

impl Outer {
    pub(crate) fn new() -> Option<Self> {
        has_sha().then_some(Outer { state: START.sha256, pending: Pending::NONE })
    }

    pub(crate) fn update(&mut self, bytes: &[u8]) {
        let Outer { state, pending } = self;
        pending.add(bytes, |blocks| take_outer(state, blocks));
    }

    pub(crate) fn finish(mut self) -> [u8; 32] {
        let (tail, count) = self.pending.padded();
        take_outer(&mut self.state, &tail[..count]);
        big_endian(&self.state)
    }
}

/// The last blocks of a content: md5 has the length in another order than the others.
pub(super) fn finish(parts: Parts, state: &mut State, tail: &[Block]) {
    if parts.has_md5_and_sha1() {
        let mut of_md5 = [tail[0], tail[tail.len() - 1]];
        of_md5[tail.len() - 1][BLOCK - 8..].reverse();
        let nothing = &mut [0; 8];
        // SAFETY: there is a state to finish only where `has_sha` was asked.
        unsafe { blocks::take::<true, false, false, false>(state, nothing, &of_md5[..tail.len()]) };
        // SAFETY: as above.
        unsafe { blocks::take::<false, true, false, false>(state, nothing, tail) };
    }
    if parts.has_sha256() {
        take(Parts::Sha256, state, None, tail);
    }
}

pub(super) fn take(
    parts: Parts,
    state: &mut State,
    outer: Option<&mut [u32; 8]>,
    blocks: &[Block],
) {
    let nothing = &mut [0; 8];
    // SAFETY: whoever has a `Content` or takes lanes has asked `has_sha`.
    unsafe {
        match (parts, outer) {
            (Parts::All, Some(outer)) => {
                blocks::take::<true, true, true, true>(state, outer, blocks);
            }
            (Parts::All, None) => {
                blocks::take::<true, true, true, false>(state, nothing, blocks);
            }
            (Parts::Md5AndSha1, _) => {
                blocks::take::<true, true, false, false>(state, nothing, blocks);
            }
            (Parts::Sha256, Some(outer)) => {
                blocks::take::<false, false, true, true>(state, outer, blocks);
            }
            (Parts::Sha256, None) => {
                blocks::take::<false, false, true, false>(state, nothing, blocks);
            }
        }
    }
}

fn take_outer(state: &mut [u32; 8], blocks: &[Block]) {
    let mut all = State { sha256: *state, ..START };
    take(Parts::Sha256, &mut all, None, blocks);
    *state = all.sha256;
}
