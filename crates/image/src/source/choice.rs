//! Which of several images is meant: by name, by digest, by position, by platform.

use super::known_names;
use super::platform::Platform;
use crate::fault;
use inscan_facts::digest::BlobDigest;
use inscan_facts::error::{shown, usage};

/// What the user said about the image wanted. Nothing said: the only one, or the one for this machine.
#[derive(Clone, Debug, Default)]
pub struct Choice {
    /// A name, a tag, `sha256:…`, or a position `@0`.
    pub name: Option<String>,
    pub platform: Option<Platform>,
}

/// One image to choose from.
#[derive(Clone, Debug, Default)]
pub(super) struct Candidate {
    /// Full names and bare tags.
    pub(super) names: Vec<String>,
    /// Any digest it may be asked for by: manifest, index, configuration.
    pub(super) digests: Vec<BlobDigest>,
    pub(super) platform: Option<Platform>,
    /// Those that hang on one entry of the top-level index are one image for several platforms.
    pub(super) group: usize,
}

impl Choice {
    /// The candidates that carry the name asked for; all, where none was asked for.
    pub(super) fn by_name(&self, candidates: &[Candidate]) -> anyhow::Result<Vec<usize>> {
        let Some(name) = &self.name else {
            return Ok((0..candidates.len()).collect());
        };
        let text = name.strip_prefix('@').unwrap_or(name);
        // What is asked for by its digest cannot be another image, whatever it is called.
        let digest = name.rsplit_once('@').map_or(text, |(_, digest)| digest).parse::<BlobDigest>();
        let found: Vec<usize> = if let Ok(digest) = digest {
            matching(candidates, |candidate| candidate.digests.contains(&digest))
        } else if let (true, Ok(position)) = (name.starts_with('@'), text.parse::<usize>()) {
            if position < candidates.len() { vec![position] } else { vec![] }
        } else {
            // What is written exactly so comes before what merely means the same.
            let exact = matching(candidates, |candidate| candidate.names.contains(name));
            if exact.is_empty() {
                let wanted = familiar(name);
                matching(candidates, |c| c.names.iter().any(|name| familiar(name) == wanted))
            } else {
                exact
            }
        };
        if found.is_empty() {
            return Err(fault::not_found(format!(
                "there is no image `{}` in it; it holds {}",
                shown(name),
                listed(candidates)
            )));
        }
        Ok(found)
    }

    /// Puts the name that was asked for before the others: it is what the image is called. A bare
    /// tag and a position name nothing outside.
    pub(super) fn called(&self, names: &mut Vec<String>) {
        let is_name = |name: &&str| name.contains(['/', ':']);
        if let Some(asked) = self.name.as_deref().filter(is_name) {
            known_names::called(asked, names);
        }
    }

    /// Whether it was asked for by a digest.
    pub(super) fn is_by_digest(&self) -> bool {
        self.name
            .as_deref()
            .is_some_and(|name| name.contains("sha256:") || name.contains("sha512:"))
    }

    /// The one candidate for the platform asked for, or for this machine.
    pub(super) fn by_platform(&self, candidates: &[Candidate]) -> anyhow::Result<usize> {
        match candidates {
            [] => return Err(fault::no_image("there is no image in it")),
            [only] => return self.check_platform(only.platform.as_ref()).map(|()| 0),
            _ => {}
        }
        let wanted = self.platform.clone().unwrap_or_else(Platform::of_this_machine);
        let rank = |candidate: &Candidate| {
            let have = candidate.platform.as_ref().filter(|have| have.unknown_feature().is_none());
            have.and_then(|have| wanted.rank(have))
        };
        let best = candidates.iter().filter_map(rank).min();
        let Some(best) = best else {
            let fits = |have: &&Platform| wanted.rank(have).is_some();
            if let Some(have) = candidates.iter().filter_map(|it| it.platform.as_ref()).find(fits) {
                needs_no_feature(have)?;
            }
            let hint = if self.platform.is_some() { "" } else { "; choose one with `--platform`" };
            return Err(fault::no_platform(format!(
                "there is no image for {wanted} in it; there is {}{hint}",
                platforms(candidates)
            )));
        };
        let found = matching(candidates, |candidate| rank(candidate) == Some(best));
        let version = |index: usize| candidates[index].platform.as_ref().map(|it| &*it.version);
        // Several of one platform under one name are made for versions of Windows: the latest, and of
        // several with the same version the first, as containerd takes where none is asked for. (Docker on
        // Windows takes its host's, skopeo the first.) As texts, which it compares.
        let latest = |best, other| if version(other) > version(best) { other } else { best };
        let first = found.iter().copied().reduce(latest).unwrap_or_default();
        // Under several names it has to be said which.
        if found.iter().any(|&other| !same_image(&candidates[other], &candidates[first])) {
            return Err(usage(format!(
                "there are several images in it: {}; say which one with `:NAME` (or `:@0` for the first) behind the path",
                listed(candidates)
            )));
        }
        Ok(first)
    }

    /// An image that is alone in its place is taken for any machine, but not against what was asked for.
    pub(super) fn check_platform(&self, have: Option<&Platform>) -> anyhow::Result<()> {
        match (&self.platform, have) {
            (Some(wanted), Some(have)) if wanted.rank(have).is_none() => {
                Err(fault::no_platform(format!(
                    "the image is for {have}, not for {wanted}; leave `--platform` out, or ask for {have}"
                )))
            }
            _ => have.map_or(Ok(()), needs_no_feature),
        }
    }
}

/// An image for a special runtime has no files that could be read.
fn needs_no_feature(have: &Platform) -> anyhow::Result<()> {
    match have.unknown_feature() {
        None => Ok(()),
        Some(feature) => Err(fault::unsupported(format!(
            "the image for {have} is for machines that have `{}` (os.features), and what it holds is not known here; choose the ordinary image",
            shown(feature)
        ))),
    }
}

fn matching(candidates: &[Candidate], is_meant: impl Fn(&Candidate) -> bool) -> Vec<usize> {
    (0..candidates.len()).filter(|&index| is_meant(&candidates[index])).collect()
}

fn same_image(one: &Candidate, other: &Candidate) -> bool {
    one.group == other.group || one.names.iter().any(|name| other.names.contains(name))
}

/// A name as people write it: without the default registry, with the default tag.
pub(super) fn familiar(name: &str) -> String {
    let name =
        name.strip_prefix("docker.io/").or(name.strip_prefix("index.docker.io/")).unwrap_or(name);
    let name = name.strip_prefix("library/").unwrap_or(name);
    let last = name.rsplit('/').next().unwrap_or(name);
    if last.contains(':') || last.contains('@') {
        name.to_owned()
    } else {
        format!("{name}:latest")
    }
}

const MAX_LISTED: usize = 20;

fn listed(candidates: &[Candidate]) -> String {
    let label = |(index, candidate): (usize, &Candidate)| match candidate.names.first() {
        Some(name) => format!("`{}`", shown(name)),
        None => match candidate.digests.first() {
            Some(digest) => format!("`{digest}` (no name)"),
            None => format!("`@{index}` (no name)"),
        },
    };
    list(candidates.iter().enumerate().map(label).collect())
}

fn platforms(candidates: &[Candidate]) -> String {
    let mut all: Vec<&Platform> = candidates.iter().filter_map(|c| c.platform.as_ref()).collect();
    all.sort();
    all.dedup();
    list(all.into_iter().map(Platform::to_string).collect())
}

fn list(mut labels: Vec<String>) -> String {
    labels.dedup();
    let more = labels.len().saturating_sub(MAX_LISTED);
    labels.truncate(MAX_LISTED);
    match (labels.is_empty(), more) {
        (true, _) => "none".to_owned(),
        (false, 0) => labels.join(", "),
        (false, more) => format!("{} and {more} more", labels.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(names: &[&str]) -> Candidate {
        Candidate {
            names: names.iter().map(|&name| name.to_owned()).collect(),
            ..Candidate::default()
        }
    }

    fn for_platform(platform: &str) -> Candidate {
        Candidate { platform: Some(platform.parse().unwrap()), ..Candidate::default() }
    }

    fn choice(name: Option<&str>, platform: Option<&str>) -> Choice {
        Choice {
            name: name.map(str::to_owned),
            platform: platform.map(|text| text.parse().unwrap()),
        }
    }

    #[track_caller]
    fn check_name(name: &str, expected: &[usize]) {
        let candidates =
            [named(&["docker.io/library/alpine:3.14", "3.14"]), named(&["me/app:latest"])];
        let found = choice(Some(name), None).by_name(&candidates).unwrap_or_default();
        assert_eq!(found, expected, "{name}");
    }

    #[test]
    fn a_name_is_found_as_written_and_as_people_write_it() {
        check_name("docker.io/library/alpine:3.14", &[0]);
        check_name("alpine:3.14", &[0]);
        check_name("3.14", &[0]);
        check_name("me/app", &[1]);
        check_name("@1", &[1]);
        check_name("@2", &[]);
        check_name("alpine", &[]);
    }

    #[test]
    fn the_name_that_was_asked_for_comes_first() {
        let called = |asked: &str| {
            let mut names = ["base:1", "docker.io/team/app:2"].map(str::to_owned).to_vec();
            choice(Some(asked), None).called(&mut names);
            names[0].clone()
        };
        assert_eq!(called("docker.io/team/app:2"), "docker.io/team/app:2");
        assert_eq!(called("team/app:2"), "docker.io/team/app:2");
        assert_eq!(called("@0"), "base:1");
    }

    #[test]
    fn a_name_not_found_lists_what_is_there() {
        let error = choice(Some("x"), None).by_name(&[named(&["app:1"]), named(&[])]).unwrap_err();
        assert_eq!(
            error.to_string(),
            "there is no image `x` in it; it holds `app:1`, `@1` (no name)"
        );
    }

    #[test]
    fn a_platform_not_found_lists_what_is_there() {
        let candidates = [for_platform("linux/s390x"), for_platform("linux/arm/v6")];
        let error = choice(None, Some("linux/riscv64")).by_platform(&candidates).unwrap_err();
        assert_eq!(
            error.to_string(),
            "there is no image for linux/riscv64 in it; there is linux/arm/v6, linux/s390x"
        );
        assert_eq!(choice(None, Some("linux/arm")).by_platform(&candidates).unwrap(), 1);
    }

    #[test]
    fn an_image_that_needs_an_unknown_feature_is_not_taken() {
        let mut special = for_platform("linux/amd64");
        special.platform = special.platform.map(|it| it.with("", &["nydus.remoteimage.v1".into()]));
        let ordinary = for_platform("linux/amd64");
        let wanted = choice(None, Some("linux/amd64"));
        assert_eq!(wanted.by_platform(&[special.clone(), ordinary.clone()]).unwrap(), 1);
        assert_eq!(wanted.by_platform(&[ordinary, special.clone()]).unwrap(), 0);
        let other = for_platform("linux/s390x");
        for candidates in [vec![special.clone()], vec![special, other]] {
            let error = wanted.by_platform(&candidates).unwrap_err().to_string();
            assert!(error.contains("`nydus.remoteimage.v1`"), "{error}");
        }
    }

    #[test]
    fn of_several_windows_images_the_version_chooses() {
        let candidates = ["10.0.17763.1", "10.0.20348.1"]
            .map(|version| for_platform(&format!("windows/amd64:{version}")));
        let chosen = |platform| choice(None, Some(platform)).by_platform(&candidates).unwrap();
        assert_eq!(chosen("windows/amd64:10.0.20348"), 1);
        assert_eq!(chosen("windows/amd64:10.0.17763"), 0);
        assert_eq!(chosen("windows/amd64"), 1);
        let same = [for_platform("windows/amd64:10.0.1"), for_platform("windows/amd64:10.0.1")];
        assert_eq!(choice(None, Some("windows/amd64")).by_platform(&same).unwrap(), 0);
    }

    #[test]
    fn one_image_alone_is_taken_but_not_against_the_platform_asked_for() {
        let alone = [for_platform("linux/s390x")];
        assert_eq!(choice(None, None).by_platform(&alone).unwrap(), 0);
        assert!(choice(None, Some("linux/arm64")).by_platform(&alone).is_err());
    }
}
