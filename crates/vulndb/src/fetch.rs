//! What an update fetches: files with the digests beside them, lists, and blobs of artifacts.

use std::fs::{self, File, OpenOptions};
use std::io::{Read, Write};
use std::path::Path;
use std::time::Instant;

use super::download::{self, Download, Fetched};
use super::place::{MAX_DATABASE, beside};
use super::update::Error;
use inscan_facts::digest::{Digest, Sha256};
use inscan_facts::progress::Progress;
use inscan_net::registry::artifact::{Artifact, ArtifactFile};
use inscan_net::{self as net, Http, Url};

/// Lists and digests.
const MAX_SMALL: u64 = 1 << 20;
/// Ecosystems of a bucket.
const MAX_ECOSYSTEMS: usize = 1000;

pub(super) struct Fetch<'a> {
    pub http: &'a Http,
    pub deadline: Option<Instant>,
    pub watch: &'a dyn Progress,
}

impl Fetch<'_> {
    pub(super) fn file(
        &self,
        url: &Url,
        to: &Path,
        known: Option<&str>,
    ) -> Result<Fetched, download::Error> {
        let Fetch { http, deadline, watch } = *self;
        Download { http, url, to, most: MAX_DATABASE, deadline, watch }.fetch(known)
    }

    /// All of a file of an artifact, behind what is here of it already, and verified.
    pub(super) fn blob(
        &self,
        found: &Artifact,
        file: &ArtifactFile,
        to: &Path,
    ) -> Result<(), Error> {
        let failed = |source| Error::Io { path: to.to_owned(), source };
        let note = beside(to, ".version");
        let wanted = file.digest.to_string();
        if fs::read_to_string(&note).ok().as_ref() != Some(&wanted) {
            let _ = fs::remove_file(to);
            fs::write(&note, &wanted).map_err(failed)?;
        }
        let opened = OpenOptions::new().create(true).append(true).read(true).open(to);
        let mut part = opened.map_err(failed)?;
        let (mut digest, begun) = hashed(&mut part).map_err(failed)?;
        let mut from = found.read(file, begun, MAX_DATABASE).map_err(Error::Registry)?;
        self.watch.step_begins("fetching the database", Some(file.size));
        self.watch.step_advances(begun);
        let mut buffer = vec![0; 256 << 10];
        loop {
            if self.deadline.is_some_and(|deadline| Instant::now() >= deadline) {
                return Err(download::Error::Deadline.into());
            }
            let count = from.read(&mut buffer).map_err(|error| Error::Registry(error.into()))?;
            let Some(bytes) = buffer.get(..count).filter(|bytes| !bytes.is_empty()) else { break };
            digest.update(bytes);
            part.write_all(bytes).map_err(failed)?;
            self.watch.step_advances(count as u64);
        }
        let _ = fs::remove_file(&note);
        let found = digest.finish();
        if found == file.digest {
            return Ok(());
        }
        let _ = fs::remove_file(to);
        let what = format!("the blob {wanted} came with the digest {found}");
        Err(Error::Registry(anyhow::anyhow!(what)))
    }

    /// A small file, none where there is none.
    pub(super) fn small(&self, url: &Url, most: u64) -> Result<Option<Vec<u8>>, Error> {
        let request = || net::Request::new(net::Method::GET, url.clone());
        let answer = self.http.send_patiently(request)?;
        match answer.status().as_u16() {
            200 => Ok(Some(answer.bytes(most)?)),
            404 | 410 => Ok(None),
            status => {
                let address = format!("{}{}", net::origin(url), url.path());
                Err(download::Error::Status { address, status }.into())
            }
        }
    }

    /// Against the digest that lies beside the file, if one does: `sha256sum` writes it.
    pub(super) fn check_digest(&self, url: &Url, file: &Path) -> Result<(), Error> {
        let address = format!("{}{}", net::origin(url), url.path());
        let Some(text) = self.small(&with_ending(url, ".sha256"), MAX_SMALL)? else {
            return Ok(());
        };
        let text = String::from_utf8_lossy(&text).into_owned();
        let stated = text.split_whitespace().next().unwrap_or_default();
        let expected: Digest = format!("sha256:{}", stated.trim_start_matches("sha256:"))
            .parse()
            .map_err(|_| Error::NoDigest(address.clone()))?;
        let found =
            digest_of(file).map_err(|source| Error::Io { path: file.to_owned(), source })?;
        if found == expected { Ok(()) } else { Err(Error::Digest { address, found, expected }) }
    }

    /// The folders of a mirror of the bucket, from the list in it.
    pub(super) fn ecosystems(&self, bucket: &Url) -> Result<Vec<String>, Error> {
        let list = bucket.join("ecosystems.txt").map_err(|_| Error::Source(bucket.to_string()))?;
        let missing = || Error::NoBucket(format!("{}{}", net::origin(&list), list.path()));
        let text = self.small(&list, MAX_SMALL)?.ok_or_else(missing)?;
        let text = String::from_utf8_lossy(&text).into_owned();
        let all: Vec<&str> =
            text.lines().map(str::trim).filter(|name| is_folder_name(name)).collect();
        // `Debian:12` is in `Debian` as well.
        let is_part =
            |name: &str| name.split_once(':').is_some_and(|(family, _)| all.contains(&family));
        let names: Vec<String> = all
            .iter()
            .filter(|name| !is_part(name))
            .take(MAX_ECOSYSTEMS)
            .map(|name| (*name).to_owned())
            .collect();
        if names.is_empty() { Err(missing()) } else { Ok(names) }
    }
}

/// A name that can be a folder's: no way out of where it is put, and no page of HTML.
fn is_folder_name(name: &str) -> bool {
    let fine = |char: char| char.is_ascii_alphanumeric() || " -_.:".contains(char);
    !name.is_empty() && name.len() <= 100 && !name.starts_with('.') && name.chars().all(fine)
}

pub(super) fn with_ending(url: &Url, ending: &str) -> Url {
    let mut other = url.clone();
    other.set_path(&format!("{}{ending}", url.path()));
    other
}

fn digest_of(path: &Path) -> std::io::Result<Digest> {
    Ok(hashed(&mut File::open(path)?)?.0.finish())
}

/// What has been hashed of a file to its end, and how much that is.
fn hashed(file: &mut File) -> std::io::Result<(Sha256, u64)> {
    let mut digest = Sha256::new();
    let mut buffer = vec![0; 256 << 10];
    let mut length = 0;
    loop {
        let count = file.read(&mut buffer)?;
        match buffer.get(..count) {
            Some(bytes) if !bytes.is_empty() => digest.update(bytes),
            _ => return Ok((digest, length)),
        }
        length += count as u64;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_s_name_leads_nowhere_else() {
        for fine in ["PyPI", "Rocky Linux", "crates.io", "Debian:12"] {
            assert!(is_folder_name(fine), "{fine}");
        }
        for wrong in ["", "..", ".x", "a/b", "a\\b", "<html>", "a\0b", &"x".repeat(101)] {
            assert!(!is_folder_name(wrong), "{wrong}");
        }
    }
}
