//! The three questions an engine is asked: who it is, what an image is, and its archive.
//!
//! Docker: <https://docs.docker.com/reference/api/engine/>, podman:
//! <https://docs.podman.io/en/latest/_static/api.html>.

use std::io::Read;
use std::time::Duration;

use serde::Deserialize;

use super::Engine;
use super::body::Body;
use super::endpoint::Endpoint;
use crate::source::Platform;
use crate::source::documents;
use inscan_facts::digest::Digest;
use inscan_facts::error::{absent, broken, shown, usage};
use inscan_facts::json::{self, Form};
use inscan_net::{Cause, Http, Method, NetOptions, Request, Response, Url, header};

/// The largest answer but for archives; a few KiB are usual.
const MAX_ANSWER_BYTES: u64 = 8 << 20;
/// podman writes the whole archive into a file of its own before the first byte comes.
const ARCHIVE_STALL: Duration = Duration::from_secs(15 * 60);
const PODMAN_VERSION: header::HeaderName = header::HeaderName::from_static("libpod-api-version");

/// An engine that answers.
pub(super) struct Api {
    engine: Engine,
    /// For short answers, and for archives.
    short: Http,
    long: Http,
    /// With the API's version where it must be in the path.
    base: Url,
    place: String,
}

/// What the engine says of an image.
#[derive(Clone, Debug, Default)]
pub(super) struct Inspected {
    pub(super) id: String,
    pub(super) names: Vec<String>,
    /// `localhost/app@sha256:…`
    pub(super) digest_names: Vec<String>,
    /// podman says it; of Docker's digests nobody knows whether they are of a manifest or an index.
    pub(super) manifest_digest: Option<Digest>,
    pub(super) platform: Option<Platform>,
    /// Docker with containerd's content store.
    pub(super) has_descriptor: bool,
}

const TEXTS: Form = Form::List(&Form::Text);
const INSPECT_ANSWER: Form = Form::Object(&[
    ("Id", Form::Text),
    ("Digest", Form::Text),
    ("RepoTags", TEXTS),
    ("RepoDigests", TEXTS),
    ("Os", Form::Text),
    ("Architecture", Form::Text),
    ("Variant", Form::Text),
    ("Descriptor", Form::Any),
]);
const PROBLEM: Form = Form::Object(&[("message", Form::Text)]);

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
struct InspectAnswer {
    id: String,
    digest: String,
    repo_tags: Vec<String>,
    repo_digests: Vec<String>,
    os: String,
    architecture: String,
    variant: String,
    descriptor: Option<serde_json::Value>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Problem {
    message: String,
}

impl Api {
    pub(super) fn connect(
        engine: Engine,
        endpoint: &Endpoint,
        net: &NetOptions,
    ) -> anyhow::Result<Self> {
        let (short, mut base) = endpoint.http(net)?;
        let patient =
            NetOptions { stall_timeout: net.stall_timeout.max(ARCHIVE_STALL), ..net.clone() };
        let (long, _) = endpoint.http(&patient)?;
        let place = endpoint.place();
        if engine == Engine::Podman {
            let response = get(&short, &base, "_ping", &place)?;
            let version = response.headers().get(PODMAN_VERSION).and_then(|it| it.to_str().ok());
            let is_version = |text: &&str| {
                text.len() < 32
                    && text.chars().all(|c| c.is_ascii_alphanumeric() || ".-+".contains(c))
            };
            let version = version.filter(is_version).ok_or_else(|| {
                usage("what answers there is not podman; for Docker write docker-daemon:IMAGE")
            })?;
            // `4.3.1-dev` is not taken in a path.
            let version = version.split(['-', '+']).next().unwrap_or_default();
            base = base.join(&format!("v{version}/libpod/"))?;
        }
        Ok(Api { engine, short, long, base, place })
    }

    pub(super) fn inspect(&self, name: &str) -> anyhow::Result<Inspected> {
        let response = get(&self.short, &self.base, &format!("images/{name}/json"), &self.place)?;
        let response = successful(response, name)?;
        let bytes = response.bytes(MAX_ANSWER_BYTES)?;
        let answer: InspectAnswer =
            documents::parse_object(&bytes, &INSPECT_ANSWER, "the engine's answer")?;
        // Docker writes `sha256:`, podman does not.
        let id = answer.id.strip_prefix("sha256:").unwrap_or(&answer.id);
        let id = format!("sha256:{id}");
        if id.parse::<Digest>().is_err() {
            return Err(broken(format!("the engine answers with the image id `{}`", shown(&id))));
        }
        let no_none = |names: Vec<String>| {
            names.into_iter().filter(|name| !name.contains("<none>")).collect()
        };
        let known = !answer.os.is_empty() && !answer.architecture.is_empty();
        Ok(Inspected {
            id,
            names: no_none(answer.repo_tags),
            digest_names: no_none(answer.repo_digests),
            manifest_digest: answer.digest.parse().ok(),
            platform: known
                .then(|| Platform::new(&answer.os, &answer.architecture, &answer.variant)),
            has_descriptor: answer.descriptor.is_some(),
        })
    }

    /// The archive of an image, by its id: what a name leads to may change meanwhile.
    pub(super) fn export(&self, id: &str) -> anyhow::Result<Body<Response>> {
        let path = match self.engine {
            Engine::Docker => format!("images/get?names={id}"),
            Engine::Podman => {
                let id = id.strip_prefix("sha256:").unwrap_or(id);
                format!("images/{id}/get?format=docker-archive")
            }
        };
        let response = get(&self.long, &self.base, &path, &self.place)?;
        Ok(Body::new(successful(response, id)?, self.place.clone()))
    }
}

fn get(http: &Http, base: &Url, path: &str, place: &str) -> anyhow::Result<Response> {
    let url = base.join(path)?;
    http.send(Request::new(Method::GET, url)).map_err(|error| match error.cause {
        Cause::Refused => broken(format!("connection refused: nothing listens at {place}")),
        _ => broken(error.to_string()),
    })
}

/// The answer, or why there is none.
fn successful(response: Response, name: &str) -> anyhow::Result<Response> {
    let status = response.status();
    if status.is_success() {
        return Ok(response);
    }
    let mut text = Vec::new();
    // What cannot be read of an error is not there to be told.
    let _ = response.take(MAX_ANSWER_BYTES).read_to_end(&mut text);
    let message = json::parse::<Problem>(&text, &PROBLEM).unwrap_or_default().message;
    match (status.as_u16(), message.is_empty()) {
        (404, false) if !message.contains("page not found") => {
            Err(absent(format!("no such image `{}`", shown(name))))
        }
        (_, true) => {
            Err(broken(format!("it answers with status {status}: {}", shown(text.trim_ascii()))))
        }
        _ => Err(broken(format!("it answers with status {status}: {}", shown(&message)))),
    }
}
