//! One content that comes in pieces, and the stream that contents lie in.

use ::md5::{Digest as _, Md5};
use aws_lc_rs::digest::{Context, SHA1_FOR_LEGACY_USE_ONLY, SHA256};

use crate::plain::fixed;
#[cfg(target_arch = "x86_64")]
use crate::x86;

/// Which digests a [`Content`] takes; what it does not take is zero.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Parts {
    All,
    Md5AndSha1,
    Sha256,
}

impl Parts {
    pub(crate) fn has_sha256(self) -> bool {
        self != Parts::Md5AndSha1
    }

    pub(crate) fn has_md5_and_sha1(self) -> bool {
        self != Parts::Sha256
    }
}

/// The digests of a content that comes in pieces.
pub struct Content(OfContent);

enum OfContent {
    Plain {
        md5: Option<Md5>,
        sha1: Option<Context>,
        sha256: Option<Context>,
    },
    #[cfg(target_arch = "x86_64")]
    Fast(x86::Content),
}

/// The sha256 of a stream that contents lie in, such as a tar.
pub struct Outer(OfOuter);

enum OfOuter {
    Plain(Context),
    #[cfg(target_arch = "x86_64")]
    Fast(x86::Outer),
}

impl Content {
    pub fn new(parts: Parts) -> Self {
        #[cfg(target_arch = "x86_64")]
        if let Some(content) = x86::Content::new(parts) {
            return Content(OfContent::Fast(content));
        }
        let both = parts.has_md5_and_sha1();
        Content(OfContent::Plain {
            md5: both.then(Md5::new),
            sha1: both.then(|| Context::new(&SHA1_FOR_LEGACY_USE_ONLY)),
            sha256: parts.has_sha256().then(|| Context::new(&SHA256)),
        })
    }

    pub fn update(&mut self, bytes: &[u8]) {
        match &mut self.0 {
            OfContent::Plain { md5, sha1, sha256 } => {
                if let Some(md5) = md5 {
                    md5.update(bytes);
                }
                for context in [sha1, sha256].into_iter().flatten() {
                    context.update(bytes);
                }
            }
            #[cfg(target_arch = "x86_64")]
            OfContent::Fast(content) => content.update(bytes),
        }
    }

    /// As [`Self::update`], and the same bytes for the stream that they lie in. Both together cost
    /// little more than one where the content begins at a multiple of 64 bytes of the stream, as it
    /// does in a tar.
    pub fn update_within(&mut self, outer: &mut Outer, bytes: &[u8]) {
        #[cfg(target_arch = "x86_64")]
        if let (OfContent::Fast(content), OfOuter::Fast(outer)) = (&mut self.0, &mut outer.0) {
            content.update_within(outer, bytes);
            return;
        }
        self.update(bytes);
        outer.update(bytes);
    }

    pub fn finish(self) -> crate::Digests {
        match self.0 {
            OfContent::Plain { md5, sha1, sha256 } => crate::Digests {
                md5: md5.map(|md5| md5.finalize().into()).unwrap_or_default(),
                sha1: sha1.map(|sha1| fixed(sha1.finish().as_ref())).unwrap_or_default(),
                sha256: sha256.map(|sha256| fixed(sha256.finish().as_ref())).unwrap_or_default(),
            },
            #[cfg(target_arch = "x86_64")]
            OfContent::Fast(content) => content.finish(),
        }
    }
}

impl Default for Outer {
    fn default() -> Self {
        #[cfg(target_arch = "x86_64")]
        if let Some(outer) = x86::Outer::new() {
            return Outer(OfOuter::Fast(outer));
        }
        Outer(OfOuter::Plain(Context::new(&SHA256)))
    }
}

impl Outer {
    pub fn update(&mut self, bytes: &[u8]) {
        match &mut self.0 {
            OfOuter::Plain(context) => context.update(bytes),
            #[cfg(target_arch = "x86_64")]
            OfOuter::Fast(outer) => outer.update(bytes),
        }
    }

    pub fn finish(self) -> [u8; 32] {
        match self.0 {
            OfOuter::Plain(context) => fixed(context.finish().as_ref()),
            #[cfg(target_arch = "x86_64")]
            OfOuter::Fast(outer) => outer.finish(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Digests;
    use crate::plain::of_each;

    fn bytes(length: usize) -> Vec<u8> {
        (0..length as u32).map(|i| (i * i / 7) as u8).collect()
    }

    /// The content's digests and the stream's, the content behind `before` bytes and in pieces.
    fn taken(parts: Parts, before: usize, content: &[u8], pieces: usize) -> (Digests, [u8; 32]) {
        let (mut one, mut outer) = (Content::new(parts), Outer::default());
        outer.update(&bytes(before));
        for piece in content.chunks(pieces) {
            one.update_within(&mut outer, piece);
        }
        outer.update(b"behind it");
        (one.finish(), outer.finish())
    }

    fn expected(before: usize, content: &[u8]) -> (Digests, [u8; 32]) {
        let stream = [&bytes(before)[..], content, b"behind it"].concat();
        (of_each(&[content])[0], of_each(&[&stream])[0].sha256)
    }

    #[test]
    fn pieces_of_any_length_give_the_digests_of_the_whole() {
        for length in (0..260).chain([1000, 4095, 4096, 4097]) {
            let content = bytes(length);
            for pieces in [1, 7, 63, 64, 65, 200, 5000] {
                let found = taken(Parts::All, 512, &content, pieces);
                assert_eq!(found, expected(512, &content), "{length} in pieces of {pieces}");
            }
        }
    }

    #[test]
    fn a_content_may_begin_anywhere_in_its_stream() {
        let content = bytes(700);
        for before in 0..130 {
            assert_eq!(taken(Parts::All, before, &content, 100), expected(before, &content));
        }
    }

    #[test]
    fn parts_are_those_of_the_whole() {
        let content = bytes(1000);
        let (all, stream) = expected(64, &content);
        let (first, _) = taken(Parts::Md5AndSha1, 64, &content, 90);
        assert_eq!(first, Digests { sha256: [0; 32], ..all });
        let found = taken(Parts::Sha256, 64, &content, 90);
        assert_eq!(found, (Digests { md5: [0; 16], sha1: [0; 20], ..all }, stream));
    }

    #[test]
    fn some_bytes_may_be_of_the_content_alone() {
        let content = bytes(3000);
        let (mut one, mut outer) = (Content::new(Parts::All), Outer::default());
        outer.update(&content[..900]);
        one.update(&content[..900]);
        one.update_within(&mut outer, &content[900..]);
        let all = of_each(&[&content])[0];
        assert_eq!((one.finish(), outer.finish()), (all, all.sha256));
    }
}
