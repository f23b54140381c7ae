//! Finding an image among those that an engine has stored, by what people type
//! for it: a name with or without registry and tag, a digest, an id or its beginning.

use inscan_document::identity::split_tag;
use inscan_facts::digest::Digest;
use inscan_facts::error::{absent, shown, usage};

use super::choice::familiar;

/// The default tag, as every engine has it.
const LATEST: &str = "latest";
/// Fewer digits of an id would as well be a name.
const SHORTEST_ID: usize = 3;
const MAX_LISTED: usize = 8;

/// A stored image.
#[derive(Clone, Debug, Default)]
pub(super) struct StoredImage {
    /// Full: `docker.io/library/alpine:3.20`, `localhost/app@sha256:…`.
    pub(super) names: Vec<String>,
    /// All it may be asked for by: of its manifest, of its index, of its configuration.
    pub(super) digests: Vec<Digest>,
}

/// The image that is meant. `None`: it is not there. An error, where several are meant.
pub(super) fn find(wanted: &str, images: &[StoredImage]) -> anyhow::Result<Option<usize>> {
    let ranked =
        images.iter().enumerate().filter_map(|(at, image)| Some((rank(wanted, image)?, at)));
    let ranked: Vec<_> = ranked.collect();
    let Some(best) = ranked.iter().map(|(rank, _)| *rank).min() else { return Ok(None) };
    let mut found: Vec<usize> =
        ranked.iter().filter(|(rank, _)| *rank == best).map(|&(_, at)| at).collect();
    match (found.len(), found.pop()) {
        (1, only) => Ok(only),
        (_, Some(last)) => {
            found.push(last);
            let names: Vec<String> = found.iter().map(|&at| label(&images[at])).collect();
            Err(usage(format!(
                "`{}` may be several images: {}; give more of the name",
                shown(wanted),
                listed(&names)
            )))
        }
        (_, None) => Ok(None),
    }
}

/// What to say where nothing is found: what there is.
pub(super) fn not_there(wanted: &str, images: &[StoredImage]) -> anyhow::Error {
    let names: Vec<String> = images.iter().map(label).collect();
    let listed = if names.is_empty() { "none".to_owned() } else { listed(&names) };
    absent(format!("there is no image `{}` in it; it holds {listed}", shown(wanted)))
}

/// Whether a stored name is the one that was asked for, in a form that people type.
pub(super) fn means(wanted: &str, stored: &str) -> bool {
    name_rank(wanted, stored).is_some() || familiar(wanted) == familiar(stored)
}

/// Puts the name that was asked for before the others: it is what the image is called. What was
/// asked for by its digest is called so, or by a name of the same repository; and a name with its
/// registry is whole, also where a store leaves the registry out.
pub(super) fn called(wanted: &str, names: &mut Vec<String>) {
    let repository =
        wanted.split_once('@').map(|(name, _)| split_tag(name).0).filter(|name| !name.is_empty());
    let is_of = |name: &str| repository.is_some_and(|it| means(it, split_tag(name).0));
    names.sort_by_key(|name| (!means(wanted, name), !is_of(name)));
    let found = names.first().is_some_and(|name| means(wanted, name) || is_of(name));
    let is_whole = has_registry(wanted) && names.first().is_some_and(|name| !has_registry(name));
    if repository.is_some() && !found || found && is_whole {
        names.insert(0, with_tag(wanted));
    }
}

fn label(image: &StoredImage) -> String {
    match (image.names.first(), image.digests.first()) {
        (Some(name), _) => format!("`{}`", shown(name)),
        (None, Some(digest)) => format!("`{digest}`"),
        (None, None) => "one without a name".to_owned(),
    }
}

fn listed(names: &[String]) -> String {
    let more = names.len().saturating_sub(MAX_LISTED);
    let first = &names[..names.len() - more];
    match more {
        0 => first.join(", "),
        _ => format!("{} and {more} more", first.join(", ")),
    }
}

/// How near an image is to what was asked for: the least is nearest.
fn rank(wanted: &str, image: &StoredImage) -> Option<usize> {
    let (name, digest) = match wanted.rsplit_once('@') {
        Some((name, digest)) => (name, Some(digest)),
        None if wanted.starts_with("sha256:") => ("", Some(wanted)),
        None => (wanted, None),
    };
    if let Some(digest) = digest {
        // What is asked for by its digest cannot be another image, whatever it is called.
        let digest: Digest = match digest.starts_with("sha256:") {
            true => digest.parse().ok()?,
            false => format!("sha256:{digest}").parse().ok()?,
        };
        return image.digests.contains(&digest).then_some(0);
    }
    let by_name = image.names.iter().filter_map(|stored| name_rank(name, stored)).min();
    by_name.or_else(|| {
        let is_id = name.len() >= SHORTEST_ID && name.bytes().all(|b| b.is_ascii_hexdigit());
        let begins = |digest: &Digest| digest.hex().starts_with(&name.to_ascii_lowercase());
        (is_id && image.digests.iter().any(begins)).then_some(100)
    })
}

/// A short name may be completed in several ways; podman and Docker have these.
fn name_rank(wanted: &str, stored: &str) -> Option<usize> {
    let wanted = with_tag(wanted);
    let forms = [
        wanted.clone(),
        format!("localhost/{wanted}"),
        format!("docker.io/library/{wanted}"),
        format!("docker.io/{wanted}"),
    ];
    let stored = with_tag(stored);
    let exact = forms.iter().position(|form| *form == stored);
    // `fedora` is also `registry.fedoraproject.org/fedora`: the end of a name from any registry.
    exact.or_else(|| {
        let before = stored.strip_suffix(&wanted)?;
        (before.ends_with('/') && !has_registry(&wanted)).then_some(forms.len())
    })
}

/// True for `localhost:5000/app`, `quay.io/app`; not for `team/app`.
fn has_registry(name: &str) -> bool {
    name.split_once('/').is_some_and(|(host, _)| host == "localhost" || host.contains(['.', ':']))
}

fn with_tag(name: &str) -> String {
    let last = name.rsplit('/').next().unwrap_or(name);
    if last.contains([':', '@']) { name.to_owned() } else { format!("{name}:{LATEST}") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use inscan_facts::digest::Sha256;

    fn images() -> Vec<StoredImage> {
        let image = |names: &[&str], content: &[u8]| StoredImage {
            names: names.iter().map(|&name| name.to_owned()).collect(),
            digests: vec![Sha256::of(content)],
        };
        vec![
            image(&["docker.io/library/alpine:3.20", "docker.io/library/alpine:latest"], b"0"),
            image(&["localhost/app:1"], b"1"),
            image(&["quay.io/team/app:1", "quay.io/team/tool:2"], b"2"),
            image(&[], b"3"),
            image(&["one.example/same:1"], b"4"),
            image(&["two.example/same:1"], b"5"),
        ]
    }

    #[track_caller]
    fn check(wanted: &str, expected: Option<usize>) {
        assert_eq!(find(wanted, &images()).unwrap(), expected, "{wanted}");
    }

    #[test]
    fn names_are_found_in_every_form_that_engines_understand() {
        check("docker.io/library/alpine:3.20", Some(0));
        check("library/alpine:3.20", Some(0));
        check("alpine", Some(0));
        check("alpine:3.19", None);
        check("app:1", Some(1));
        check("localhost/app:1", Some(1));
        check("team/app:1", Some(2));
        check("tool:2", Some(2));
        check("quay.io/app:1", None);
        check("localhost/tool:2", None);
    }

    #[test]
    fn an_image_is_called_by_the_name_that_was_asked_for() {
        let digest = Sha256::of(b"");
        for (wanted, expected) in [
            ("team/app:2", "docker.io/team/app:2"),
            ("docker.io/team/app:2", "docker.io/team/app:2"),
            ("docker.io/me/tool", "docker.io/me/tool:latest"),
            ("me/tool", "me/tool:latest"),
            ("0123ab", "docker.io/base:1"),
            (&format!("team/app@{digest}"), "docker.io/team/app:2"),
            (&format!("quay.io/a@{digest}"), &format!("quay.io/a@{digest}")),
            (&format!("@{digest}"), "docker.io/base:1"),
        ] {
            let names = ["docker.io/base:1", "docker.io/team/app:2", "me/tool:latest"];
            let mut names = names.map(str::to_owned).to_vec();
            called(wanted, &mut names);
            assert_eq!(names[0], expected, "{wanted}");
        }
    }

    #[test]
    fn digests_and_the_beginning_of_an_id_are_found() {
        let digest = Sha256::of(b"3");
        check(&digest.to_string(), Some(3));
        check(&format!("whatever@{digest}"), Some(3));
        check(&format!("@{}", digest.hex()), Some(3));
        check(&digest.hex()[..12], Some(3));
        check(&digest.hex()[..2], None);
        check("app@sha256:00", None);
    }

    #[test]
    fn what_may_be_two_images_is_refused() {
        let error = find("same:1", &images()).unwrap_err().to_string();
        assert!(error.contains("one.example/same:1`, `two.example/same:1"), "{error}");
    }
}
