//! Contents side by side in the lanes of vectors: which content is in which lane, and which of its
//! blocks is next. What is done with the blocks is said by a [`Lanes`].

pub(crate) const BLOCK: usize = 64;
pub(crate) type Block = [u8; BLOCK];

static NOTHING: Block = [0; BLOCK];

/// The states of digests in so many lanes.
pub(crate) trait Lanes<const L: usize> {
    type Digest: Copy + Default;

    /// So few lanes are done sooner one by one.
    const FEW: usize;

    /// How a length in bits stands at the end of the last block.
    fn length_at_end(bits: u64) -> [u8; 8];

    /// The digest of a content that is not worth a lane.
    fn alone(content: &[u8]) -> Self::Digest;

    /// Begins a content in a lane.
    fn begin(&mut self, lane: usize);

    /// Takes the next block of every lane. In those of which `last` has a bit it ends in the length.
    fn step(&mut self, blocks: &[&Block; L], last: u16);

    /// The digest of what is in a lane, with what was not taken yet: blocks of the content, and of
    /// its end with the padding.
    fn end(&self, lane: usize, whole: &[Block], tail: &[Block]) -> Self::Digest;
}

/// One content on its way through a lane.
struct Lane<'a> {
    content: usize,
    whole: &'a [Block],
    tail: [Block; 2],
    next: usize,
    /// With those of the tail.
    blocks: usize,
}

impl<'a> Lane<'a> {
    fn new(content: usize, bytes: &'a [u8], length_at_end: fn(u64) -> [u8; 8]) -> Self {
        let (whole, rest) = bytes.as_chunks::<BLOCK>();
        let (tail, count) = padded(rest, bytes.len() as u64, length_at_end);
        Lane { content, whole, tail, next: 0, blocks: whole.len() + count }
    }

    fn block(&self) -> &Block {
        self.whole.get(self.next).unwrap_or_else(|| &self.tail[self.next - self.whole.len()])
    }

    /// What was not taken yet.
    fn rest(&self) -> (&[Block], &[Block]) {
        let of_tail = self.next.saturating_sub(self.whole.len());
        let tail = &self.tail[of_tail..self.blocks - self.whole.len()];
        (self.whole.get(self.next..).unwrap_or_default(), tail)
    }

    fn is_at_last(&self) -> bool {
        self.next + 1 == self.blocks
    }
}

/// The last bytes of a content with their padding: one block or two, and how many of them.
pub(crate) fn padded(
    rest: &[u8],
    length: u64,
    length_at_end: fn(u64) -> [u8; 8],
) -> ([Block; 2], usize) {
    let mut tail = [0; 2 * BLOCK];
    tail[..rest.len()].copy_from_slice(rest);
    tail[rest.len()] = 0x80;
    let count = if rest.len() + 9 <= BLOCK { 1 } else { 2 };
    let end = count * BLOCK;
    tail[end - 8..end].copy_from_slice(&length_at_end(length.wrapping_mul(8)));
    let (blocks, _) = tail.as_chunks::<BLOCK>();
    ([blocks[0], blocks[1]], count)
}

/// The digest of each content, in order.
#[inline(always)]
pub(crate) fn digests<const L: usize, S: Lanes<L>>(
    states: &mut S,
    contents: &[&[u8]],
) -> Vec<S::Digest> {
    let mut digests = vec![S::Digest::default(); contents.len()];
    // The longest first, so that the lanes end together.
    let mut waiting: Vec<usize> = (0..contents.len()).collect();
    waiting.sort_by_key(|&content| contents[content].len());
    // One that is as long as many of the others together would keep a lane busy alone.
    let mut total: usize = contents.iter().map(|content| content.len()).sum();
    while let Some(&content) = waiting.last()
        && contents[content].len() > total / 8
        && contents[content].len() > BLOCK
    {
        digests[content] = S::alone(contents[content]);
        total -= contents[content].len();
        waiting.pop();
    }
    let mut lanes: [Option<Lane<'_>>; L] = [const { None }; L];
    loop {
        for (number, lane) in lanes.iter_mut().enumerate() {
            if let Some(ended) = lane.take_if(|lane| lane.next == lane.blocks) {
                digests[ended.content] = states.end(number, &[], &[]);
            }
            if lane.is_none()
                && let Some(content) = waiting.pop()
            {
                *lane = Some(Lane::new(content, contents[content], S::length_at_end));
                states.begin(number);
            }
        }
        if lanes.iter().flatten().count() <= S::FEW {
            break;
        }
        let steps = lanes.iter().flatten().map(|lane| lane.blocks - lane.next).min().unwrap_or(0);
        for _ in 0..steps {
            let blocks = lanes.each_ref().map(|lane| match lane {
                Some(lane) => lane.block(),
                None => &NOTHING,
            });
            let is_last = |lane: &Option<Lane<'_>>| lane.as_ref().is_some_and(Lane::is_at_last);
            let last = (0..L).map(|lane| u16::from(is_last(&lanes[lane])) << lane).sum();
            states.step(&blocks, last);
            lanes.iter_mut().flatten().for_each(|lane| lane.next += 1);
        }
    }
    for (number, lane) in lanes.iter().enumerate() {
        let Some(lane) = lane else { continue };
        let (whole, tail) = lane.rest();
        digests[lane.content] = states.end(number, whole, tail);
    }
    digests
}
