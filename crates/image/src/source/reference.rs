//! What the user typed to name an image, and where it is then looked for.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use super::{Form, Transport};
use crate::fault;
use inscan_facts::error::{Kind, coded, shown, usage};

/// An image as it was named.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reference {
    /// What `docker save` and `podman save` write.
    DockerArchive { file: PathBuf, name: Option<String> },
    /// An OCI image layout as a directory.
    OciLayout { directory: PathBuf, name: Option<String> },
    /// An OCI image layout as a tar.
    OciArchive { file: PathBuf, name: Option<String> },
    /// An unpacked root file system.
    Directory(PathBuf),
    /// An archive on standard input, of either kind.
    Stdin { form: Option<Form>, name: Option<String> },
    /// A file or directory: what it is, its content says.
    Path { path: PathBuf, name: Option<String> },
    /// A name, and who has the image.
    At { place: Transport, name: String },
    /// A name alone: where the image is, is found out.
    Name(String),
}

/// An archive of either kind. `-:NAME` looks like an option to parsers of command lines: they may
/// hand it on with this before it.
pub const ANY_ARCHIVE: &str = "archive:";

/// What lies at a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Lying {
    File,
    /// A directory that may hold images by name.
    Images,
    /// Any other directory.
    Directory,
}

fn lying(path: &Path) -> Option<Lying> {
    let has = |name: &str| path.join(name).is_file();
    match path.is_dir() {
        true if ["oci-layout", "index.json", "manifest.json"].into_iter().any(has) => {
            Some(Lying::Images)
        }
        true => Some(Lying::Directory),
        false => path.exists().then_some(Lying::File),
    }
}

impl Reference {
    /// Understands what was typed. Looks at the file system to tell where a path ends
    /// and the name of an image in it starts: both may have colons.
    ///
    /// # Errors
    /// Where a path is missing, and where a name without a transport may be a path as well as an
    /// image: who writes into the working directory does not choose what is scanned.
    pub fn parse(text: &str) -> anyhow::Result<Self> {
        Self::parse_with(text, lying)
    }

    /// Whether it names standard input.
    pub fn is_stdin(text: &str) -> bool {
        let transports = ["docker-archive:", "oci-archive:", "oci:", ANY_ARCHIVE];
        let rest = transports.into_iter().find_map(|it| text.strip_prefix(it)).unwrap_or(text);
        rest == "-" || rest.starts_with("-:")
    }

    fn parse_with(text: &str, lying: impl Fn(&Path) -> Option<Lying>) -> anyhow::Result<Self> {
        let exists = |path: &Path, _: bool| lying(path).is_some();
        let place = |rest: &str| match split(rest, exists) {
            Some((path, _)) if path.as_os_str().is_empty() => {
                Err(usage(format!("there is no path in `{}`", shown(text))))
            }
            Some(found) => Ok(found),
            None => Err(missing(rest)),
        };
        let (transport, rest) = text.split_once(':').unwrap_or(("", text));
        match transport {
            _ if Self::is_stdin(text) => {
                let form = match transport {
                    "docker-archive" => Some(Form::Docker),
                    "oci-archive" | "oci" => Some(Form::Oci),
                    _ => None,
                };
                let name = text.split_once("-:").map(|(_, name)| name.to_owned());
                Ok(Reference::Stdin { form, name: name.filter(|name| !name.is_empty()) })
            }
            "docker-archive" => {
                place(rest).map(|(file, name)| Reference::DockerArchive { file, name })
            }
            "oci-archive" => place(rest).map(|(file, name)| Reference::OciArchive { file, name }),
            "oci" | "oci-dir" => {
                place(rest).map(|(directory, name)| Reference::OciLayout { directory, name })
            }
            "dir" if exists(Path::new(rest), true) => Ok(Reference::Directory(PathBuf::from(rest))),
            "dir" => Err(missing(rest)),
            "docker" if rest.starts_with("//") => Ok(at(Transport::Registry, &rest[2..])),
            "docker-daemon" => Ok(at(Transport::Docker, rest)),
            "podman" => Ok(at(Transport::Podman, rest)),
            "containers-storage" => Ok(at(Transport::ContainersStorage, rest)),
            "containerd" => Ok(at(Transport::Containerd, rest)),
            _ if text.is_empty() => Err(usage(
                "the image has no name: give a path, a name in a registry, or `-` for standard input",
            )),
            _ => match split(text, |path, whole| may_be_meant(lying(path), whole)) {
                Some((path, _)) if may_be_name(text) && !is_surely_path(text, &path) => {
                    Err(ambiguous(text, &path))
                }
                Some((path, name)) => Ok(Reference::Path { path, name }),
                None if looks_like_path(text) => Err(missing(text)),
                None if transport.chars().all(|c| c.is_ascii_lowercase() || c == '-')
                    && rest.starts_with('/') =>
                {
                    Err(usage(format!(
                        "`{}:` is not a transport; there are docker-archive:FILE, oci-archive:FILE, oci:DIRECTORY, dir:PATH, docker-daemon:NAME, podman:NAME, containers-storage:NAME, containerd:NAME and docker://NAME",
                        shown(transport)
                    )))
                }
                None => Ok(Reference::Name(text.to_owned())),
            },
        }
    }
}

/// The beginning of a name is a path only where it may have an image of that name in it: a
/// directory of sources is often called as the image that is made of it.
fn may_be_meant(lying: Option<Lying>, whole: bool) -> bool {
    match lying {
        Some(Lying::Directory) => whole,
        lying => lying.is_some(),
    }
}

fn may_be_name(text: &str) -> bool {
    inscan_net::registry::is_name(text)
}

/// `./app`, `/app`, and what ends as archives and documents do.
fn is_surely_path(text: &str, path: &Path) -> bool {
    let endings = [".tar", ".gz", ".tgz", ".zst", ".tzst", ".xz", ".bz2", ".json"];
    text.starts_with(['/', '.'])
        || path.to_str().is_some_and(|path| endings.iter().any(|ending| path.ends_with(ending)))
}

fn ambiguous(text: &str, path: &Path) -> anyhow::Error {
    let (name, path) = (shown(text), shown(path.as_os_str().as_encoded_bytes()));
    coded(
        Kind::Usage,
        "ambiguous-image-name",
        format!(
            "`{name}` may be an image, and there is `{path}` in the working directory as well; write `./{name}` for what lies there, and for the image docker://{name}, or docker-daemon:{name} and the like for one on this machine"
        ),
    )
}

fn at(place: Transport, name: &str) -> Reference {
    Reference::At { place, name: name.to_owned() }
}

/// Path and name of the image in it: the longest beginning that exists is the path. `exists` is
/// told whether it is the whole text.
fn split(text: &str, exists: impl Fn(&Path, bool) -> bool) -> Option<(PathBuf, Option<String>)> {
    let ends =
        text.char_indices().rev().filter(|(_, char)| matches!(char, ':' | '@')).map(|(at, _)| at);
    for end in std::iter::once(text.len()).chain(ends) {
        let path = Path::new(OsStr::from_bytes(&text.as_bytes()[..end]));
        if exists(path, end == text.len()) {
            let name = text[end..].trim_start_matches(':');
            return Some((path.to_owned(), Some(name.to_owned()).filter(|name| !name.is_empty())));
        }
    }
    None
}

fn looks_like_path(text: &str) -> bool {
    let endings = [".tar", ".tar.gz", ".tgz", ".tar.zst", ".tar.xz", ".tar.bz2"];
    text.starts_with(['/', '.', '~']) || endings.iter().any(|ending| text.ends_with(ending))
}

fn missing(path: &str) -> anyhow::Error {
    fault::not_found(format!(
        "there is no file or directory `{}`; relative paths start at the current directory{}",
        shown(path),
        if path.starts_with('~') {
            ", and `~` is not expanded here: write the path out"
        } else {
            ""
        }
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    const LYING: [(&str, Lying); 8] = [
        ("image.tar", Lying::File),
        ("a:b.tar", Lying::File),
        ("Layout", Lying::Images),
        ("layout", Lying::Images),
        ("layout:1", Lying::Images),
        ("app", Lying::Directory),
        ("team/app:1.0", Lying::Directory),
        ("tool:1", Lying::File),
    ];

    fn parse(text: &str) -> anyhow::Result<Reference> {
        Reference::parse_with(text, |path| {
            let path = path.strip_prefix("./").unwrap_or(path);
            LYING.iter().find(|(file, _)| path == Path::new(file)).map(|(_, lying)| *lying)
        })
    }

    #[track_caller]
    fn check(text: &str, expected: Reference) {
        assert_eq!(parse(text).unwrap(), expected, "{text}");
    }

    fn some(name: &str) -> Option<String> {
        Some(name.to_owned())
    }

    #[test]
    fn a_path_ends_where_the_longest_existing_file_does() {
        let archive = |file: &str, name| Reference::DockerArchive { file: file.into(), name };
        check("docker-archive:image.tar", archive("image.tar", None));
        check(
            "docker-archive:image.tar:localhost:5000/app:1",
            archive("image.tar", some("localhost:5000/app:1")),
        );
        check("docker-archive:a:b.tar", archive("a:b.tar", None));
        check("docker-archive:a:b.tar:app", archive("a:b.tar", some("app")));
        check("docker-archive:image.tar:@0", archive("image.tar", some("@0")));
        let layout =
            |directory: &str, name| Reference::OciLayout { directory: directory.into(), name };
        check("oci:layout:latest", layout("layout", some("latest")));
        check("oci:layout:1", layout("layout:1", None));
        check("oci:layout@sha256:00", layout("layout", some("@sha256:00")));
    }

    #[test]
    fn what_has_no_transport_is_a_file_or_a_name() {
        check("image.tar", Reference::Path { path: "image.tar".into(), name: None });
        check("image.tar:app:1", Reference::Path { path: "image.tar".into(), name: some("app:1") });
        check("Layout:app", Reference::Path { path: "Layout".into(), name: some("app") });
        for name in ["alpine:3.10", "localhost:5000/app", "registry:2", "registry:5000/app:1"] {
            check(name, Reference::Name(name.to_owned()));
        }
    }

    #[test]
    fn what_may_be_a_path_and_an_image_is_neither() {
        let digest = format!("layout@{}", inscan_facts::digest::Digest::default());
        for text in ["app", "layout", "layout:app", &digest, "team/app:1.0", "tool:1"] {
            let error = parse(text).unwrap_err().to_string();
            assert!(error.contains(&format!("`./{text}`")), "{error}");
            assert!(error.contains(&format!("docker://{text}")), "{error}");
            assert!(matches!(parse(&format!("./{text}")), Ok(Reference::Path { .. })), "{text}");
        }
        // The sources of an image are no place where the image is.
        check("app:1", Reference::Name("app:1".to_owned()));
    }

    #[test]
    fn a_transport_says_who_has_the_image() {
        check("docker://alpine", at(Transport::Registry, "alpine"));
        check("docker-daemon:app:1", at(Transport::Docker, "app:1"));
        check("podman:sha256:00", at(Transport::Podman, "sha256:00"));
        check("containers-storage:[vfs@/s]app", at(Transport::ContainersStorage, "[vfs@/s]app"));
        check("containerd:[k8s.io]app", at(Transport::Containerd, "[k8s.io]app"));
    }

    #[test]
    fn a_dash_is_standard_input() {
        check("-", Reference::Stdin { form: None, name: None });
        check("-:app:1", Reference::Stdin { form: None, name: some("app:1") });
        check("-:@1", Reference::Stdin { form: None, name: some("@1") });
        check("oci-archive:-", Reference::Stdin { form: Some(Form::Oci), name: None });
        let docker = Reference::Stdin { form: Some(Form::Docker), name: some("app:1") };
        check("docker-archive:-:app:1", docker);
        check(
            &format!("{ANY_ARCHIVE}-:app:1"),
            Reference::Stdin { form: None, name: some("app:1") },
        );
    }

    #[test]
    fn errors_name_what_is_missing() {
        for wrong in
            ["", "docker-archive:", "docker-archive:no.tar", "dir:no", "./no", "no.tar", "sftp:/x"]
        {
            assert!(parse(wrong).is_err(), "{wrong}");
        }
        let error = parse("oci:~/layout").unwrap_err().to_string();
        assert!(error.contains("`~` is not expanded"), "{error}");
    }
}
