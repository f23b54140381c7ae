//! Digests: of blobs and layers (sha256, to verify), and of files (to report).

use std::fmt;
use std::str::FromStr;

use data_encoding::HEXLOWER;

/// A sha256 digest, written `sha256:<64 hex digits>`.
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Digest(pub [u8; 32]);

impl Digest {
    /// The 64 hex digits alone.
    pub fn hex(&self) -> String {
        hex(&self.0)
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "sha256:{}", self.hex())
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Why a text is no digest.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a digest: expected `sha256:` and 64 lower-case hex digits")]
pub struct NotADigest(String);

impl FromStr for Digest {
    type Err = NotADigest;

    fn from_str(text: &str) -> Result<Self, NotADigest> {
        let error = || NotADigest(text.chars().take(100).collect());
        let digits = text.strip_prefix("sha256:").ok_or_else(error)?.as_bytes();
        let bytes = HEXLOWER.decode(digits).ok().and_then(|bytes| bytes.try_into().ok());
        bytes.map(Digest).ok_or_else(error)
    }
}

/// In lower case, two digits a byte.
pub fn hex(bytes: &[u8]) -> String {
    HEXLOWER.encode(bytes)
}

/// Sha256, piece by piece.
pub struct Sha256(aws_lc_rs::digest::Context);

impl Sha256 {
    pub fn new() -> Self {
        Sha256(aws_lc_rs::digest::Context::new(&aws_lc_rs::digest::SHA256))
    }

    pub fn update(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    pub fn finish(self) -> Digest {
        Digest(fixed(self.0.finish().as_ref()))
    }

    pub fn of(bytes: &[u8]) -> Digest {
        Digest(fixed(aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, bytes).as_ref()))
    }
}

impl Default for Sha256 {
    fn default() -> Self {
        Self::new()
    }
}

/// The digest as an array of the length its algorithm has.
pub fn fixed<const N: usize>(digest: &[u8]) -> [u8; N] {
    digest.try_into().expect("an algorithm's digest has one length")
}

/// Digests of one regular file's content. All three are always taken.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FileDigests {
    pub md5: [u8; 16],
    pub sha1: [u8; 20],
    pub sha256: [u8; 32],
    /// What `--digests` asked for beside these, in the order of the options.
    pub more: Option<Box<[Box<[u8]>]>>,
}

/// A digest that `--digests` may add.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum MoreDigests {
    Sha384,
    Sha512,
}

impl MoreDigests {
    pub const ALL: [MoreDigests; 2] = [MoreDigests::Sha384, MoreDigests::Sha512];

    /// Its name in the document.
    pub fn name(self) -> &'static str {
        match self {
            MoreDigests::Sha384 => "sha384",
            MoreDigests::Sha512 => "sha512",
        }
    }

    pub fn algorithm(self) -> &'static aws_lc_rs::digest::Algorithm {
        match self {
            MoreDigests::Sha384 => &aws_lc_rs::digest::SHA384,
            MoreDigests::Sha512 => &aws_lc_rs::digest::SHA512,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_digest_reads_back_as_it_is_written() {
        let digest = Digest(std::array::from_fn(|i| i as u8 * 7));
        assert_eq!(digest.to_string().parse(), Ok(digest));
        for wrong in [
            "",
            "sha256:",
            "sha256:00",
            "md5:00",
            &digest.to_string().to_uppercase(),
            &digest.hex(),
        ] {
            assert!(wrong.parse::<Digest>().is_err(), "{wrong}");
        }
    }
}
