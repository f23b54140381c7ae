//! Where a name leads: `registries.conf`, version 2, with its mirrors, other locations and
//! blocked hosts
//! (<https://github.com/containers/image/blob/main/docs/containers-registries.conf.5.md>).
//! Short names are not searched for in several registries: `app` is Docker Hub's, always.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use anyhow::Context;
use serde::Deserialize;

use super::name::{Name, completed};
use inscan_facts::error::{shown, usage};

/// One place to ask for an image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Endpoint {
    pub(super) host: String,
    pub(super) repository: String,
    /// Certificates are not verified, and plain http will do.
    pub(super) insecure: bool,
    /// It is what the name says, and not another place for it.
    pub(super) is_named: bool,
}

/// The configuration's files, in the order in which they are read. Later ones replace what
/// earlier ones say of the same prefix.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ConfigFiles {
    /// Passed over where it is not there, unless `named`.
    pub main: Option<PathBuf>,
    pub named: bool,
    /// Directories of more files, `*.conf`.
    pub drop_ins: Vec<PathBuf>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Config {
    registry: Vec<Registry>,
    registries: VersionOne,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
struct Registry {
    prefix: String,
    location: String,
    insecure: bool,
    blocked: bool,
    mirror: Vec<Mirror>,
    #[serde(rename = "mirror-by-digest-only")]
    mirror_by_digest_only: bool,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
struct Mirror {
    location: String,
    insecure: bool,
    /// `all`, `digest-only`, `tag-only`
    #[serde(rename = "pull-from-mirror")]
    pull_from_mirror: String,
}

/// The form given up in 2018.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct VersionOne {
    insecure: ListOne,
    block: ListOne,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct ListOne {
    registries: Vec<String>,
}

impl Config {
    pub(super) fn read(files: &ConfigFiles) -> anyhow::Result<Self> {
        let mut config = Config::default();
        if let Some(main) = &files.main {
            match fs::read_to_string(main) {
                Ok(text) => config.add(&text, main)?,
                Err(error) if error.kind() == io::ErrorKind::NotFound && !files.named => {}
                Err(error) => {
                    return Err(usage(format!("could not read `{}`: {error}", main.display())));
                }
            }
        }
        for directory in &files.drop_ins {
            let Ok(entries) = fs::read_dir(directory) else { continue };
            let mut paths: Vec<_> =
                entries.filter_map(|entry| entry.ok().map(|entry| entry.path())).collect();
            paths.retain(|path| path.extension().is_some_and(|it| it == "conf") && path.is_file());
            paths.sort();
            for path in paths {
                let text = fs::read_to_string(&path)
                    .with_context(|| format!("could not read `{}`", path.display()))?;
                config.add(&text, &path)?;
            }
        }
        Ok(config)
    }

    fn add(&mut self, text: &str, path: &Path) -> anyhow::Result<()> {
        let place = path.display();
        let added: Config = toml::from_str(text).map_err(|error: toml::de::Error| {
            let before = error.span().and_then(|span| text.get(..span.start)).unwrap_or_default();
            let line = before.matches('\n').count() + 1;
            usage(format!("`{place}`, line {line}: {}", error.message()))
        })?;
        let VersionOne { insecure, block } = &added.registries;
        if !insecure.registries.is_empty() || !block.registries.is_empty() {
            return Err(usage(format!(
                "`{place}` is of version 1, which is not supported: write `[[registry]]` with `location`, and `insecure` or `blocked`"
            )));
        }
        for mut registry in added.registry {
            if registry.prefix.is_empty() {
                registry.prefix.clone_from(&registry.location);
            }
            if registry.prefix.is_empty() {
                return Err(usage(format!(
                    "`{place}`: a `[[registry]]` has neither `prefix` nor `location`"
                )));
            }
            self.registry.retain(|earlier| earlier.prefix != registry.prefix);
            self.registry.push(registry);
        }
        Ok(())
    }

    /// Where to ask for an image, one after the other.
    pub(super) fn endpoints(&self, name: &Name) -> anyhow::Result<Vec<Endpoint>> {
        let full = format!("{}/{}", name.host, name.repository);
        let named = Endpoint {
            host: name.host.clone(),
            repository: name.repository.clone(),
            insecure: false,
            is_named: true,
        };
        let matching = self.registry.iter().filter(|registry| matches(&registry.prefix, &full));
        let Some(registry) = matching.max_by_key(|registry| registry.prefix.len()) else {
            return Ok(vec![named]);
        };
        if registry.blocked {
            return Err(usage(format!(
                "`{}` is blocked by the configuration (`prefix = \"{}\"` in registries.conf)",
                shown(&full),
                shown(&registry.prefix)
            )));
        }
        let by_digest = name.digest.is_some();
        let serves = |mirror: &&Mirror| match mirror.pull_from_mirror.as_str() {
            "digest-only" => by_digest,
            "tag-only" => !by_digest,
            _ => by_digest || !registry.mirror_by_digest_only,
        };
        let place = |location: &str, insecure: bool| {
            let moved = match registry.prefix.starts_with("*.") || location.is_empty() {
                true if location.is_empty() => full.clone(),
                // The pattern stands for the whole host.
                true => format!("{location}/{}", name.repository),
                false => {
                    format!("{location}{}", full.get(registry.prefix.len()..).unwrap_or_default())
                }
            };
            // Here the first part is a host, whatever it looks like.
            let (host, repository) = moved.split_once('/').unwrap_or((&moved, ""));
            let (host, repository) = completed(host, repository)
                .map_err(|why| usage(format!("`{}` in registries.conf: {why}", shown(location))))?;
            let is_named = host == name.host;
            Ok::<_, anyhow::Error>(Endpoint { host, repository, insecure, is_named })
        };
        let mut endpoints = Vec::new();
        for mirror in registry.mirror.iter().filter(serves) {
            endpoints.push(place(&mirror.location, mirror.insecure)?);
        }
        endpoints.push(place(&registry.location, registry.insecure)?);
        Ok(endpoints)
    }
}

/// A prefix ends where a part of the name does; `*.example.com` is any host below it.
fn matches(prefix: &str, full: &str) -> bool {
    if let Some(end) = prefix.strip_prefix('*').filter(|end| end.starts_with('.')) {
        let host = full.split('/').next().unwrap_or_default();
        return host.ends_with(end);
    }
    full.strip_prefix(prefix).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

#[cfg(test)]
mod tests {
    use super::*;

    const CONF: &str = r#"
unqualified-search-registries = ["registry.example"]

[[registry]]
prefix = "docker.io"
location = "docker.io"
[[registry.mirror]]
location = "mirror.example/hub"
[[registry.mirror]]
location = "localhost:5000"
insecure = true
pull-from-mirror = "digest-only"

[[registry]]
prefix = "docker.io/private"
location = "registry.example/moved"

[[registry]]
location = "bad.example"
blocked = true

[[registry]]
prefix = "*.corp.example"
location = "cache.example/corp"
"#;
    const DIGEST: &str = "@sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

    fn endpoints(name: &str) -> anyhow::Result<Vec<String>> {
        let mut config = Config::default();
        config.add(CONF, Path::new("registries.conf"))?;
        let endpoints = config.endpoints(&Name::parse(name)?)?;
        let text = |e: Endpoint| {
            let marks = [(e.insecure, " insecure"), (e.is_named, " named")];
            let marks = marks.iter().filter(|(is, _)| *is).map(|(_, mark)| *mark);
            format!("{}/{}{}", e.host, e.repository, marks.collect::<String>())
        };
        Ok(endpoints.into_iter().map(text).collect())
    }

    #[track_caller]
    fn check(name: &str, expected: &[&str]) {
        assert_eq!(endpoints(name).unwrap(), expected, "{name}");
    }

    #[test]
    fn mirrors_come_first_and_the_place_itself_last() {
        check("alpine", &["mirror.example/hub/library/alpine", "docker.io/library/alpine named"]);
        check(
            &format!("alpine{DIGEST}"),
            &[
                "mirror.example/hub/library/alpine",
                "localhost:5000/library/alpine insecure",
                "docker.io/library/alpine named",
            ],
        );
        check("other.example/app", &["other.example/app named"]);
    }

    #[test]
    fn the_longest_prefix_counts_and_ends_with_a_part() {
        check("docker.io/private/app", &["registry.example/moved/app"]);
        check(
            "docker.io/privates/app",
            &["mirror.example/hub/privates/app", "docker.io/privates/app named"],
        );
        check("a.corp.example/x/app", &["cache.example/corp/x/app"]);
        check("corp.example/app", &["corp.example/app named"]);
    }

    #[test]
    fn what_is_blocked_is_an_error() {
        let error = endpoints("bad.example/app").unwrap_err().to_string();
        assert!(error.contains("`bad.example/app` is blocked"), "{error}");
    }

    #[test]
    fn wrong_files_are_named_with_the_line() {
        let error = |text: &str| {
            let error = Config::default().add(text, Path::new("r.conf")).unwrap_err();
            error.to_string()
        };
        assert!(error("\n[[registry]]\nprefix = 1").starts_with("`r.conf`, line 3: "));
        assert!(error("[[registry]]\nblocked = true").contains("neither `prefix` nor"));
        assert!(error("[registries.block]\nregistries = ['a.b']").contains("version 1"));
        let search_only = "[registries.search]\nregistries = ['a.b']";
        assert!(Config::default().add(search_only, Path::new("r.conf")).is_ok());
    }

    #[test]
    fn a_later_file_replaces_what_an_earlier_one_says() {
        let directory = tempfile::tempdir().unwrap();
        let main = directory.path().join("registries.conf");
        let drop_ins = directory.path().join("registries.conf.d");
        fs::create_dir(&drop_ins).unwrap();
        fs::write(&main, "[[registry]]\nlocation = 'a.example'\nblocked = true").unwrap();
        fs::write(
            drop_ins.join("1.conf"),
            "[[registry]]\nprefix = 'a.example'\nlocation = 'b.example'",
        )
        .unwrap();
        fs::write(drop_ins.join("1.txt"), "not read").unwrap();
        let files = ConfigFiles { main: Some(main), named: true, drop_ins: vec![drop_ins] };
        let endpoints =
            Config::read(&files).unwrap().endpoints(&Name::parse("a.example/x").unwrap());
        assert_eq!(endpoints.unwrap()[0].host, "b.example");
        let missing = ConfigFiles { main: Some("/no/r.conf".into()), ..ConfigFiles::default() };
        assert!(Config::read(&missing).is_ok());
        assert!(Config::read(&ConfigFiles { named: true, ..missing }).is_err());
    }
}
