//! An uncompressed archive on disk: where each member lies, so that several
//! threads can read several layers at once.

use std::collections::{HashMap, HashSet};
use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::FileExt;

use anyhow::Context;
use inscan_tar::{Archive, Fragment, Limits, Packing, Piece, Pieces, Source};

use super::documents::{Documents, MAX_DOCUMENT_BYTES, too_large};
use super::members::{LIMITS, Member, MemberKind, cleaned, named_twice, unreadable};
use super::recognise;
use super::{Blobs, LayerRef};
use crate::fault;
use inscan_facts::error::shown;

/// As the Linux kernel counts.
const MAX_LINKS: usize = 40;

/// As many as of a layer.
const MAX_ROOT_ENTRIES: u64 = 50_000_000;

/// Most stored fragments of all sparse members.
const MAX_FRAGMENTS: usize = 1 << 20;

/// The members of an archive by their cleaned names.
pub(super) struct ArchiveIndex {
    file: File,
    members: HashMap<Vec<u8>, Member>,
    /// Directories of a root file system that members are in.
    roots: HashSet<Vec<u8>>,
}

impl ArchiveIndex {
    pub(super) fn read(file: File) -> anyhow::Result<Self> {
        Self::read_where(file, LIMITS, |_| true)
    }

    /// Only what tells whether it is an archive of images. A root file system has many members.
    pub(super) fn top(file: File) -> anyhow::Result<Self> {
        let limits = Limits { entries: MAX_ROOT_ENTRIES, ..LIMITS };
        Self::read_where(file, limits, recognise::tells_of_images)
    }

    fn read_where(
        file: File,
        limits: Limits,
        is_wanted: impl Fn(&[u8]) -> bool,
    ) -> anyhow::Result<Self> {
        let length = file.metadata()?.len();
        let mut archive = Archive::new(Slice { file: &file, position: 0, end: length }, limits);
        let mut members = HashMap::new();
        let mut roots = HashSet::new();
        let mut fragments = 0;
        while let Some(entry) = archive.next_entry().map_err(unreadable)? {
            let member = Member::of(entry);
            let end = member.offset.saturating_add(member.stored);
            if end > length {
                return Err(fault::incomplete(format!(
                    "the archive ends {} bytes before the end of its member `{}`: it was cut off; make it again",
                    end - length,
                    shown(&member.name)
                )));
            }
            let first = inscan_facts::path::parts(&member.name).next().unwrap_or_default();
            if recognise::is_of_root(first) && !roots.contains(first) {
                roots.insert(first.to_vec());
            }
            if !is_wanted(&member.name) {
                continue;
            }
            fragments += member.fragments.as_ref().map_or(0, Vec::len);
            if fragments > MAX_FRAGMENTS {
                return Err(fault::over_limit("the archive has sparse members of too many pieces"));
            }
            if let Some(earlier) = members.insert(member.name.clone(), member.clone())
                && !are_same(&file, &earlier, &member)?
            {
                return Err(named_twice(&member.name));
            }
        }
        Ok(ArchiveIndex { file, members, roots })
    }

    /// Whether a member of this name is a link.
    pub(super) fn is_link(&self, name: &str) -> bool {
        let member = self.members.get(name.as_bytes());
        member.is_some_and(|member| matches!(member.kind, MemberKind::Link(_)))
    }

    /// The directories of a root file system that members are in.
    pub(super) fn roots(&self) -> impl Iterator<Item = &[u8]> {
        self.roots.iter().map(Vec::as_slice)
    }

    /// A file by its name, through links. `None`: there is no such file.
    fn find(&self, name: &str) -> Option<&Member> {
        resolve(name, |name| self.members.get(name).map(|member| (&member.kind, member)))
    }

    fn content<'a>(&'a self, member: &'a Member) -> Box<dyn Read + Send + 'a> {
        content(&self.file, member)
    }
}

/// Some clients take the first member of a name, others the last.
fn are_same(file: &File, one: &Member, other: &Member) -> io::Result<bool> {
    if one.kind != other.kind || one.size != other.size {
        return Ok(false);
    }
    if one.kind != MemberKind::File {
        return Ok(true);
    }
    let (mut ones, mut others) = (content(file, one), content(file, other));
    let (mut one, mut other) = (vec![0; 1 << 16], vec![0; 1 << 16]);
    loop {
        let count = ones.read(&mut one)?;
        others.read_exact(&mut other[..count])?;
        if count == 0 || one[..count] != other[..count] {
            return Ok(count == 0);
        }
    }
}

fn content<'a>(file: &'a File, member: &'a Member) -> Box<dyn Read + Send + 'a> {
    let slice = Slice { file, position: member.offset, end: member.offset + member.stored };
    match &member.fragments {
        None => Box::new(slice),
        Some(fragments) => {
            let pieces = Pieces::of_sparse(member.size);
            Box::new(Sparse { slice, fragments, pieces })
        }
    }
}

/// The content of a sparse member: zeros where nothing is stored.
struct Sparse<'a> {
    slice: Slice<'a>,
    fragments: &'a [Fragment],
    pieces: Pieces,
}

impl Read for Sparse<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let within = |length: u64| buffer.len().min(usize::try_from(length).unwrap_or(usize::MAX));
        let count = match self.pieces.next(self.fragments) {
            None => 0,
            Some(Piece::Stored(length)) => {
                let count = within(length);
                self.slice.read(&mut buffer[..count])?
            }
            Some(Piece::Hole(length)) => {
                let count = within(length);
                buffer[..count].fill(0);
                count
            }
        };
        self.pieces.advance(count as u64, self.fragments);
        Ok(count)
    }
}

/// Follows links from a name to a file.
pub(super) fn resolve<'a, T>(
    name: &str,
    lookup: impl Fn(&[u8]) -> Option<(&'a MemberKind, T)>,
) -> Option<T> {
    let mut name = cleaned(b"", name.as_bytes())?;
    for _ in 0..MAX_LINKS {
        match lookup(&name)? {
            (MemberKind::File, found) => return Some(found),
            (MemberKind::Link(target), _) => name = target.clone()?,
            (MemberKind::Other, _) => return None,
        }
    }
    None
}

impl Documents for ArchiveIndex {
    fn read(&self, name: &str) -> anyhow::Result<Option<Vec<u8>>> {
        let Some(member) = self.find(name) else { return Ok(None) };
        if member.size > MAX_DOCUMENT_BYTES {
            return Err(too_large(name, member.size));
        }
        let mut bytes = Vec::new();
        self.content(member)
            .read_to_end(&mut bytes)
            .with_context(|| format!("could not read `{}` in the archive", shown(name)))?;
        Ok(Some(bytes))
    }

    fn size(&self, name: &str) -> anyhow::Result<Option<u64>> {
        Ok(self.find(name).map(|member| member.size))
    }

    fn start(&self, name: &str) -> anyhow::Result<Vec<u8>> {
        let mut start = Vec::new();
        if let Some(member) = self.find(name) {
            self.content(member).take(Packing::START_LEN as u64).read_to_end(&mut start)?;
        }
        Ok(start)
    }
}

impl Blobs for ArchiveIndex {
    fn open(&self, layer: &LayerRef) -> anyhow::Result<Box<dyn Read + Send + '_>> {
        let member = self.find(&layer.location).ok_or_else(|| {
            fault::incomplete(format!("the archive has no member `{}`", shown(&layer.location)))
        })?;
        Ok(self.content(member))
    }
}

/// A piece of a file, read without moving the file's own position.
struct Slice<'a> {
    file: &'a File,
    position: u64,
    end: u64,
}

impl Read for Slice<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let left = self.end.saturating_sub(self.position);
        let most = buffer.len().min(usize::try_from(left).unwrap_or(usize::MAX));
        if most == 0 {
            return Ok(0);
        }
        let read = self.file.read_at(&mut buffer[..most], self.position)?;
        if read == 0 {
            return Err(io::Error::new(
                io::ErrorKind::UnexpectedEof,
                "the archive became shorter while it was read",
            ));
        }
        self.position += read as u64;
        Ok(read)
    }
}

impl Source for Slice<'_> {
    fn skip(&mut self, bytes: u64) -> io::Result<u64> {
        let skipped = bytes.min(self.end.saturating_sub(self.position));
        self.position += skipped;
        Ok(skipped)
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{Tar, temporary_file};
    use super::*;

    fn index(tar: &[u8]) -> anyhow::Result<ArchiveIndex> {
        ArchiveIndex::read(temporary_file(tar))
    }

    #[track_caller]
    fn check(tar: Tar, name: &str, expected: Option<&[u8]>) {
        let index = index(&tar.bytes()).unwrap();
        assert_eq!(index.read(name).unwrap().as_deref(), expected);
    }

    #[test]
    fn a_name_may_be_there_twice_where_the_content_is_the_same() {
        check(Tar::new().file("a", b"1").file("./a", b"1"), "a", Some(b"1"));
        check(Tar::new().directory("d/").directory("d"), "a", None);
        for other in [&b"2"[..], b"10"] {
            let tar = Tar::new().file("a", b"1").file("./a", other).bytes();
            let error = index(&tar).err().unwrap().to_string();
            assert!(error.contains("two members `a`"), "{error}");
        }
        let tar = Tar::new().file("a", b"1").symlink("a", "b").bytes();
        assert!(index(&tar).is_err());
    }

    #[test]
    fn sparse_members_are_read_with_their_holes() {
        let records = [
            ("GNU.sparse.major", "1"),
            ("GNU.sparse.minor", "0"),
            ("GNU.sparse.name", "layer.tar"),
            ("GNU.sparse.realsize", "1003"),
        ];
        let mut stored = b"2\n0\n2\n1000\n1\n".to_vec();
        stored.resize(512, 0);
        stored.extend(b"abc");
        let tar = Tar::new().pax(&records).file("GNUSparseFile.0/layer.tar", &stored);
        let expected = [&b"ab"[..], &[0; 998], b"c\0\0"].concat();
        check(tar, "layer.tar", Some(&expected));
    }

    #[test]
    fn links_are_followed_inside_the_archive_only() {
        let tar = || {
            Tar::new()
                .symlink("new/layer.tar", "../old/layer.tar")
                .file("old/layer.tar", b"bytes")
                .symlink("host", "/etc/passwd")
                .symlink("loop", "loop")
        };
        check(tar(), "new/layer.tar", Some(b"bytes"));
        check(tar(), "host", None);
        check(tar(), "loop", None);
        check(tar(), "../old/layer.tar", None);
    }

    #[test]
    fn a_member_that_ends_behind_the_archive_is_refused() {
        let bytes = Tar::new().file("a", &[7; 2000]).bytes();
        let error = index(&bytes[..1000]).err().unwrap().to_string();
        assert!(error.contains("1512 bytes before the end of its member `a`"), "{error}");
    }
}
