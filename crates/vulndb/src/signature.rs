//! A signature over the database file, so that it can come from anywhere:
//! Ed25519, or ECDSA on P-256 with sha256 as `openssl dgst -sign` and `cosign
//! sign-blob` make it. The bytes may be as they are, or in base64.

use aws_lc_rs::signature::{ECDSA_P256_SHA256_ASN1, ED25519, UnparsedPublicKey};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;

#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum Error {
    #[error("the file is no public key in PEM (`-----BEGIN PUBLIC KEY-----`)")]
    NoKey,
    #[error("the public key is neither Ed25519 nor ECDSA on P-256")]
    OtherKey,
    #[error("the signature does not fit the file and the key: the file is not to be trusted")]
    Wrong,
}

/// A public key that signatures are verified with.
#[derive(Clone, Debug)]
pub struct Key(Kind);

#[derive(Clone, Debug)]
enum Kind {
    Ed25519([u8; 32]),
    P256([u8; 65]),
}

/// What precedes the key's own bytes: <https://www.rfc-editor.org/rfc/rfc8410#section-4>,
/// <https://www.rfc-editor.org/rfc/rfc5480#section-2>.
const ED25519_INFO: &[u8] =
    &[0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00];
const P256_INFO: &[u8] = &[
    0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06, 0x08, 0x2a,
    0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07, 0x03, 0x42, 0x00,
];

impl Key {
    pub fn from_pem(pem: &str) -> Result<Key, Error> {
        let body = pem.split("-----BEGIN PUBLIC KEY-----").nth(1).ok_or(Error::NoKey)?;
        let body = body.split("-----END PUBLIC KEY-----").next().ok_or(Error::NoKey)?;
        let body: String = body.split_whitespace().collect();
        let der = STANDARD.decode(body).map_err(|_| Error::NoKey)?;
        let after = |info: &[u8]| der.strip_prefix(info);
        if let Some(key) = after(ED25519_INFO).and_then(|key| key.try_into().ok()) {
            return Ok(Key(Kind::Ed25519(key)));
        }
        match after(P256_INFO).and_then(|key| key.try_into().ok()) {
            Some(key) => Ok(Key(Kind::P256(key))),
            None => Err(Error::OtherKey),
        }
    }

    pub fn verify(&self, message: &[u8], signature: &[u8]) -> Result<(), Error> {
        // A DER sequence begins with `0`, which may begin base64 as well: both are tried.
        let text: Vec<u8> =
            signature.iter().copied().filter(|byte| !byte.is_ascii_whitespace()).collect();
        let decoded = STANDARD.decode(text).ok();
        let candidates = [Some(signature), decoded.as_deref()];
        let fits = |signature: &[u8]| match &self.0 {
            Kind::Ed25519(key) => UnparsedPublicKey::new(&ED25519, key).verify(message, signature),
            Kind::P256(key) => {
                UnparsedPublicKey::new(&ECDSA_P256_SHA256_ASN1, key).verify(message, signature)
            }
        };
        if candidates.into_iter().flatten().any(|signature| fits(signature).is_ok()) {
            Ok(())
        } else {
            Err(Error::Wrong)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // Made by `openssl genpkey`, `openssl pkeyutl -sign -rawin` and `openssl dgst -sha256 -sign`
    // over the message; see fixtures/signatures/README.md for the commands.
    const MESSAGE: &[u8] = b"a database\n";
    const ED25519_KEY: &str = include_str!("../../../fixtures/signatures/ed25519.pub.pem");
    const ED25519_SIGNATURE: &[u8] = include_bytes!("../../../fixtures/signatures/ed25519.sig");
    const P256_KEY: &str = include_str!("../../../fixtures/signatures/p256.pub.pem");
    const P256_SIGNATURE: &[u8] = include_bytes!("../../../fixtures/signatures/p256.sig");

    #[test]
    fn what_openssl_signs_is_verified_and_nothing_else_is() {
        for (key, signature) in [(ED25519_KEY, ED25519_SIGNATURE), (P256_KEY, P256_SIGNATURE)] {
            let key = Key::from_pem(key).unwrap();
            assert_eq!(key.verify(MESSAGE, signature), Ok(()));
            let in_base64 = STANDARD.encode(signature) + "\n";
            assert_eq!(key.verify(MESSAGE, in_base64.as_bytes()), Ok(()));
            assert_eq!(key.verify(b"another", signature), Err(Error::Wrong));
            assert_eq!(key.verify(MESSAGE, b""), Err(Error::Wrong));
            for length in 0..signature.len() {
                assert_eq!(key.verify(MESSAGE, &signature[..length]), Err(Error::Wrong));
            }
        }
        let other = Key::from_pem(P256_KEY).unwrap();
        assert_eq!(other.verify(MESSAGE, ED25519_SIGNATURE), Err(Error::Wrong));
    }

    #[test]
    fn what_is_no_key_is_refused() {
        assert_eq!(Key::from_pem("").unwrap_err(), Error::NoKey);
        assert_eq!(Key::from_pem("-----BEGIN PUBLIC KEY-----\n!!\n").unwrap_err(), Error::NoKey);
        let rsa = "-----BEGIN PUBLIC KEY-----\nMFwwDQYJKoZIhvcNAQEBBQADSwAwSAJBAK==\n-----END PUBLIC KEY-----";
        assert!(Key::from_pem(rsa).is_err());
    }
}
