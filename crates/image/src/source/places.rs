//! Where an image is looked for whose name says no place, and what is said where
//! it is nowhere: each place with its reason.

use std::fmt;

use super::choice::Choice;
use super::engine::{self, Engine};
use super::{Kind, OpenOptions, Opened, containerd, containers_storage, kind_of, registry};
use crate::progress::Progress;
use inscan_facts::error::shown;

/// Who may have an image by its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transport {
    Docker,
    Podman,
    ContainersStorage,
    Containerd,
    Registry,
}

impl Transport {
    /// What is on this machine comes first: it is what was built or pulled last, and is there at once.
    const ORDER: [Transport; 5] = [
        Transport::Docker,
        Transport::Podman,
        Transport::ContainersStorage,
        Transport::Containerd,
        Transport::Registry,
    ];

    /// What names it before an image.
    pub fn prefix(self) -> &'static str {
        match self {
            Transport::Docker => "docker-daemon:",
            Transport::Podman => "podman:",
            Transport::ContainersStorage => "containers-storage:",
            Transport::Containerd => "containerd:",
            Transport::Registry => "docker://",
        }
    }

    /// `podman:v5` may be an image called podman as well, and its tag.
    pub(super) fn as_image(self, name: &str) -> Option<String> {
        let is_tag = !name.contains(['/', ':', '@']);
        let may_be = matches!(self, Transport::Podman | Transport::Containerd) && is_tag;
        let image = format!("{}{name}", self.prefix());
        (may_be && inscan_net::registry::is_name(&image)).then_some(image)
    }

    fn name(self) -> &'static str {
        match self {
            Transport::Docker => "docker",
            Transport::Podman => "podman",
            Transport::ContainersStorage => "containers-storage",
            Transport::Containerd => "containerd",
            Transport::Registry => "registry",
        }
    }
}

/// Opens an image at one place.
pub(super) fn open_at(
    place: Transport,
    name: &str,
    options: &OpenOptions,
) -> anyhow::Result<Opened> {
    match place {
        Transport::Docker => engine::open(Engine::Docker, name, options),
        Transport::Podman => engine::open(Engine::Podman, name, options),
        Transport::ContainersStorage => containers_storage::open(name, options),
        Transport::Containerd => containerd::open(name, options),
        Transport::Registry => {
            let choice = Choice { name: None, platform: options.platform.clone() };
            let (image, registry) = registry::open(name, &choice, &options.net, &options.registry)?;
            Ok(Opened::Image { image, blobs: Box::new(registry) })
        }
    }
}

/// Opens an image at the first place that has it. A place that could not be asked may have
/// had it, and another image of the name: `progress` is told.
pub(super) fn open(
    name: &str,
    options: &OpenOptions,
    progress: &dyn Progress,
) -> anyhow::Result<Opened> {
    let mut tries = Vec::new();
    for place in Transport::ORDER {
        if place == Transport::Registry && options.net.offline {
            tries.push(Try {
                place,
                kind: Kind::Absent,
                reason: "not tried: --offline".to_owned(),
            });
            continue;
        }
        match open_at(place, name, options) {
            Ok(opened) => {
                for Try { place: other, reason, .. } in
                    tries.iter().filter(|it| it.kind != Kind::Absent)
                {
                    progress.note(&format!(
                        "`{}` is read from {}; could not ask {}: {reason}",
                        shown(name),
                        place.name(),
                        other.name()
                    ));
                }
                return Ok(opened);
            }
            Err(error) => {
                let (kind, reason) = (kind_of(&error), format!("{error:#}"));
                tries.push(Try { place, kind, reason });
            }
        }
    }
    Err(NotFound { name: name.to_owned(), tries }.into())
}

/// One place, and why the image did not come from there.
#[derive(Debug)]
struct Try {
    place: Transport,
    kind: Kind,
    reason: String,
}

/// An image that none of the places gave.
#[derive(Debug)]
pub struct NotFound {
    name: String,
    tries: Vec<Try>,
}

impl NotFound {
    /// Each place on a line of its own, with its reason.
    pub fn lines(&self) -> Vec<String> {
        let width = self.tries.iter().map(|it| it.place.name().len()).max().unwrap_or(0);
        let line = |it: &Try| format!("{:width$}  {}", it.place.name(), it.reason);
        self.tries.iter().map(line).collect()
    }

    /// How to name one place.
    pub fn hint(&self) -> String {
        let name = shown(&self.name);
        let named = Transport::ORDER.iter().map(|place| format!("{}{name}", place.prefix()));
        format!("to name one place: {}", named.collect::<Vec<_>>().join(", "))
    }

    pub(super) fn kind(&self) -> Kind {
        match self.tries.iter().any(|it| it.kind == Kind::Broken) {
            true => Kind::Broken,
            false => Kind::Usage,
        }
    }
}

impl fmt::Display for NotFound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the image `{}` was not found:", shown(&self.name))
    }
}

impl std::error::Error for NotFound {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_begins_as_a_transport_may_be_an_image_and_its_tag() {
        assert_eq!(Transport::Podman.as_image("v5").unwrap(), "podman:v5");
        assert_eq!(Transport::Containerd.as_image("1.7").unwrap(), "containerd:1.7");
        for name in ["app:1", "team/app", "[k8s.io]app", "app@sha256:00", ""] {
            assert_eq!(Transport::Containerd.as_image(name), None, "{name}");
        }
        assert_eq!(Transport::Docker.as_image("1"), None);
    }
}
