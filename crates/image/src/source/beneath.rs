//! Opening files below a directory by names from an image. Links are followed as
//! a container would follow them: `/` is the directory itself, and `..` ends there.
//! The kernel follows none of them, so nothing that changes meanwhile leads out.

use std::collections::VecDeque;
use std::fs::File;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;

use rustix::fs::{CWD, FileType, Mode, OFlags, fstat, openat, readlinkat};
use rustix::io::Errno;

use inscan_facts::path;

/// As the Linux kernel counts.
const MAX_LINKS: usize = 40;

pub(super) struct Beneath {
    root: OwnedFd,
    /// The last directory: files of one directory follow one another in a layer.
    last: Option<(Vec<u8>, OwnedFd)>,
}

impl Beneath {
    pub(super) fn new(root: &Path) -> io::Result<Self> {
        let root = openat(CWD, root, directory_flags() - OFlags::NOFOLLOW, Mode::empty())?;
        Ok(Beneath { root, last: None })
    }

    /// Opens a regular file.
    pub(super) fn open(&mut self, name: &[u8]) -> io::Result<File> {
        let parent = path::parent(name);
        let base = name.rsplit(|&byte| byte == b'/').next().unwrap_or_default();
        if !matches!(base, b"" | b"." | b"..") {
            let known = self.last.take().filter(|(directory, _)| directory == parent);
            let directory = match known {
                Some((_, directory)) => Ok(directory),
                None => self.resolve(parent, directory_flags()),
            };
            if let Ok(directory) = directory {
                let opened = openat(&directory, base, file_flags(), Mode::empty());
                self.last = Some((parent.to_vec(), directory));
                match opened {
                    Ok(file) => return regular(file),
                    // A link, as its own resolution tells.
                    Err(Errno::LOOP) => {}
                    Err(error) => return Err(error.into()),
                }
            }
        }
        regular(self.resolve(name, file_flags())?)
    }

    fn resolve(&self, name: &[u8], flags: OFlags) -> io::Result<OwnedFd> {
        let mut left: VecDeque<Vec<u8>> = path::parts(name).map(<[u8]>::to_vec).collect();
        let mut above: Vec<OwnedFd> = Vec::new();
        let mut links = 0;
        while let Some(part) = left.pop_front() {
            if part == b".." {
                above.pop();
                continue;
            }
            let directory = above.last().unwrap_or(&self.root);
            let flags = if left.is_empty() { flags } else { directory_flags() };
            match openat(directory, &*part, flags, Mode::empty()) {
                Ok(opened) => above.push(opened),
                // What of these a link gives depends on the system.
                Err(error @ (Errno::LOOP | Errno::NOTDIR | Errno::MLINK)) => {
                    let target = readlinkat(directory, &*part, Vec::new()).map_err(|_| error)?;
                    links += 1;
                    if links > MAX_LINKS {
                        return Err(Errno::LOOP.into());
                    }
                    if target.as_bytes().starts_with(b"/") {
                        above.clear();
                    }
                    for part in path::parts(target.as_bytes()).collect::<Vec<_>>().into_iter().rev()
                    {
                        left.push_front(part.to_vec());
                    }
                }
                Err(error) => return Err(error.into()),
            }
        }
        match above.pop() {
            Some(found) => Ok(found),
            None => Ok(self.root.as_fd().try_clone_to_owned()?),
        }
    }
}

/// Searching a directory needs less permission than listing it.
fn directory_flags() -> OFlags {
    #[cfg(target_os = "linux")]
    let search = OFlags::PATH;
    #[cfg(not(target_os = "linux"))]
    let search = OFlags::RDONLY;
    search | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC
}

/// Without waiting for who writes into a pipe.
fn file_flags() -> OFlags {
    OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC
}

fn regular(file: OwnedFd) -> io::Result<File> {
    if FileType::from_raw_mode(fstat(&file)?.st_mode) != FileType::RegularFile {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "it is not a regular file"));
    }
    Ok(file.into())
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::io::Read;
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn links_are_followed_as_in_a_container_and_never_out() {
        let outside = tempfile::tempdir().unwrap();
        fs::write(outside.path().join("secret"), "secret").unwrap();
        let root = outside.path().join("root");
        fs::create_dir_all(root.join("usr/bin")).unwrap();
        fs::write(root.join("usr/bin/tool"), "tool").unwrap();
        symlink("usr/bin", root.join("bin")).unwrap();
        symlink("/usr/bin", root.join("sbin")).unwrap();
        symlink("../../../../usr/bin/tool", root.join("usr/up")).unwrap();
        symlink("../secret", root.join("out")).unwrap();
        symlink(outside.path().join("secret"), root.join("absolute")).unwrap();
        symlink("loop", root.join("loop")).unwrap();
        let mut beneath = Beneath::new(&root).unwrap();
        let mut check = |name: &str, expected: Option<&str>| {
            let content = beneath.open(name.as_bytes()).ok().map(|mut file| {
                let mut text = String::new();
                file.read_to_string(&mut text).unwrap();
                text
            });
            assert_eq!(content.as_deref(), expected, "{name}");
        };
        for inside in ["usr/bin/tool", "./usr/bin/tool", "/usr/bin/tool", "bin/tool", "sbin/tool"] {
            check(inside, Some("tool"));
        }
        check("usr/up", Some("tool"));
        check("bin/../bin/tool", Some("tool"));
        check("../usr/bin/tool", Some("tool"));
        for nothing in ["out", "absolute", "../secret", "loop", "usr/bin", "", "..", "bin/none"] {
            check(nothing, None);
        }
    }
}
