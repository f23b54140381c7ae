//! What the image is called: the legacy scanner's rules, without what they get wrong
//! (COMPATIBILITY.md has the list).

use super::options::Storage;

const DOCKER_IO: &str = "docker.io";

/// The name it is asked for by: with a tag or a digest.
pub(super) fn asked_for(typed: &str) -> String {
    match typed.contains('@') || tag(typed).is_some() {
        true => typed.to_owned(),
        false => format!("{typed}:latest"),
    }
}

/// Registry and repository, as Docker completes them: `alpine` is `docker.io/library/alpine`.
pub(super) fn full_image(typed: &str) -> String {
    let (registry, repository) = registry_and_rest(without_digest(typed));
    let repository = match tag(repository) {
        Some(tag) => &repository[..repository.len() - tag.len() - 1],
        None => repository,
    };
    match registry == DOCKER_IO && !repository.contains('/') {
        true => format!("{DOCKER_IO}/library/{repository}"),
        false => format!("{registry}/{repository}"),
    }
}

/// The name it is kept under at the backend: `alpine` is `docker.io/alpine:latest` from a registry,
/// and `localbuild/alpine:latest` from anywhere else.
pub(super) fn full_tag(typed: &str, storage: &Storage) -> String {
    let name = without_digest(typed);
    let name = match tag(name) {
        Some(_) => name.to_owned(),
        None => format!("{name}:latest"),
    };
    if *storage != Storage::Registry {
        return match name.starts_with("localbuild/") {
            true => name,
            false => format!("localbuild/{name}"),
        };
    }
    match registry_and_rest(&name) {
        (DOCKER_IO, rest) => format!("{DOCKER_IO}/{rest}"),
        _ => name,
    }
}

fn without_digest(typed: &str) -> &str {
    typed.split_once('@').map_or(typed, |(name, _)| name)
}

/// A colon before the last slash belongs to a port.
fn tag(name: &str) -> Option<&str> {
    name.rsplit_once(':').map(|(_, tag)| tag).filter(|tag| !tag.contains('/'))
}

/// <https://github.com/distribution/reference/blob/main/normalize.go>
fn registry_and_rest(name: &str) -> (&str, &str) {
    match name.split_once('/') {
        Some(("index.docker.io", rest)) => (DOCKER_IO, rest),
        Some((host, rest)) if host == "localhost" || host.contains(['.', ':']) => (host, rest),
        _ => (DOCKER_IO, name),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_completed() {
        let digest = "sha256:00";
        for (typed, asked, image, remote, local) in [
            (
                "alpine",
                "alpine:latest",
                "docker.io/library/alpine",
                "docker.io/alpine:latest",
                "localbuild/alpine:latest",
            ),
            (
                "alpine:3.10.3",
                "alpine:3.10.3",
                "docker.io/library/alpine",
                "docker.io/alpine:3.10.3",
                "localbuild/alpine:3.10.3",
            ),
            (
                "docker.io/busybox",
                "docker.io/busybox:latest",
                "docker.io/library/busybox",
                "docker.io/busybox:latest",
                "localbuild/docker.io/busybox:latest",
            ),
            (
                "org/app:1",
                "org/app:1",
                "docker.io/org/app",
                "docker.io/org/app:1",
                "localbuild/org/app:1",
            ),
            (
                "quay.io/org/app:1",
                "quay.io/org/app:1",
                "quay.io/org/app",
                "quay.io/org/app:1",
                "localbuild/quay.io/org/app:1",
            ),
            // For the legacy scanner the port is a tag.
            (
                "host:5000/img",
                "host:5000/img:latest",
                "host:5000/img",
                "host:5000/img:latest",
                "localbuild/host:5000/img:latest",
            ),
            (
                "localbuild/a:1",
                "localbuild/a:1",
                "docker.io/localbuild/a",
                "docker.io/localbuild/a:1",
                "localbuild/a:1",
            ),
            (
                "index.docker.io/library/alpine:3",
                "index.docker.io/library/alpine:3",
                "docker.io/library/alpine",
                "docker.io/library/alpine:3",
                "localbuild/index.docker.io/library/alpine:3",
            ),
            // `docker.io` is a name, not the beginning of one.
            (
                "docker.iox/a:1",
                "docker.iox/a:1",
                "docker.iox/a",
                "docker.iox/a:1",
                "localbuild/docker.iox/a:1",
            ),
        ] {
            assert_eq!(asked_for(typed), asked);
            assert_eq!(full_image(typed), image);
            assert_eq!(full_tag(typed, &Storage::Registry), remote);
            assert_eq!(full_tag(typed, &Storage::DockerDaemon), local);
            assert_eq!(full_image(&format!("{typed}@{digest}")), image);
            assert_eq!(full_tag(&format!("{typed}@{digest}"), &Storage::Registry), remote);
            let with_digest = format!("{typed}@{digest}");
            assert_eq!(asked_for(&with_digest), with_digest);
        }
    }
}
