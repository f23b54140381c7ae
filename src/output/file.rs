//! Output files are there whole or not at all: written beside their place, then
//! renamed. What is no regular file (`/dev/null`, a pipe) is written directly, and a file that
//! cannot be replaced where it is.

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufWriter, Seek, SeekFrom, Write};
use std::path::{Component, Path, PathBuf};

use tempfile::NamedTempFile;

use super::Destination;
use inscan_image::interrupt;

/// An output that is ready to be written.
pub enum Sink {
    Stdout,
    Direct(File),
    /// A file beside which nothing can be put: it is written where it is, once there is something
    /// to write.
    InPlace(File),
    /// The temporary file, and the place it is renamed to.
    Atomic(NamedTempFile, PathBuf),
}

impl Sink {
    /// Fails where the output could not be written, before any work is done for it.
    pub fn open(destination: &Destination) -> io::Result<Sink> {
        match destination {
            Destination::Stdout => Ok(Sink::Stdout),
            Destination::File(path) => Sink::open_file(path),
        }
    }

    fn open_file(path: &Path) -> io::Result<Sink> {
        refuse_links_of_checkout(path)?;
        match descriptor(path) {
            Some(1) => return Ok(Sink::Stdout),
            // Opened anew a file would be written from its beginning.
            Some(_) => return Ok(Sink::Direct(OpenOptions::new().append(true).open(path)?)),
            None => {}
        }
        // Through symbolic links: the file is replaced, not the link to it.
        let place = match fs::canonicalize(path) {
            Ok(place) => place,
            Err(error) if error.kind() == io::ErrorKind::NotFound && !path.is_symlink() => {
                path.to_owned()
            }
            Err(error) => return Err(error),
        };
        match fs::metadata(&place) {
            Ok(existing) if existing.is_dir() => Err(io::ErrorKind::IsADirectory.into()),
            Ok(existing) if !existing.is_file() => {
                Ok(Sink::Direct(OpenOptions::new().write(true).open(&place)?))
            }
            // A file that must not be written is not replaced either.
            Ok(_) => {
                let file = OpenOptions::new().write(true).open(&place)?;
                Sink::beside(place).or(Ok(Sink::InPlace(file)))
            }
            Err(_) => Sink::beside(place),
        }
    }

    fn beside(place: PathBuf) -> io::Result<Sink> {
        let directory = match place.parent() {
            Some(parent) if !parent.as_os_str().is_empty() => parent,
            _ => Path::new("."),
        };
        let temporary = tempfile::Builder::new().prefix(".inscan-").make_in(directory, |path| {
            interrupt::unfinished(path);
            // With the mode any new file gets: temporary files are usually private. It is read
            // again where it cannot be renamed.
            let made = OpenOptions::new().read(true).write(true).create_new(true).open(path);
            made.inspect_err(|_| interrupt::finished(path))
        })?;
        Ok(Sink::Atomic(temporary, place))
    }

    /// Writes all of it. A reader that closes its end of a pipe has seen enough:
    /// that is no error.
    pub fn write(self, content: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> io::Result<()> {
        match self {
            Sink::Stdout => forgive_closed(write_buffered(io::stdout().lock(), content)),
            Sink::Direct(file) => forgive_closed(write_buffered(file, content)),
            Sink::InPlace(file) => {
                file.set_len(0)?;
                write_buffered(file, content)
            }
            Sink::Atomic(mut temporary, place) => {
                write_buffered(temporary.as_file_mut(), content)?;
                if let Ok(existing) = fs::metadata(&place) {
                    temporary.as_file().set_permissions(existing.permissions())?;
                }
                let path = temporary.path().to_owned();
                let put = temporary.persist(&place).map(drop);
                let put = put.or_else(|failed| copied(failed.file, &place, failed.error));
                interrupt::finished(&path);
                put
            }
        }
    }
}

/// A file that cannot be replaced may still be written: one that is mounted by itself, or
/// somebody else's in a directory for all. `error` is why it could not be replaced.
fn copied(mut temporary: NamedTempFile, place: &Path, error: io::Error) -> io::Result<()> {
    let Ok(mut file) = OpenOptions::new().write(true).open(place) else { return Err(error) };
    temporary.as_file_mut().seek(SeekFrom::Start(0))?;
    file.set_len(0)?;
    io::copy(temporary.as_file_mut(), &mut file).map(drop)
}

/// The number of the open file that a path stands for: `/dev/stdout`, `/dev/fd/63`.
fn descriptor(path: &Path) -> Option<u32> {
    const MAX_LINKS: usize = 40;
    let mut path = path.to_owned();
    for _ in 0..MAX_LINKS {
        let text = path.to_str()?;
        let number = |prefix: &str| text.strip_prefix(prefix)?.parse().ok();
        let named = match text {
            "/dev/stdin" => Some(0),
            "/dev/stdout" => Some(1),
            "/dev/stderr" => Some(2),
            _ => ["/dev/fd/", "/proc/self/fd/"].into_iter().find_map(number),
        };
        if named.is_some() {
            return named;
        }
        let target = fs::read_link(&path).ok()?;
        path = path.parent().unwrap_or(Path::new("/")).join(target);
    }
    None
}

/// Links in the checkout are its author's, who may not be who runs this: none of them says what
/// is written.
///
/// # Errors
/// Where a part of the path is such a link.
pub fn refuse_links_of_checkout(path: &Path) -> io::Result<()> {
    match std::env::current_dir() {
        Ok(here) => refuse_links(path, &here, &checkout(&here)),
        Err(_) => Ok(()),
    }
}

/// The working directory, or what it is a part of.
fn checkout(here: &Path) -> PathBuf {
    let is_root = |directory: &&Path| directory.join(".git").exists();
    here.ancestors().find(is_root).unwrap_or(here).to_owned()
}

fn refuse_links(path: &Path, here: &Path, checkout: &Path) -> io::Result<()> {
    let mut part = PathBuf::new();
    for component in here.join(path).components() {
        match component {
            Component::ParentDir => drop(part.pop()),
            other => part.push(other),
        }
        if !part.is_symlink() {
            continue;
        }
        match part.strip_prefix(checkout) {
            Ok(link) => {
                return Err(io::Error::other(format!(
                    "`{}` is a symbolic link in the working directory, which outputs do not follow; name what it leads to",
                    link.display()
                )));
            }
            // What is left is seen from where it leads to.
            Err(_) => part = fs::canonicalize(&part).unwrap_or(part),
        }
    }
    Ok(())
}

fn write_buffered(
    to: impl Write,
    content: impl FnOnce(&mut dyn Write) -> io::Result<()>,
) -> io::Result<()> {
    let mut writer = BufWriter::with_capacity(256 << 10, to);
    content(&mut writer)?;
    writer.flush()
}

fn forgive_closed(written: io::Result<()>) -> io::Result<()> {
    match written {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        written => written,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn write(path: &Path, content: &[u8]) -> io::Result<()> {
        Sink::open(&Destination::File(path.to_owned()))?.write(|out| out.write_all(content))
    }

    fn names(directory: &Path) -> Vec<String> {
        let entries = fs::read_dir(directory).unwrap();
        let mut names: Vec<_> = entries
            .map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned())
            .collect();
        names.sort();
        names
    }

    #[test]
    fn a_file_is_replaced_whole_and_nothing_is_left_beside_it() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("out.json");
        write(&path, b"a longer first version").unwrap();
        write(&path, b"second").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"second");
        assert_eq!(names(directory.path()), ["out.json"]);
    }

    #[test]
    fn an_error_while_writing_leaves_what_was_there() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("out.json");
        write(&path, b"before").unwrap();
        let sink = Sink::open(&Destination::File(path.clone())).unwrap();
        let written = sink.write(|out| {
            out.write_all(b"half")?;
            Err(io::Error::other("broken"))
        });
        assert_eq!(written.unwrap_err().to_string(), "broken");
        assert_eq!(fs::read(&path).unwrap(), b"before");
        assert_eq!(names(directory.path()), ["out.json"]);
    }

    #[test]
    fn the_file_behind_a_link_is_replaced_and_not_the_link() {
        let directory = tempfile::tempdir().unwrap();
        let (file, link) = (directory.path().join("file"), directory.path().join("link"));
        fs::write(&file, "before").unwrap();
        std::os::unix::fs::symlink("file", &link).unwrap();
        write(&link, b"after").unwrap();
        assert!(link.is_symlink());
        assert_eq!(fs::read(&file).unwrap(), b"after");
    }

    #[test]
    fn a_file_that_cannot_be_replaced_is_written_where_it_is() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("out.json");
        fs::write(&path, "a longer first version").unwrap();
        let file = OpenOptions::new().write(true).open(&path).unwrap();
        Sink::InPlace(file).write(|out| out.write_all(b"second")).unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"second");
        let mut temporary = NamedTempFile::new_in(directory.path()).unwrap();
        temporary.write_all(b"third").unwrap();
        copied(temporary, &path, io::ErrorKind::ResourceBusy.into()).unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"third");
        assert_eq!(names(directory.path()), ["out.json"]);
    }

    #[test]
    fn no_link_of_the_checkout_is_followed() {
        let directory = tempfile::tempdir().unwrap();
        let root = fs::canonicalize(directory.path()).unwrap();
        let (checkout, here) = (root.join("checkout"), root.join("checkout/part"));
        fs::create_dir_all(&here).unwrap();
        let link = |at: &str, to: &str| std::os::unix::fs::symlink(to, root.join(at)).unwrap();
        link("checkout/link", "/etc");
        link("checkout/part/file", "/etc/passwd");
        link("outside", "checkout");
        let follows = |path: &str| refuse_links(Path::new(path), &here, &checkout).is_ok();
        for (path, expected) in [
            ("new.json", true),
            ("../new.json", true),
            ("/dev/stdout", true),
            ("file", false),
            ("./file", false),
            ("../link/new.json", false),
            ("../part/../link", false),
            ("../../outside/new.json", true),
            ("../../outside/link/new.json", false),
        ] {
            assert_eq!(follows(path), expected, "{path}");
        }
    }

    #[test]
    fn open_files_are_known_by_their_names() {
        let directory = tempfile::tempdir().unwrap();
        let link = directory.path().join("link");
        std::os::unix::fs::symlink("/dev/stdout", &link).unwrap();
        for (path, expected) in [
            (Path::new("/dev/stdout"), Some(1)),
            (Path::new("/dev/fd/63"), Some(63)),
            (Path::new("/proc/self/fd/2"), Some(2)),
            (&link, Some(1)),
            (directory.path(), None),
            (Path::new("/dev/null"), None),
        ] {
            assert_eq!(descriptor(path), expected, "{path:?}");
        }
    }

    #[test]
    fn a_device_is_written_directly_and_an_impossible_place_is_refused_at_once() {
        write(Path::new("/dev/null"), b"gone").unwrap();
        let refused =
            |path: &str| Sink::open(&Destination::File(path.into())).err().expect("refused").kind();
        assert_eq!(refused("/dev"), io::ErrorKind::IsADirectory);
        assert_eq!(refused("/dev/null/x"), io::ErrorKind::NotADirectory);
        assert_eq!(refused("/no/such/directory/x"), io::ErrorKind::NotFound);
    }
}
