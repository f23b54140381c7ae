//! Digests of the files of a layer, as tight as they go: there may be millions, and few have more than three.

use std::collections::BTreeMap;

use inscan_facts::digest::FileDigests;
use inscan_hash::Digests;

/// In the order of the entries.
#[derive(Clone, Debug, Default)]
pub(super) struct Digested {
    three: Vec<Digests>,
    /// What was asked for beside these, by position.
    more: BTreeMap<u32, Box<[Box<[u8]>]>>,
}

impl Digested {
    pub(super) fn len(&self) -> usize {
        self.three.len()
    }

    pub(super) fn push(&mut self, digests: FileDigests) {
        self.three.push(Digests::default());
        self.set(self.len() - 1, digests);
    }

    pub(super) fn set(&mut self, at: usize, digests: FileDigests) {
        let FileDigests { md5, sha1, sha256, more } = digests;
        self.three[at] = Digests { md5, sha1, sha256 };
        self.more.extend(more.map(|more| (at as u32, more)));
    }

    pub(super) fn get(&self, at: usize) -> Option<FileDigests> {
        let Digests { md5, sha1, sha256 } = *self.three.get(at)?;
        let more = self.more.get(&(at as u32)).cloned();
        Some(FileDigests { md5, sha1, sha256, more })
    }

    pub(super) fn each(&self) -> impl Iterator<Item = FileDigests> {
        (0..self.len()).filter_map(|at| self.get(at))
    }

    pub(super) fn shrink(&mut self) {
        self.three.shrink_to_fit();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_file_keeps_its_own() {
        let of = |byte: u8| FileDigests {
            md5: [byte; 16],
            sha1: [byte; 20],
            sha256: [byte; 32],
            more: (byte > 1).then(|| [Box::from([byte; 48])].into()),
        };
        let mut digested = Digested::default();
        (0..4).for_each(|byte| digested.push(of(byte)));
        digested.set(0, of(7));
        assert!(digested.each().eq([7, 1, 2, 3].map(of)));
        assert_eq!(digested.get(4), None);
    }
}
