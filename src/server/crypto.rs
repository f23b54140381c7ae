//! Secrets that have to be shown to others again (passwords of registries, addresses of
//! webhooks), encrypted with the key that lies in a file beside the data.

use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use aws_lc_rs::aead::{AES_256_GCM, Aad, NONCE_LEN, Nonce, RandomizedNonceKey};
use aws_lc_rs::rand;
use inscan_facts::digest::hex;
use inscan_store::backup::Table;
use inscan_store::{Schema, Step, Store, Tx, values};

const WORD: &str = "CREATE TABLE key_check (id INTEGER NOT NULL PRIMARY KEY, sealed BLOB NOT NULL)";

/// A word that was sealed with the key of the first server: another one's key does not open it.
pub(crate) const SCHEMA: Schema = Schema {
    part: "key",
    steps: &[Step {
        sqlite: WORD,
        postgres: "CREATE TABLE key_check (id BIGINT NOT NULL PRIMARY KEY, sealed BYTEA NOT NULL)",
    }],
};
pub(crate) const TABLE: Table =
    Table { name: "key_check", keys: 1, columns: &["id", "sealed"], counts: false };

/// A key of 256 bits.
#[derive(Debug)]
pub(crate) struct Secrets(RandomizedNonceKey);

impl Secrets {
    /// Reads the key, or makes one: 64 hex digits, for its owner alone.
    pub(crate) fn open(path: &Path) -> io::Result<Secrets> {
        let text = match fs::read_to_string(path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => make(path)?,
            Err(error) => return Err(error),
        };
        let wrong = || io::Error::other("not a key: expected 64 hex digits");
        let key = bytes(text.trim()).filter(|key| key.len() == 32).ok_or_else(wrong)?;
        let key = RandomizedNonceKey::new(&AES_256_GCM, &key).map_err(|_| wrong())?;
        Ok(Secrets(key))
    }

    /// Whether it is the key of all that is in the database; the first one is.
    pub(crate) fn is_of(&self, store: &Store) -> inscan_store::Result<bool> {
        let sealed = self.seal("key", "inscan");
        store.write(|tx| {
            tx.run(
                "INSERT INTO key_check (id, sealed) VALUES (1, $1) ON CONFLICT (id) DO NOTHING",
                values![sealed.clone()],
            )?;
            self.opens(tx)
        })
    }

    /// As [`Secrets::is_of`], but a database without a key stays without.
    pub(crate) fn could_be_of(&self, store: &Store) -> inscan_store::Result<bool> {
        store.read(|tx| self.opens(tx))
    }

    fn opens(&self, tx: &Tx<'_>) -> inscan_store::Result<bool> {
        let Some(row) = tx.row("SELECT sealed FROM key_check WHERE id = 1", &[])? else {
            return Ok(true);
        };
        let kept = row.fields().bytes()?;
        Ok(self.open_sealed("key", &kept).as_deref() == Some("inscan"))
    }

    /// `of` is what the secret belongs to: it cannot be moved to something else.
    pub(crate) fn seal(&self, of: &str, secret: &str) -> Vec<u8> {
        let mut text = secret.as_bytes().to_vec();
        match self.0.seal_in_place_append_tag(Aad::from(of), &mut text) {
            Ok(nonce) => [nonce.as_ref().as_slice(), &text].concat(),
            // Only lengths beyond any memory are refused.
            Err(_) => Vec::new(),
        }
    }

    /// None where the key is another one.
    pub(crate) fn open_sealed(&self, of: &str, sealed: &[u8]) -> Option<String> {
        let (nonce, text) = sealed.split_at_checked(NONCE_LEN)?;
        let nonce = Nonce::try_assume_unique_for_key(nonce).ok()?;
        let mut text = text.to_vec();
        let opened = self.0.open_in_place(nonce, Aad::from(of), &mut text).ok()?;
        String::from_utf8(opened.to_vec()).ok()
    }
}

fn make(path: &Path) -> io::Result<String> {
    let mut key = [0u8; 32];
    rand::fill(&mut key).map_err(|_| io::Error::other("no random numbers"))?;
    let text = hex(&key);
    // Whole or not at all: another server may read it at this moment, or make one as well.
    let beside = path.with_extension(format!("{}.new", std::process::id()));
    let made = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&beside);
    let made = made.and_then(|mut file| {
        file.write_all(text.as_bytes())?;
        file.sync_all()?;
        fs::hard_link(&beside, path)
    });
    let _ = fs::remove_file(&beside);
    match made {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => fs::read_to_string(path),
        made => made.map(|()| text),
    }
}

fn bytes(hex: &str) -> Option<Vec<u8>> {
    let digits = hex.as_bytes();
    let pairs = digits.chunks(2).map(|pair| std::str::from_utf8(pair).ok());
    pairs.map(|pair| u8::from_str_radix(pair?, 16).ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_sealed_is_opened_by_the_same_key_for_the_same_thing() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("key");
        let secrets = Secrets::open(&path).unwrap();
        let sealed = secrets.seal("registry/a", "a word");
        assert!(!sealed.windows(6).any(|part| part == b"a word"));
        let again = Secrets::open(&path).unwrap();
        assert_eq!(again.open_sealed("registry/a", &sealed).as_deref(), Some("a word"));
        assert_eq!(again.open_sealed("registry/b", &sealed), None);
        let other = Secrets::open(&folder.path().join("other")).unwrap();
        assert_eq!(other.open_sealed("registry/a", &sealed), None);
        assert_eq!(other.open_sealed("registry/a", b"short"), None);
        let place = inscan_store::Place::Folder(folder.path().to_owned());
        let store = Store::open(&place, &[SCHEMA]).unwrap();
        assert!(other.could_be_of(&store).unwrap());
        assert!(secrets.is_of(&store).unwrap() && again.is_of(&store).unwrap());
        assert!(!other.is_of(&store).unwrap() && !other.could_be_of(&store).unwrap());
    }
}
