//! Digests of file content: md5, sha1 and sha256 always, more if asked.
//!
//! Taking them is most of the work of a pass: `inscan_hash` takes those of small files side by
//! side, and those of a large one in one loop with the layer's own.

use aws_lc_rs::digest::{Context, digest};
use inscan_hash::{Content, Digests, Parts};

use inscan_facts::digest::{FileDigests, MoreDigests};

/// With so many threads the longest chain of steps may count more than their sum.
pub(super) const MANY_THREADS: usize = 3;

/// All digests of one file whose whole content is at hand.
pub(super) fn digests(content: &[u8], digests: Digests, more: &[MoreDigests]) -> FileDigests {
    let of = |more: &MoreDigests| digest(more.algorithm(), content).as_ref().into();
    all(digests, more.iter().map(of).collect())
}

fn all(Digests { md5, sha1, sha256 }: Digests, more: Box<[Box<[u8]>]>) -> FileDigests {
    FileDigests { md5, sha1, sha256, more: (!more.is_empty()).then_some(more) }
}

/// Digests of one file whose content comes in pieces.
pub(super) struct Hasher {
    /// Goes with the layer's own digest.
    pub(super) within: Content,
    /// On a thread of its own.
    pub(super) beside: Option<Content>,
    pub(super) more: Vec<Context>,
}

impl Hasher {
    /// All in one loop, or md5 and sha1 on another thread.
    pub(super) fn new(more: &[MoreDigests], in_one_loop: bool) -> Self {
        let (within, beside) = match in_one_loop {
            true => (Parts::All, None),
            false => (Parts::Sha256, Some(Parts::Md5AndSha1)),
        };
        Hasher {
            within: Content::new(within),
            beside: beside.map(Content::new),
            more: more.iter().map(|more| Context::new(more.algorithm())).collect(),
        }
    }

    pub(super) fn finish(self) -> FileDigests {
        let mut digests = self.within.finish();
        if let Some(beside) = self.beside {
            digests = Digests { sha256: digests.sha256, ..beside.finish() };
        }
        all(digests, self.more.into_iter().map(|more| more.finish().as_ref().into()).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use inscan_facts::digest::hex;

    /// Digests of `abc`: RFC 1321, FIPS 180-4.
    #[test]
    fn the_digests_are_those_of_their_specifications() {
        let whole = digests(b"abc", inscan_hash::of_each(&[b"abc"])[0], &[MoreDigests::Sha512]);
        assert_eq!(hex(&whole.md5), "900150983cd24fb0d6963f7d28e17f72");
        assert_eq!(hex(&whole.sha1), "a9993e364706816aba3e25717850c26c9cd0d89d");
        assert_eq!(
            hex(&whole.sha256),
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
        );
        assert!(hex(&whole.more.as_ref().unwrap()[0]).starts_with("ddaf35a193617aba"));
    }

    #[test]
    fn pieces_give_the_digests_of_the_whole() {
        let whole = inscan_hash::of_each(&[b"abc"])[0];
        for in_one_loop in [true, false] {
            let mut hasher = Hasher::new(&[MoreDigests::Sha384], in_one_loop);
            for piece in [&b"a"[..], b"", b"bc"] {
                hasher.within.update(piece);
                hasher.beside.iter_mut().for_each(|beside| beside.update(piece));
                hasher.more.iter_mut().for_each(|more| more.update(piece));
            }
            assert_eq!(hasher.finish(), digests(b"abc", whole, &[MoreDigests::Sha384]));
        }
    }
}
