//! Images in a running engine: Docker, podman, and what answers as one of them.
//! The engine writes an archive, as `docker save` does, and it is analyzed while it
//! comes: it is neither stored nor in memory as a whole.

mod api;
mod body;
mod docker_context;
mod endpoint;

use super::choice::Choice;
use super::{Image, Kind, OpenOptions, Opened, Platform, Stream, kind_of};
use crate::fault;
use api::{Api, Inspected};
use endpoint::Endpoint;
use inscan_facts::digest::Digest;
use inscan_facts::error::{absent, broken, shown, usage};

/// Which API is spoken, and where it is looked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Engine {
    Docker,
    Podman,
}

impl Engine {
    pub(super) fn transport(self) -> &'static str {
        match self {
            Engine::Docker => "docker-daemon",
            Engine::Podman => "podman",
        }
    }

    /// What to do where it does not listen.
    fn to_start(self) -> &'static str {
        match self {
            Engine::Docker => "start it, or say with DOCKER_HOST where it listens",
            Engine::Podman => {
                "start it (systemctl --user start podman.socket), or read its storage: containers-storage:IMAGE"
            }
        }
    }
}

/// Opens an image at the first place that has it.
pub(super) fn open(engine: Engine, name: &str, options: &OpenOptions) -> anyhow::Result<Opened> {
    check_name(name)?;
    let mut reasons = Vec::new();
    for endpoint in endpoint::all(engine, name, &options.environment)? {
        match open_at(engine, &endpoint, name, options) {
            Ok(opened) => return Ok(opened),
            Err(error) => reasons.push((endpoint, error)),
        }
    }
    Err(none_of(engine, reasons))
}

fn open_at(
    engine: Engine,
    endpoint: &Endpoint,
    name: &str,
    options: &OpenOptions,
) -> anyhow::Result<Opened> {
    endpoint.check()?;
    let api = Api::connect(engine, endpoint, &options.net)?;
    let inspected = api.inspect(name)?;
    inspected.check_platform(options.platform.as_ref())?;
    let reader = api.export(&inspected.id)?;
    let choice = Choice { name: None, platform: options.platform.clone() };
    let source = format!("{}:{}", engine.transport(), shown(name));
    let mut stream = Stream::new(source, Box::new(reader), choice);
    stream.engine = Some(inspected.facts(name));
    Ok(Opened::Stream(stream))
}

/// One reason stands alone; several are told with their places. Sockets that are not there
/// explain nothing where there is another one.
fn none_of(engine: Engine, reasons: Vec<(Endpoint, anyhow::Error)>) -> anyhow::Error {
    let (missing, mut asked): (Vec<_>, Vec<_>) =
        reasons.into_iter().partition(|(endpoint, _)| endpoint.is_missing());
    match asked.len() {
        0 => {
            let places: Vec<String> = missing.iter().map(|(it, _)| it.to_string()).collect();
            absent(format!("there is no socket: {}; {}", places.join(", "), engine.to_start()))
        }
        1 => {
            let (endpoint, error) = asked.remove(0);
            error.context(endpoint.to_string())
        }
        _ => {
            let all_absent = asked.iter().all(|(_, error)| kind_of(error) == Kind::Absent);
            let told: Vec<String> =
                asked.iter().map(|(endpoint, error)| format!("{endpoint}: {error:#}")).collect();
            if all_absent { absent(told.join("; ")) } else { broken(told.join("; ")) }
        }
    }
}

/// What goes into an address must be no more than a name.
fn check_name(name: &str) -> anyhow::Result<()> {
    let fine = |c: char| c.is_ascii_alphanumeric() || "._-:/@+".contains(c);
    let parts_fine = name.split('/').all(|part| !matches!(part, "" | "." | ".."));
    if name.is_empty() || name.len() > 1024 || !name.chars().all(fine) || !parts_fine {
        return Err(usage(format!("`{}` is not a name or id of an image", shown(name))));
    }
    Ok(())
}

/// What the engine knows of the image and its archive does not say.
#[derive(Clone, Debug, Default)]
pub(super) struct EngineFacts {
    /// Digest of the configuration; or, of newer Dockers, of manifest or index.
    id: Option<Digest>,
    /// The one asked for first.
    names: Vec<String>,
    manifest_digest: Option<Digest>,
    /// The id is the configuration's, and nothing else.
    id_is_config: bool,
}

impl EngineFacts {
    /// Completes an image as read from the archive.
    pub(super) fn complete(self, image: &mut Image) -> anyhow::Result<()> {
        if let Some(id) = self.id.filter(|id| self.id_is_config && *id != image.config_digest) {
            return Err(fault::changed(format!(
                "the engine was asked for the image {id}, and sent {}",
                image.config_digest
            )));
        }
        if !self.names.is_empty() {
            image.names = self.names;
        }
        if let Some(digest) = self.manifest_digest {
            image.manifest_digest = digest;
        }
        Ok(())
    }
}

impl Inspected {
    fn facts(&self, asked: &str) -> EngineFacts {
        let mut names = [&*self.names, &*self.digest_names].concat();
        super::known_names::called(asked, &mut names);
        EngineFacts {
            id: self.id.parse().ok(),
            names,
            manifest_digest: self.manifest_digest,
            id_is_config: !self.has_descriptor,
        }
    }

    fn check_platform(&self, wanted: Option<&Platform>) -> anyhow::Result<()> {
        // With a content store an image may be for several platforms: its archive tells.
        if self.has_descriptor {
            return Ok(());
        }
        let choice = Choice { name: None, platform: wanted.cloned() };
        choice.check_platform(self.platform.as_ref())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_names_and_ids_go_into_an_address() {
        for fine in ["app", "app:1", "localhost:5000/a/b:1", "a@sha256:00", "sha256:00", "0123ab"] {
            assert!(check_name(fine).is_ok(), "{fine}");
        }
        for wrong in
            ["", "a b", "a?b", "../version", "a//b", "a/../../info", "a%2fb", "a#", "\u{e4}"]
        {
            assert!(check_name(wrong).is_err(), "{wrong}");
        }
    }
}
