//! Digests of file content: md5, sha1 and sha256 always, more if asked.
//!
//! Taking them is most of the work of a pass, so a large file's digests are
//! taken side by side, and small files are hashed in groups.

use ::md5::{Digest as _, Md5};
use aws_lc_rs::digest::{Context, SHA1_FOR_LEGACY_USE_ONLY, SHA256, digest};

use inscan_facts::digest::{FileDigests, MoreDigests, fixed};

/// Digests of one file whose whole content is at hand, and whose md5 is known.
pub(super) fn digests(content: &[u8], md5: [u8; 16], more: &[MoreDigests]) -> FileDigests {
    FileDigests {
        md5,
        sha1: fixed(digest(&SHA1_FOR_LEGACY_USE_ONLY, content).as_ref()),
        sha256: fixed(digest(&SHA256, content).as_ref()),
        more: (!more.is_empty()).then(|| {
            more.iter().map(|more| digest(more.algorithm(), content).as_ref().into()).collect()
        }),
    }
}

/// Digests of one file whose content comes in pieces.
pub(super) struct Hasher {
    pub(super) md5: Md5,
    pub(super) others: Vec<Context>,
}

impl Hasher {
    pub(super) fn new(more: &[MoreDigests]) -> Self {
        let more = more.iter().map(|more| more.algorithm());
        let algorithms = [&SHA1_FOR_LEGACY_USE_ONLY, &SHA256].into_iter().chain(more);
        Hasher { md5: Md5::new(), others: algorithms.map(Context::new).collect() }
    }

    pub(super) fn finish(self) -> FileDigests {
        let mut others = self.others.into_iter().map(Context::finish);
        let mut next = || others.next().expect("sha1 and sha256 are always taken");
        let (sha1, sha256) = (next(), next());
        let more: Box<[Box<[u8]>]> = others.map(|digest| digest.as_ref().into()).collect();
        FileDigests {
            md5: self.md5.finalize().into(),
            sha1: fixed(sha1.as_ref()),
            sha256: fixed(sha256.as_ref()),
            more: (!more.is_empty()).then_some(more),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::md5;
    use super::*;
    use inscan_facts::digest::hex;

    /// Digests of `abc`: RFC 1321, FIPS 180-4.
    #[test]
    fn the_digests_are_those_of_their_specifications() {
        let md5 = md5::digests(&[b"abc"])[0];
        let whole = digests(b"abc", md5, &[MoreDigests::Sha512]);
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
        let mut hasher = Hasher::new(&[MoreDigests::Sha384]);
        for piece in [&b"a"[..], b"", b"bc"] {
            hasher.md5.update(piece);
            hasher.others.iter_mut().for_each(|context| context.update(piece));
        }
        let md5 = md5::digests(&[b"abc"])[0];
        assert_eq!(hasher.finish(), digests(b"abc", md5, &[MoreDigests::Sha384]));
    }
}
