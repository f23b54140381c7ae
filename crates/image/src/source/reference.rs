//! What the user typed to name an image, and where it is then looked for.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use super::{Form, Place};
use inscan_facts::error::{shown, usage};

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
    At { place: Place, name: String },
    /// A name alone: where the image is, is found out.
    Name(String),
}

impl Reference {
    /// Understands what was typed. Looks at the file system to tell where a path ends
    /// and the name of an image in it starts: both may have colons.
    pub fn parse(text: &str) -> anyhow::Result<Self> {
        Self::parse_with(text, |path| path.exists())
    }

    fn parse_with(text: &str, exists: impl Fn(&Path) -> bool) -> anyhow::Result<Self> {
        let place = |rest: &str| match split(rest, &exists) {
            Some((path, _)) if path.as_os_str().is_empty() => {
                Err(usage(format!("there is no path in `{}`", shown(text))))
            }
            Some(found) => Ok(found),
            None => Err(missing(rest)),
        };
        let (transport, rest) = text.split_once(':').unwrap_or(("", text));
        match transport {
            "docker-archive" | "oci-archive" | "oci" if rest == "-" || rest.starts_with("-:") => {
                let form = if transport == "docker-archive" { Form::Docker } else { Form::Oci };
                Ok(Reference::Stdin {
                    form: Some(form),
                    name: rest.strip_prefix("-:").map(str::to_owned),
                })
            }
            "docker-archive" => {
                place(rest).map(|(file, name)| Reference::DockerArchive { file, name })
            }
            "oci-archive" => place(rest).map(|(file, name)| Reference::OciArchive { file, name }),
            "oci" | "oci-dir" => {
                place(rest).map(|(directory, name)| Reference::OciLayout { directory, name })
            }
            "dir" if exists(Path::new(rest)) => Ok(Reference::Directory(PathBuf::from(rest))),
            "dir" => Err(missing(rest)),
            "docker" if rest.starts_with("//") => Ok(at(Place::Registry, &rest[2..])),
            "registry" => Ok(at(Place::Registry, rest.trim_start_matches('/'))),
            "docker-daemon" => Ok(at(Place::Docker, rest)),
            "podman" => Ok(at(Place::Podman, rest)),
            "containers-storage" => Ok(at(Place::ContainersStorage, rest)),
            "containerd" => Ok(at(Place::Containerd, rest)),
            _ if text.is_empty() => Err(usage(
                "the image has no name: give a path, a name in a registry, or `-` for standard input",
            )),
            _ if text == "-" || text.starts_with("-:") => Ok(Reference::Stdin {
                form: None,
                name: text.strip_prefix("-:").map(str::to_owned),
            }),
            _ => match split(text, &exists) {
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

fn at(place: Place, name: &str) -> Reference {
    Reference::At { place, name: name.to_owned() }
}

/// Path and name of the image in it: the longest beginning that exists is the path.
fn split(text: &str, exists: &impl Fn(&Path) -> bool) -> Option<(PathBuf, Option<String>)> {
    let ends =
        text.char_indices().rev().filter(|(_, char)| matches!(char, ':' | '@')).map(|(at, _)| at);
    for end in std::iter::once(text.len()).chain(ends) {
        let path = Path::new(OsStr::from_bytes(&text.as_bytes()[..end]));
        if exists(path) {
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
    usage(format!(
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

    const FILES: [&str; 4] = ["image.tar", "a:b.tar", "layout", "layout:1"];

    fn parse(text: &str) -> anyhow::Result<Reference> {
        Reference::parse_with(text, |path| FILES.iter().any(|file| path == Path::new(file)))
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
        check("layout:app", Reference::Path { path: "layout".into(), name: some("app") });
        check("alpine:3.10", Reference::Name("alpine:3.10".to_owned()));
        check("localhost:5000/app", Reference::Name("localhost:5000/app".to_owned()));
    }

    #[test]
    fn a_transport_says_who_has_the_image() {
        check("docker://alpine", at(Place::Registry, "alpine"));
        check("docker-daemon:app:1", at(Place::Docker, "app:1"));
        check("podman:sha256:00", at(Place::Podman, "sha256:00"));
        check("containers-storage:[vfs@/s]app", at(Place::ContainersStorage, "[vfs@/s]app"));
        check("containerd:[k8s.io]app", at(Place::Containerd, "[k8s.io]app"));
    }

    #[test]
    fn a_dash_is_standard_input() {
        check("-", Reference::Stdin { form: None, name: None });
        check("-:app:1", Reference::Stdin { form: None, name: some("app:1") });
        check("oci-archive:-", Reference::Stdin { form: Some(Form::Oci), name: None });
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
