//! An uncompressed archive on disk: where each member lies, so that several
//! threads can read several layers at once.

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::FileExt;

use anyhow::Context;

use super::documents::{Documents, MOST_DOCUMENT_BYTES, too_large};
use super::error::{broken, shown};
use super::members::{Member, MemberKind, Members, Source, cleaned};
use super::{Blobs, LayerRef};

/// As the Linux kernel counts.
const MOST_LINKS: usize = 40;

/// The members of an archive by their cleaned names. The last of a name counts.
pub(super) struct ArchiveIndex {
    file: File,
    members: HashMap<Vec<u8>, Member>,
}

impl ArchiveIndex {
    pub(super) fn read(file: File) -> anyhow::Result<Self> {
        let length = file.metadata()?.len();
        let mut walk = Members::new(Slice { file: &file, position: 0, end: length });
        let mut members = HashMap::new();
        while let Some(member) = walk.next()? {
            let end = member.offset.saturating_add(member.size);
            if end > length {
                return Err(broken(format!(
                    "the archive ends {} bytes before the end of its member `{}`: it was cut off; make it again",
                    end - length,
                    shown(&member.name)
                )));
            }
            members.insert(member.name.clone(), member);
        }
        Ok(ArchiveIndex { file, members })
    }

    /// A file by its name, through links. `None`: there is no such file.
    fn find(&self, name: &str) -> Option<&Member> {
        resolve(name, |name| self.members.get(name).map(|member| (&member.kind, member)))
    }

    fn content(&self, member: &Member) -> Slice<'_> {
        Slice { file: &self.file, position: member.offset, end: member.offset + member.size }
    }
}

/// Follows links from a name to a file.
pub(super) fn resolve<'a, T>(
    name: &str,
    lookup: impl Fn(&[u8]) -> Option<(&'a MemberKind, T)>,
) -> Option<T> {
    let mut name = cleaned(b"", name.as_bytes())?;
    for _ in 0..MOST_LINKS {
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
        if member.size > MOST_DOCUMENT_BYTES {
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
            self.content(member).take(4).read_to_end(&mut start)?;
        }
        Ok(start)
    }
}

impl Blobs for ArchiveIndex {
    fn open(&self, layer: &LayerRef) -> anyhow::Result<Box<dyn Read + Send + '_>> {
        let member = self.find(&layer.location).ok_or_else(|| {
            broken(format!("the archive has no member `{}`", shown(&layer.location)))
        })?;
        Ok(Box::new(self.content(member)))
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
    fn pass_over(&mut self, bytes: u64) -> io::Result<()> {
        self.position = self.position.saturating_add(bytes);
        Ok(())
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
    fn the_last_member_of_a_name_counts() {
        check(Tar::new().file("a", b"1").file("./a", b"2"), "a", Some(b"2"));
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
