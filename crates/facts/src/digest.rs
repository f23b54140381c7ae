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

/// A digest of a blob in one of the algorithms that images have: sha256 in nearly all of them
/// (<https://github.com/opencontainers/image-spec/blob/main/descriptor.md#registered-algorithms>).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum BlobDigest {
    Sha256(Digest),
    Sha512([u8; 64]),
}

impl BlobDigest {
    /// The name of the algorithm, as in `sha256:…`.
    pub fn algorithm(&self) -> &'static str {
        match self {
            BlobDigest::Sha256(_) => "sha256",
            BlobDigest::Sha512(_) => "sha512",
        }
    }

    /// The hex digits alone.
    pub fn hex(&self) -> String {
        match self {
            BlobDigest::Sha256(digest) => digest.hex(),
            BlobDigest::Sha512(digest) => hex(digest),
        }
    }

    pub fn sha256(&self) -> Option<Digest> {
        match self {
            BlobDigest::Sha256(digest) => Some(*digest),
            BlobDigest::Sha512(_) => None,
        }
    }

    /// What the digest of these bytes is in the same algorithm.
    pub fn of_same(&self, bytes: &[u8]) -> BlobDigest {
        let mut hash = self.hash();
        hash.update(bytes);
        hash.finish()
    }

    /// To take one of sha512 beside sha256, which is taken of everything, where this is one.
    pub fn hash_beside(&self) -> Option<BlobHash> {
        matches!(self, BlobDigest::Sha512(_)).then(|| self.hash())
    }

    /// To take a digest in the same algorithm, piece by piece.
    pub fn hash(&self) -> BlobHash {
        BlobHash(aws_lc_rs::digest::Context::new(match self {
            BlobDigest::Sha256(_) => &aws_lc_rs::digest::SHA256,
            BlobDigest::Sha512(_) => &aws_lc_rs::digest::SHA512,
        }))
    }
}

/// A digest that is being taken.
pub struct BlobHash(aws_lc_rs::digest::Context);

impl BlobHash {
    pub fn update(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    pub fn finish(self) -> BlobDigest {
        let digest = self.0.finish();
        match digest.as_ref().len() {
            32 => BlobDigest::Sha256(Digest(fixed(digest.as_ref()))),
            _ => BlobDigest::Sha512(fixed(digest.as_ref())),
        }
    }
}

impl Default for BlobDigest {
    fn default() -> Self {
        Digest::default().into()
    }
}

impl From<Digest> for BlobDigest {
    fn from(digest: Digest) -> Self {
        BlobDigest::Sha256(digest)
    }
}

impl fmt::Display for BlobDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.algorithm(), self.hex())
    }
}

impl FromStr for BlobDigest {
    type Err = NotADigest;

    fn from_str(text: &str) -> Result<Self, NotADigest> {
        let Some(digits) = text.strip_prefix("sha512:") else {
            return Ok(text.parse::<Digest>()?.into());
        };
        let bytes = HEXLOWER.decode(digits.as_bytes()).ok().and_then(|bytes| bytes.try_into().ok());
        bytes.map(BlobDigest::Sha512).ok_or_else(|| NotADigest(text.chars().take(100).collect()))
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

    #[test]
    fn a_blob_has_a_digest_of_either_algorithm() {
        // Of `abc`, as FIPS 180-4 has them.
        let sha256 = "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        let sha512 = "sha512:ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a\
            2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f";
        for text in [sha256, sha512] {
            let digest: BlobDigest = text.parse().unwrap();
            assert_eq!(digest.to_string(), text);
            assert_eq!(digest.of_same(b"abc"), digest);
            assert_ne!(digest.of_same(b"abd"), digest);
        }
        for wrong in ["sha512:00", &sha512.to_uppercase(), "sha384:00", &sha256[7..]] {
            assert!(wrong.parse::<BlobDigest>().is_err(), "{wrong}");
        }
    }
}
