//! One digest after another, on any processor.

use aws_lc_rs::digest::{SHA1_FOR_LEGACY_USE_ONLY, SHA256, digest};

use crate::{Digests, lanes_of_md5};

pub(crate) fn of_each(contents: &[&[u8]]) -> Vec<Digests> {
    let md5s = lanes_of_md5::digests(contents);
    md5s.into_iter()
        .zip(contents)
        .map(|(md5, content)| Digests {
            md5,
            sha1: fixed(digest(&SHA1_FOR_LEGACY_USE_ONLY, content).as_ref()),
            sha256: fixed(digest(&SHA256, content).as_ref()),
        })
        .collect()
}

/// The bytes of a digest whose length its algorithm fixes.
pub(crate) fn fixed<const N: usize>(digest: &[u8]) -> [u8; N] {
    digest.try_into().expect("an algorithm has one length of digest")
}
