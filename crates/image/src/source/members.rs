//! The members of an image archive: what its entries are to one who asks for files by name.

use inscan_tar::{Entry, Fault, Fragment, Kind, Limits, ReadError};

use crate::fault;
use inscan_facts::error::shown;

/// What an archive of images may ask for. `docker save` of many images writes a few hundred
/// members. Its layers may be stored with holes where they have zeros.
pub(super) const LIMITS: Limits = Limits {
    entries: 100_000,
    name: 4096,
    link: 4096,
    fragments: 1 << 16,
    holes: 1 << 30,
    ..Limits::GO
};

/// One member. Its name is cleaned: relative, without `.` and empty parts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Member {
    pub(super) name: Vec<u8>,
    pub(super) kind: MemberKind,
    /// Where the stored content starts in the archive, and its bytes.
    pub(super) offset: u64,
    pub(super) stored: u64,
    /// Bytes of the content, holes included.
    pub(super) size: u64,
    /// Of a sparse member, what is stored.
    pub(super) fragments: Option<Vec<Fragment>>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum MemberKind {
    File,
    /// A symbolic or hard link, to the cleaned name of another member.
    /// `None`: it leads out of the archive.
    Link(Option<Vec<u8>>),
    /// Directories, devices.
    Other,
}

impl Member {
    pub(super) fn of(entry: &Entry) -> Self {
        let inside = cleaned(b"", &entry.name);
        let kind = match (entry.kind, &inside) {
            // A name that leads out of the archive can be asked for by nobody.
            (_, None) => MemberKind::Other,
            (Kind::File, _) => MemberKind::File,
            (Kind::HardLink, _) => MemberKind::Link(cleaned(b"", &entry.link)),
            (Kind::Symlink, Some(name)) => {
                let directory = inscan_facts::path::parent(name);
                MemberKind::Link(cleaned(directory, &entry.link))
            }
            _ => MemberKind::Other,
        };
        Member {
            name: inside.unwrap_or_else(|| entry.name.clone()),
            kind,
            offset: entry.offset,
            stored: entry.stored,
            size: entry.size,
            fragments: entry.is_sparse.then(|| entry.fragments.clone()),
        }
    }
}

/// Why the archive could not be read on.
pub(super) fn unreadable(error: ReadError) -> anyhow::Error {
    match error {
        ReadError::Tar(error) if error.fault == Fault::Checksum => {
            fault::damaged(format!("{error}: not a tar archive, or a damaged one; create it again"))
        }
        ReadError::Tar(error) => fault::damaged(format!("{error}; create the archive again")),
        ReadError::Io(error) => error.into(),
    }
}

/// A name inside the archive, seen from a directory in it; `None` where it leads out.
/// An absolute name starts at the root of the archive: never on the host.
pub(super) fn cleaned(directory: &[u8], name: &[u8]) -> Option<Vec<u8>> {
    let mut parts: Vec<&[u8]> = match name.first() {
        Some(b'/') => Vec::new(),
        _ => inscan_facts::path::parts(directory).collect(),
    };
    for part in inscan_facts::path::parts(name) {
        match part {
            b".." => drop(parts.pop()?),
            _ => parts.push(part),
        }
    }
    Some(parts.join(&b'/'))
}

/// Clients of images take either the first or the last member of a name.
pub(super) fn named_twice(name: &[u8]) -> anyhow::Error {
    let name = shown(name);
    fault::contradictory(format!(
        "the archive has two members `{name}` that differ, and clients differ in which of them they take; make it again"
    ))
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use inscan_tar::Archive;

    use super::super::testing::Tar;
    use super::*;

    fn names(tar: &[u8]) -> anyhow::Result<Vec<(String, MemberKind, u64)>> {
        let mut archive = Archive::new(tar, LIMITS);
        let mut names = Vec::new();
        while let Some(entry) = archive.next_entry().map_err(unreadable)? {
            let member = Member::of(entry);
            let mut content = Vec::new();
            archive.read_to_end(&mut content)?;
            assert_eq!(content.len() as u64, member.size);
            names.push((shown(&member.name), member.kind, member.size));
        }
        Ok(names)
    }

    fn link(target: &str) -> MemberKind {
        MemberKind::Link(Some(target.as_bytes().to_vec()))
    }

    #[test]
    fn names_are_cleaned_and_links_stay_inside() {
        let tar = Tar::new()
            .file("./a/manifest.json", b"[]")
            .symlink("b/layer.tar", "../a/layer.tar")
            .symlink("c", "/etc/passwd")
            .symlink("d", "../../etc/passwd")
            .hard_link("e", "a/manifest.json")
            .file("../../f", b"x")
            .bytes();
        let expected = [
            ("a/manifest.json".to_owned(), MemberKind::File, 2),
            ("b/layer.tar".to_owned(), link("a/layer.tar"), 0),
            ("c".to_owned(), link("etc/passwd"), 0),
            ("d".to_owned(), MemberKind::Link(None), 0),
            ("e".to_owned(), link("a/manifest.json"), 0),
            ("../../f".to_owned(), MemberKind::Other, 1),
        ];
        assert_eq!(names(&tar).unwrap(), expected);
    }

    #[test]
    fn endless_records_are_refused_before_they_are_read() {
        let tar = Tar::new().raw_claiming(b'L', "././@LongLink", 1 << 40).bytes();
        let error = names(&tar).unwrap_err().to_string();
        assert!(error.contains("1099511627776 bytes (at most 1048576)"), "{error}");
    }

    #[test]
    fn what_is_no_tar_is_told_with_its_place() {
        let tar = Tar::new().file("a", b"1").bytes();
        let error = names(&[&tar[..1024], &[7; 512]].concat()).unwrap_err().to_string();
        assert!(error.contains("offset 1024: not a tar header"), "{error}");
    }
}
