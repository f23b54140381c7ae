//! An unpacked root file system: its walk, which never leaves it, and the image
//! that stands for it.
//!
//! Every name is opened beside the open directory it is in, and no symbolic link
//! is ever followed: whoever can write in the tree cannot lead the walk out of it,
//! not even while it runs.

use std::collections::HashMap;
use std::ffi::{CStr, CString};
use std::fs::File;
use std::io::{self, Read};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;

use anyhow::Context;
use inscan_analyzers::problem::{OTHER_FILE_SYSTEM, OVER_LIMIT, UNREADABLE};
use inscan_analyzers::{Hides, Problem};
use rustix::fs::{self, AtFlags, FileType, Mode, OFlags, SeekFrom, Stat};
use rustix::io::Errno;

use super::documents::digest_of;
use super::platform::Platform;
use super::{Image, LayerRef};
use crate::layer::{EntryKind, MAX_CAPABILITY_BYTES};
use inscan_facts::digest::Digest;
use inscan_facts::error::shown;

/// Each level of the walk holds a directory open; most systems allow 1024 open files.
const MAX_DEPTH: usize = 400;
/// Neither follows a link nor waits for a pipe.
const OPEN: OFlags =
    OFlags::RDONLY.union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC).union(OFlags::NONBLOCK);

/// One name in the tree.
#[derive(Debug)]
pub struct DirEntry {
    /// Without a leading slash.
    pub path: Vec<u8>,
    /// A further name of a file that was seen already is a hard link.
    pub kind: EntryKind,
    /// Permission bits with set-user-id, set-group-id and sticky.
    pub mode: u16,
    pub uid: u32,
    pub gid: u32,
    /// Of a regular file; 0 for anything else.
    pub size: u64,
    /// Target of a symbolic link, as written; of a hard link, the path seen first.
    pub link: Vec<u8>,
    /// The extended attribute `security.capability` (on Linux).
    pub capability: Option<Vec<u8>>,
    /// Of a regular file; `None` where it could not be opened, which is a problem of the walk.
    pub content: Option<Content>,
}

/// Walks a tree: a directory before what is in it, names in byte order. Sockets
/// are skipped, since no image can hold one. Other file systems mounted in the tree are
/// of it, but for those that the kernel makes up (`/proc`); with `one_file_system` none is.
pub fn walk(
    root: &Path,
    one_file_system: bool,
    visit: &mut dyn FnMut(DirEntry) -> anyhow::Result<()>,
) -> anyhow::Result<Vec<Problem>> {
    let named = || format!("could not read `{}`", shown(root.as_os_str().as_encoded_bytes()));
    // The path given may itself be a link; what is in it may not.
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let directory = fs::open(root, flags, Mode::empty()).with_context(named)?;
    let device = device(&fs::fstat(&directory).with_context(named)?);
    let mut walk =
        Walk { device, one_file_system, seen: HashMap::new(), problems: Vec::new(), visit };
    let root = Level::open(directory, 0).with_context(named)?;
    walk.below(root)?;
    Ok(walk.problems)
}

/// The image that stands for a tree whose content has the digest `tree`.
pub fn image(source: &str, platform: Option<&Platform>, tree: Digest) -> Image {
    let platform = platform.cloned().unwrap_or_else(Platform::of_this_machine);
    let mut config = serde_json::json!({
        "architecture": platform.architecture,
        "config": {},
        "os": platform.os,
        "rootfs": {"diff_ids": [tree.to_string()], "type": "layers"},
    });
    if !platform.variant.is_empty() {
        config["variant"] = platform.variant.into();
    }
    let config = config.to_string().into_bytes();
    let config_digest = digest_of(&config);
    Image {
        source: source.to_owned(),
        manifest: None,
        // No manifest was ever made: the configuration, which names the tree, stands for it.
        manifest_digest: config_digest,
        index_digest: None,
        config,
        config_digest,
        layers: vec![LayerRef {
            location: ".".to_owned(),
            diff_id: tree.into(),
            ..LayerRef::default()
        }],
        names: Vec::new(),
    }
}

/// The bytes of one file. Ends with an error where the file was changed while it was read.
#[derive(Debug)]
pub struct Content {
    file: File,
    left: u64,
    found: State,
    checked: bool,
}

/// What changes when a file is written to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct State {
    size: u64,
    modified: (i64, i64),
}

impl State {
    #[allow(clippy::unnecessary_cast, reason = "the types differ from system to system")]
    fn of(stat: &Stat) -> Self {
        State {
            size: u64::try_from(stat.st_size).unwrap_or(0),
            modified: (stat.st_mtime as i64, stat.st_mtime_nsec as i64),
        }
    }
}

/// Most holes of a file that are counted.
const MAX_HOLES: usize = 1 << 16;

impl Content {
    /// How many bytes of the file are holes, which take no room on the disk and read as zeros:
    /// as far as its file system tells. More holes than anybody makes count as one hole.
    pub fn holes(&self) -> u64 {
        let size = self.found.size;
        let stored = fs::fstat(&self.file).map_or(size, |stat| stat.st_blocks as u64 * 512);
        if stored >= size {
            return 0;
        }
        let holes = holes(&self.file, size);
        // What is read starts at the beginning.
        match fs::seek(&self.file, SeekFrom::Start(0)) {
            Ok(_) => holes.unwrap_or(0),
            Err(_) => size,
        }
    }
}

/// `None`: the file system does not tell.
fn holes(file: &File, size: u64) -> Option<u64> {
    let (mut at, mut total) = (0, 0);
    for _ in 0..MAX_HOLES {
        // There is one at the end of each file.
        let hole = fs::seek(file, SeekFrom::Hole(at)).ok()?;
        if hole >= size {
            return Some(total);
        }
        at = match fs::seek(file, SeekFrom::Data(hole)) {
            Err(Errno::NXIO) => size,
            data => data.ok()?.min(size),
        };
        total += at - hole;
        if at == size {
            return Some(total);
        }
    }
    Some(size)
}

impl Read for Content {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if buffer.is_empty() {
            return Ok(0);
        }
        let most = buffer.len().min(usize::try_from(self.left).unwrap_or(usize::MAX));
        let read = if most == 0 { 0 } else { self.file.read(&mut buffer[..most])? };
        self.left -= read as u64;
        if read == 0 && !self.checked {
            self.checked = true;
            if self.left > 0 || State::of(&fs::fstat(&self.file)?) != self.found {
                return Err(io::Error::other("the file was changed while it was read"));
            }
        }
        Ok(read)
    }
}

struct Walk<'a> {
    device: u64,
    one_file_system: bool,
    /// Files of several names, by device and inode: the path seen first.
    seen: HashMap<(u64, u64), Vec<u8>>,
    problems: Vec<Problem>,
    visit: &'a mut dyn FnMut(DirEntry) -> anyhow::Result<()>,
}

/// An open directory, and its names that are still to come, the next one last.
struct Level {
    directory: OwnedFd,
    names: Vec<CString>,
    path_len: usize,
}

impl Level {
    fn open(directory: OwnedFd, path_len: usize) -> io::Result<Self> {
        let mut names = Vec::new();
        for entry in fs::Dir::read_from(&directory)? {
            let name = entry?.file_name().to_owned();
            if !matches!(name.to_bytes(), b"." | b"..") {
                names.push(name);
            }
        }
        names.sort_by(|one, other| other.cmp(one));
        Ok(Level { directory, names, path_len })
    }
}

impl Walk<'_> {
    fn below(&mut self, root: Level) -> anyhow::Result<()> {
        let mut path = Vec::new();
        let mut levels = vec![root];
        while let Some(level) = levels.last_mut() {
            path.truncate(level.path_len);
            let Some(name) = level.names.pop() else {
                levels.pop();
                continue;
            };
            if !path.is_empty() {
                path.push(b'/');
            }
            path.extend_from_slice(name.to_bytes());
            let depth = levels.len();
            let directory = levels.last().expect("the loop has one").directory.as_fd();
            if let Some(below) = self.name(directory, &name, &path, depth)? {
                levels.push(below);
            }
        }
        Ok(())
    }

    /// Visits one name; gives what is below it, if it is a directory to go into.
    fn name(
        &mut self,
        directory: BorrowedFd<'_>,
        name: &CStr,
        path: &[u8],
        depth: usize,
    ) -> anyhow::Result<Option<Level>> {
        let stat = match fs::statat(directory, name, AtFlags::SYMLINK_NOFOLLOW) {
            Ok(stat) => stat,
            Err(error) => {
                let error = io::Error::from(error);
                self.hidden(path, UNREADABLE, format!("could not be looked at: {error}"));
                return Ok(None);
            }
        };
        let Some(kind) = kind(&stat) else { return Ok(None) };
        let mut entry = DirEntry {
            path: path.to_vec(),
            kind,
            mode: (stat.st_mode & 0o7777) as u16,
            uid: stat.st_uid,
            gid: stat.st_gid,
            size: 0,
            link: Vec::new(),
            capability: None,
            content: None,
        };
        let mut below = None;
        match kind {
            EntryKind::Directory => below = self.directory(directory, name, path, &stat, depth),
            EntryKind::File => self.file(directory, name, &stat, &mut entry),
            EntryKind::Symlink => match fs::readlinkat(directory, name, Vec::new()) {
                Ok(target) => entry.link = target.into_bytes(),
                Err(error) => {
                    let error = io::Error::from(error);
                    self.hidden(path, UNREADABLE, format!("could not read the link: {error}"));
                }
            },
            // Devices and pipes are never opened.
            _ => {}
        }
        (self.visit)(entry)?;
        Ok(below)
    }

    fn directory(
        &mut self,
        parent: BorrowedFd<'_>,
        name: &CStr,
        path: &[u8],
        stat: &Stat,
        depth: usize,
    ) -> Option<Level> {
        if device(stat) != self.device && self.one_file_system {
            self.hidden(
                path,
                OTHER_FILE_SYSTEM,
                "another file system is mounted here, which was not read (`--one-file-system`)",
            );
            return None;
        }
        if depth >= MAX_DEPTH {
            self.hidden(
                path,
                OVER_LIMIT,
                format!(
                    "directories are nested deeper than {MAX_DEPTH}; what is in it was not read"
                ),
            );
            return None;
        }
        let opened = fs::openat(parent, name, OPEN | OFlags::DIRECTORY, Mode::empty());
        let opened = opened.map_err(io::Error::from);
        if let Ok(directory) = &opened
            && device(stat) != self.device
            && is_of_kernel(directory)
        {
            let message =
                "a file system of the kernel is mounted here, which is no part of an image";
            let problem = Problem::new(Some(path.into()), message);
            self.problems.push(problem.hiding(Hides::Nothing, OTHER_FILE_SYSTEM));
            return None;
        }
        match opened.and_then(|directory| Level::open(directory, path.len())) {
            Ok(level) => Some(level),
            Err(error) => {
                self.hidden(path, UNREADABLE, format!("could not read the directory: {error}"));
                None
            }
        }
    }

    fn file(&mut self, directory: BorrowedFd<'_>, name: &CStr, stat: &Stat, entry: &mut DirEntry) {
        entry.size = State::of(stat).size;
        let inode = (device(stat), stat.st_ino);
        if stat.st_nlink > 1 {
            if let Some(first) = self.seen.get(&inode) {
                entry.kind = EntryKind::HardLink;
                entry.link = first.clone();
                entry.size = 0;
                return;
            }
            self.seen.insert(inode, entry.path.clone());
        }
        match open_same(directory, name, stat) {
            Ok((file, found)) => {
                entry.size = found.size;
                match capability(&file) {
                    Ok(capability) => entry.capability = capability,
                    Err(error) => {
                        let message = format!("could not read its capabilities: {error}");
                        let problem = Problem::new(Some(entry.path.clone().into()), message);
                        self.problems.push(problem.hiding(Hides::Nothing, UNREADABLE));
                    }
                }
                entry.content = Some(Content { file, left: found.size, found, checked: false });
            }
            Err(error) => {
                self.hidden(&entry.path, UNREADABLE, format!("could not open the file: {error}"));
            }
        }
    }

    /// What was not read may be anything.
    fn hidden(&mut self, path: &[u8], code: &'static str, message: impl Into<String>) {
        let problem = Problem::new(Some(path.into()), message.into());
        self.problems.push(problem.hiding(Hides::Content, code));
    }
}

/// File systems that hold no files of anybody's, by their numbers in Linux (`statfs(2)`,
/// `linux/magic.h`).
#[cfg(target_os = "linux")]
fn is_of_kernel(directory: &OwnedFd) -> bool {
    const KINDS: [u32; 23] = [
        0x0000_0187, // autofs: looking would mount
        0x0000_1cd1, // devpts
        0x0000_9fa0, // proc
        0x0027_e0eb, // cgroup
        0x6367_7270, // cgroup2
        0x1980_0202, // mqueue
        0x4249_4e4d, // binfmt_misc
        0x4341_5d53, // smackfs
        0x5049_5045, // pipefs
        0x534f_434b, // sockfs
        0x6165_676c, // pstore
        0x6265_6570, // configfs
        0x6265_6572, // sysfs
        0x6462_6720, // debugfs
        0x6573_5543, // fusectl
        0x6759_6969, // rpc_pipefs
        0x6e66_7364, // nfsd
        0x6e73_6673, // nsfs
        0x7363_6673, // securityfs
        0x7472_6163, // tracefs
        0xcafe_4a11, // bpf
        0xde5e_81e4, // efivarfs
        0xf97c_ff8c, // selinuxfs
    ];
    let kind = fs::fstatfs(directory).map(|found| found.f_type as u32);
    kind.is_ok_and(|kind| KINDS.contains(&kind))
}

#[cfg(not(target_os = "linux"))]
fn is_of_kernel(_: &OwnedFd) -> bool {
    false
}

/// Opens what was looked at, and nothing that was put in its place since.
fn open_same(directory: BorrowedFd<'_>, name: &CStr, expected: &Stat) -> io::Result<(File, State)> {
    let file = File::from(fs::openat(directory, name, OPEN, Mode::empty())?);
    let stat = fs::fstat(&file)?;
    let same = (stat.st_dev, stat.st_ino) == (expected.st_dev, expected.st_ino);
    if !same || FileType::from_raw_mode(stat.st_mode) != FileType::RegularFile {
        return Err(io::Error::other("it was replaced by another while the tree was walked"));
    }
    Ok((file, State::of(&stat)))
}

#[allow(clippy::unnecessary_cast, reason = "the type differs from system to system")]
fn device(stat: &Stat) -> u64 {
    stat.st_dev as u64
}

fn kind(stat: &Stat) -> Option<EntryKind> {
    match FileType::from_raw_mode(stat.st_mode) {
        FileType::RegularFile => Some(EntryKind::File),
        FileType::Directory => Some(EntryKind::Directory),
        FileType::Symlink => Some(EntryKind::Symlink),
        FileType::CharacterDevice => Some(EntryKind::CharDevice),
        FileType::BlockDevice => Some(EntryKind::BlockDevice),
        FileType::Fifo => Some(EntryKind::Fifo),
        FileType::Socket | FileType::Unknown => None,
    }
}

#[cfg(target_os = "linux")]
fn capability(file: &File) -> io::Result<Option<Vec<u8>>> {
    let mut value = vec![0; MAX_CAPABILITY_BYTES];
    match fs::fgetxattr(file, "security.capability", &mut value[..]) {
        Ok(length) => {
            value.truncate(length);
            Ok(Some(value))
        }
        Err(Errno::NODATA | Errno::NOTSUP) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

#[cfg(not(target_os = "linux"))]
fn capability(_file: &File) -> io::Result<Option<Vec<u8>>> {
    Ok(None)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{PermissionsExt, symlink};
    use std::os::unix::net::UnixListener;

    use super::*;

    /// `path kind content-or-link` of everything, in the order of the walk.
    fn listed(root: &Path) -> (Vec<String>, Vec<Problem>) {
        let mut lines = Vec::new();
        let problems = walk(root, false, &mut |entry| {
            let mut text = String::from_utf8_lossy(&entry.link).into_owned();
            if let Some(mut content) = entry.content {
                content.read_to_string(&mut text)?;
            }
            lines.push(
                format!("{} {:?} {text}", shown(&entry.path), entry.kind).trim_end().to_owned(),
            );
            Ok(())
        });
        (lines, problems.unwrap())
    }

    #[test]
    fn holes_are_counted_and_read_as_zeros() {
        let root = tempfile::tempdir().unwrap();
        let file = File::create(root.path().join("sparse")).unwrap();
        file.set_len(10 << 20).unwrap();
        std::os::unix::fs::FileExt::write_at(&file, b"data", 5 << 20).unwrap();
        std::fs::write(root.path().join("whole"), vec![0; 2 << 20]).unwrap();
        let mut holes = Vec::new();
        walk(root.path(), false, &mut |entry| {
            let Some(mut content) = entry.content else { return Ok(()) };
            holes.push(content.holes());
            let mut bytes = Vec::new();
            content.read_to_end(&mut bytes)?;
            assert_eq!(bytes.len() as u64, entry.size);
            Ok(())
        })
        .unwrap();
        // The blocks of a file system are at most 1 MiB.
        assert!((9 << 20..10 << 20).contains(&holes[0]), "{holes:?}");
        assert_eq!(holes[1], 0);
    }

    #[test]
    fn a_tree_is_walked_in_byte_order_without_following_links() {
        let root = tempfile::tempdir().unwrap();
        let at = |name: &str| root.path().join(name);
        std::fs::create_dir_all(at("usr/bin")).unwrap();
        std::fs::write(at("usr/bin/tool"), "elf").unwrap();
        std::fs::hard_link(at("usr/bin/tool"), at("usr/bin/zool")).unwrap();
        std::fs::write(at("usr.txt"), "text").unwrap();
        symlink("/etc", at("host")).unwrap();
        symlink("usr/bin", at("bin")).unwrap();
        let _socket = UnixListener::bind(at("socket")).unwrap();
        fs::mknodat(fs::CWD, at("pipe"), FileType::Fifo, Mode::RUSR, 0).unwrap();
        let expected = [
            "bin Symlink usr/bin",
            "host Symlink /etc",
            "pipe Fifo",
            "usr Directory",
            "usr/bin Directory",
            "usr/bin/tool File elf",
            "usr/bin/zool HardLink usr/bin/tool",
            "usr.txt File text",
        ];
        assert_eq!(listed(root.path()), (expected.map(str::to_owned).to_vec(), vec![]));
    }

    #[test]
    fn a_file_that_grows_or_shrinks_while_it_is_read_is_an_error() {
        for changed in ["abcdef", "a"] {
            let root = tempfile::tempdir().unwrap();
            let path = root.path().join("file");
            std::fs::write(&path, "abc").unwrap();
            let mut outcome = None;
            walk(root.path(), false, &mut |entry| {
                std::fs::write(&path, changed)?;
                outcome = Some(entry.content.unwrap().read_to_end(&mut Vec::new()));
                Ok(())
            })
            .unwrap();
            let error = outcome.unwrap().unwrap_err().to_string();
            assert_eq!(error, "the file was changed while it was read");
        }
    }

    #[test]
    #[expect(clippy::print_stderr, reason = "says why it is skipped")]
    fn what_cannot_be_read_is_a_problem_and_the_walk_goes_on() {
        let root = tempfile::tempdir().unwrap();
        std::fs::write(root.path().join("secret"), "x").unwrap();
        std::fs::set_permissions(root.path().join("secret"), PermissionsExt::from_mode(0o000))
            .unwrap();
        std::fs::write(root.path().join("z"), "z").unwrap();
        let (lines, problems) = listed(root.path());
        if problems.is_empty() {
            eprintln!("skipped: root may read everything");
            return;
        }
        assert_eq!(lines, ["secret File", "z File z"]);
        assert!(problems[0].message.starts_with("could not open the file"), "{problems:?}");
    }

    #[test]
    fn directories_nested_without_end_are_a_problem() {
        let root = tempfile::tempdir().unwrap();
        let deep = root.path().join(vec!["d"; MAX_DEPTH + 5].join("/"));
        std::fs::create_dir_all(deep).unwrap();
        let (lines, problems) = listed(root.path());
        assert_eq!(lines.len(), MAX_DEPTH);
        assert!(problems[0].message.contains("deeper than 400"), "{problems:?}");
    }

    #[test]
    fn the_image_of_a_tree_is_named_by_its_content() {
        let one = image("dir:/x", None, Digest([1; 32]));
        assert_ne!(one.config_digest, image("dir:/x", None, Digest([2; 32])).config_digest);
        assert_eq!(one.config_digest, image("dir:/y", None, Digest([1; 32])).config_digest);
        let config = super::super::ImageConfig::parse(&one.config).unwrap();
        assert_eq!(config.diff_ids, [one.layers[0].diff_id.to_string()]);
    }
}
