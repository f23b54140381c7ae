//! Images in registries, read without being stored: the manifest that is asked for stands as the
//! index of a layout, whose documents are fetched when they are needed and whose layers stream
//! into whoever reads them.
//!
//! The client is our own, on the connections of [`crate::net`]. The crates there are
//! (`oci-client` 0.18 is the best kept) know no client certificates, no identity tokens, no
//! mirrors and no retries, follow addresses that a manifest names, and build another client
//! than was asked for where one cannot be built. What is left of the protocol are two GETs
//! (<https://github.com/opencontainers/distribution-spec/blob/main/spec.md#pull>).

pub mod artifact;
mod blob;
mod challenge;
mod credentials;
mod failure;
mod helper;
mod mirrors;
mod name;
mod session;
mod token;

use std::collections::HashMap;
use std::io::Read;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde_json::json;

use super::documents::{self, Documents, MOST_DOCUMENT_BYTES, blob_name, digest_of, too_large};
use super::error::{broken, shown, usage};
use super::manifest::{Descriptor, Manifest};
use super::{Blobs, Choice, Image, LayerRef, oci_layout};
use crate::digest::Digest;
use crate::net::{
    Answer, HeaderMap, HeaderValue, Http, Method, NetOptions, Request, Retry, Url, header,
};

use blob::BlobReader;
pub use credentials::{AuthFile, Credential};
use failure::Failed;
pub use mirrors::ConfigFiles;
use mirrors::{Config, Endpoint};
use name::Name;
use session::Session;

/// What the user and their machine say about registries.
#[derive(Clone, Debug)]
pub struct RegistryOptions {
    /// Said on the command line: for the registry that the name names, and no mirror.
    pub login: Option<Credential>,
    /// Files of `docker login` and `podman login`, in the order they are looked into.
    pub auth_files: Vec<AuthFile>,
    /// How long a credential helper may take: one that opens a window waits for a person.
    pub helper_patience: Duration,
    /// `registries.conf`: mirrors, other locations, blocked hosts.
    pub config: ConfigFiles,
    /// Fetch layers from the addresses that a manifest names, where the registry has them not.
    pub allow_foreign_layers: bool,
    /// The registry that the name names, and no mirror, is asked as one that is configured as insecure.
    pub insecure: bool,
}

impl Default for RegistryOptions {
    fn default() -> Self {
        RegistryOptions {
            login: None,
            auth_files: Vec::new(),
            helper_patience: Duration::from_secs(30),
            config: ConfigFiles::default(),
            allow_foreign_layers: false,
            insecure: false,
        }
    }
}

/// What manifests are understood; of schema 1 enough to say what it is.
const ACCEPT: &str = "application/vnd.oci.image.index.v1+json, \
    application/vnd.oci.image.manifest.v1+json, \
    application/vnd.docker.distribution.manifest.list.v2+json, \
    application/vnd.docker.distribution.manifest.v2+json, \
    application/vnd.docker.distribution.manifest.v1+prettyjws;q=0.1";
const DIGEST_HEADER: &str = "docker-content-digest";
/// Where there is another place to ask, one is not asked long.
const ATTEMPTS_AT_MIRROR: u32 = 2;

/// One image's registry, and the other places that have the image.
pub(super) struct Registry {
    sessions: Vec<Session>,
    /// The first of them that had the manifest: what comes before it is not asked again.
    first: usize,
    http: Http,
    allow_foreign_layers: bool,
    known: Mutex<Known>,
}

/// What the manifests read so far say.
#[derive(Default)]
struct Known {
    /// Documents that were read, by their names in a layout.
    documents: HashMap<String, Vec<u8>>,
    blobs: HashMap<String, Described>,
}

/// A blob or manifest that something refers to.
#[derive(Clone)]
struct Described {
    size: Option<u64>,
    is_manifest: bool,
    /// Where else it is said to be.
    urls: Vec<String>,
}

/// Reads everything of an image but its layers.
pub(super) fn open(
    name: &str,
    choice: &Choice,
    net: &NetOptions,
    options: &RegistryOptions,
) -> anyhow::Result<(Image, Registry)> {
    let name = Name::parse(name)?;
    let registry = find(&name, net, options)?;
    let image = oci_layout::read(&registry, choice, &format!("docker://{name}"))?;
    Ok((image, registry))
}

/// Asks one place after the other for the manifest.
fn find(name: &Name, net: &NetOptions, options: &RegistryOptions) -> anyhow::Result<Registry> {
    let http = Http::new(net);
    let endpoints = Config::read(&options.config)?.endpoints(name)?;
    let session = |mut endpoint: Endpoint| {
        endpoint.insecure |= options.insecure && endpoint.is_named;
        Session::new(endpoint, &http, options)
    };
    let sessions: Vec<Session> = endpoints.into_iter().map(session).collect();
    let mut failures = Vec::new();
    for (position, session) in sessions.iter().enumerate() {
        let mut retry = net.retry.clone();
        if position + 1 < sessions.len() {
            retry.attempts = retry.attempts.min(ATTEMPTS_AT_MIRROR);
        }
        match patiently(&retry, session, || top_manifest(session, name)) {
            Ok(manifest) => {
                let allow_foreign_layers = options.allow_foreign_layers;
                let known = Mutex::default();
                let registry =
                    Registry { sessions, first: position, http, allow_foreign_layers, known };
                registry.know_top(name, manifest)?;
                return Ok(registry);
            }
            Err(failed) => failures.push(failed),
        }
    }
    Err(not_found(name, failures))
}

/// One place: its own reason. Several: each with its reason.
fn not_found(name: &Name, failures: Vec<Failed>) -> anyhow::Error {
    let message = match failures.as_slice() {
        [only] if only.is_not_found() => format!(
            "there is no image `{name}`, or it is not shown to everybody: {only}; is its name right, and are you logged in?"
        ),
        [only] => only.to_string(),
        several => {
            let reasons: Vec<_> = several.iter().map(ToString::to_string).collect();
            format!(
                "`{name}` could not be had from its registry or a mirror: {}",
                reasons.join("; ")
            )
        }
    };
    // Something else has to be typed where no place has it.
    let is_usage = failures.iter().all(|failed| failed.is_not_found() || failed.is_offline());
    if is_usage { usage(message) } else { broken(message) }
}

/// Does it, and again where that may help.
fn patiently<T>(
    retry: &Retry,
    session: &Session,
    attempt: impl Fn() -> Result<T, Failed>,
) -> Result<T, Failed> {
    let mut attempts = 0;
    loop {
        let failed = match attempt() {
            Ok(done) => return Ok(done),
            Err(failed) => failed,
        };
        attempts += 1;
        if !retry.pause_for(&session.place(), attempts, failed.outcome()) {
            return Err(failed.after(attempts));
        }
    }
}

/// The manifest or index that a name leads to; its digest is verified.
fn top_manifest(session: &Session, name: &Name) -> Result<Vec<u8>, Failed> {
    let answer =
        session.ask(&Method::GET, &format!("manifests/{}", name.wanted()), &accepting())?;
    let said = answer.headers().get(DIGEST_HEADER).and_then(|value| value.to_str().ok());
    let said = said.map(str::to_owned);
    let media_type = answer.header(header::CONTENT_TYPE).unwrap_or_default().to_owned();
    let bytes = answer.bytes(MOST_DOCUMENT_BYTES)?;
    if media_type.starts_with("text/html") {
        return Err(Failed::GivenUp(format!(
            "`{}` answers with a page for people: it is no registry, or something stands before it (a proxy, a login page)",
            session.place()
        )));
    }
    // Its digest is one of a part of it; it is refused for what it is.
    if media_type.contains("manifest.v1+") && media_type.contains("docker") {
        return Ok(bytes);
    }
    let found = digest_of(&bytes);
    let expected = name.digest.or_else(|| said.as_deref().and_then(|said| said.parse().ok()));
    if let Some(expected) = expected.filter(|&expected| expected != found) {
        return Err(Failed::Wrong(format!(
            "the manifest of `{name}` is not what its digest says: expected {expected}, got {found}"
        )));
    }
    Ok(bytes)
}

fn accepting() -> HeaderMap {
    HeaderMap::from_iter([(header::ACCEPT, HeaderValue::from_static(ACCEPT))])
}

impl Registry {
    /// Enters the manifest as what the index of a layout names.
    fn know_top(&self, name: &Name, manifest: Vec<u8>) -> anyhow::Result<()> {
        let digest = digest_of(&manifest);
        let mut annotations = HashMap::new();
        annotations.extend(name.tagged().map(|name| (oci_layout::CONTAINERD_NAME, name)));
        let index = json!({"schemaVersion": 2, "manifests": [
            {"digest": digest.to_string(), "size": manifest.len(), "annotations": annotations}
        ]});
        let mut known = self.known();
        known.documents.insert("index.json".to_owned(), index.to_string().into_bytes());
        let described =
            Described { size: Some(manifest.len() as u64), is_manifest: true, urls: Vec::new() };
        known.blobs.insert(blob_name(&digest), described);
        known.enter(blob_name(&digest), manifest)
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn first(&self) -> usize {
        self.first
    }

    fn sessions(&self) -> usize {
        self.sessions.len()
    }

    fn place(&self, session: usize) -> String {
        self.sessions.get(session).map(Session::place).unwrap_or_default()
    }

    fn retry(&self) -> &Retry {
        &self.http.options().retry
    }

    /// A small blob or manifest whole, from the first place that has it right.
    fn fetch(&self, digest: &Digest, described: &Described) -> Result<Vec<u8>, Failed> {
        let kind = if described.is_manifest { "manifests" } else { "blobs" };
        let headers = if described.is_manifest { accepting() } else { HeaderMap::new() };
        let get = |session: &Session| {
            let answer = session.ask(&Method::GET, &format!("{kind}/{digest}"), &headers)?;
            let bytes = answer.bytes(MOST_DOCUMENT_BYTES)?;
            // It is verified again where it is used; here, because another attempt may bring it.
            match digest_of(&bytes) {
                found if found == *digest => Ok(bytes),
                found => Err(Failed::Wrong(format!(
                    "`{}` sends something else than it was asked for: expected {digest}, got {found}",
                    session.place()
                ))),
            }
        };
        let mut outcome = Err(Failed::GivenUp("there is no place to ask".to_owned()));
        for session in self.sessions.iter().skip(self.first) {
            outcome = patiently(self.retry(), session, || get(session));
            if outcome.is_ok() {
                break;
            }
        }
        outcome
    }

    fn head(&self, digest: &Digest) -> Result<bool, Failed> {
        let ask = |session: &Session| {
            session.ask(&Method::HEAD, &format!("blobs/{digest}"), &HeaderMap::new()).map(|_| true)
        };
        let mut outcome = Ok(false);
        for session in self.sessions.iter().skip(self.first) {
            outcome = match patiently(self.retry(), session, || ask(session)) {
                Err(failed) if failed.is_not_found() => Ok(false),
                other => other,
            };
            if matches!(outcome, Ok(true)) {
                break;
            }
        }
        outcome
    }

    /// The addresses outside the registry that a layer is at, if they may be asked.
    fn foreign(&self, name: &str) -> Vec<Url> {
        let urls = self.known().blobs.get(name).map(|it| it.urls.clone()).unwrap_or_default();
        let may = |url: &Url| match url.scheme() {
            "https" => true,
            "http" => self.http.options().plain_http,
            _ => false,
        };
        urls.iter().filter_map(|url| Url::parse(url).ok()).filter(may).collect()
    }

    /// Where a layer with addresses of its own is: the registry is asked before any of them.
    fn check_foreign(
        &self,
        name: &str,
        digest: &Digest,
        described: &Described,
    ) -> anyhow::Result<()> {
        if described.urls.is_empty() || self.head(digest).map_err(Failed::told)? {
            return Ok(());
        }
        if !self.allow_foreign_layers {
            let hosts: Vec<_> =
                described.urls.iter().filter_map(|url| Url::parse(url).ok()).collect();
            let hosts: Vec<_> = hosts.iter().map(|url| shown(crate::net::origin(url))).collect();
            return Err(broken(format!(
                "the layer {digest} is foreign: it is not in the registry, but at {}; if you trust that place, add `--allow-foreign-layers`",
                hosts.join(", ")
            )));
        }
        if self.foreign(name).is_empty() {
            return Err(broken(format!(
                "the layer {digest} is foreign, and none of its addresses is an https address"
            )));
        }
        Ok(())
    }

    /// A foreign layer's address, asked as it is: without credentials.
    fn ask_foreign(&self, url: &Url, headers: &HeaderMap) -> Result<Answer, Failed> {
        let mut request = Request::new(Method::GET, url.clone());
        *request.headers_mut() = headers.clone();
        let answer = self.http.send(request)?;
        if answer.status().is_success() { Ok(answer) } else { Err(Failed::of(answer)) }
    }
}

impl Known {
    /// Keeps a document, and what it refers to. What is no manifest refers to nothing.
    fn enter(&mut self, name: String, bytes: Vec<u8>) -> anyhow::Result<()> {
        if self.blobs.get(&name).is_some_and(|described| described.is_manifest) {
            let manifest = Manifest::parse(&bytes, "manifest")?;
            let below = manifest.manifests.iter().flatten().map(|below| (below, true));
            let parts = manifest.config.iter().chain(manifest.layers.iter().flatten());
            for (descriptor, is_manifest) in below.chain(parts.map(|part| (part, false))) {
                self.describe(descriptor, is_manifest);
            }
        }
        self.documents.insert(name, bytes);
        Ok(())
    }

    fn describe(&mut self, descriptor: &Descriptor, is_manifest: bool) {
        // One of another algorithm is refused where it is used.
        let Ok(digest) = descriptor.digest("blob") else { return };
        let size = descriptor.size.and_then(|size| size.try_into().ok());
        let urls = descriptor.urls.clone();
        self.blobs.entry(blob_name(&digest)).or_insert(Described { size, is_manifest, urls });
    }
}

impl Documents for Registry {
    fn read(&self, name: &str) -> anyhow::Result<Option<Vec<u8>>> {
        if let Some(bytes) = self.known().documents.get(name) {
            return Ok(Some(bytes.clone()));
        }
        let Some(described) = self.known().blobs.get(name).cloned() else { return Ok(None) };
        if let Some(size) = described.size.filter(|&size| size > MOST_DOCUMENT_BYTES) {
            return Err(too_large(name, size));
        }
        let Some(digest) = documents::digest_in(name) else { return Ok(None) };
        let bytes = self.fetch(&digest, &described).map_err(Failed::told)?;
        self.known().enter(name.to_owned(), bytes.clone())?;
        Ok(Some(bytes))
    }

    /// As described: nothing is asked for it, but where a layer that may be elsewhere is.
    fn size(&self, name: &str) -> anyhow::Result<Option<u64>> {
        let Some(described) = self.known().blobs.get(name).cloned() else { return Ok(None) };
        let digest = documents::digest_in(name);
        if let Some(digest) = digest.filter(|_| !described.is_manifest) {
            self.check_foreign(name, &digest, &described)?;
        }
        // Without a size nothing would end a layer that a server sends.
        let size = described
            .size
            .ok_or_else(|| broken(format!("the manifest gives no size for `{}`", shown(name))));
        size.map(Some)
    }

    fn start(&self, _: &str) -> anyhow::Result<Vec<u8>> {
        // Asked for layers of Docker archives only.
        Ok(Vec::new())
    }

    fn is_remote(&self) -> bool {
        true
    }
}

impl Blobs for Registry {
    fn open(&self, layer: &LayerRef) -> anyhow::Result<Box<dyn Read + Send + '_>> {
        let (Some(digest), Some(size)) = (layer.digest, layer.size) else {
            return Err(broken("the manifest gives no digest and size for the layer"));
        };
        let from_registry = BlobReader::open(self, digest, size);
        let failed = match from_registry {
            Ok(reader) => return Ok(Box::new(reader)),
            Err(failed) => failed,
        };
        if self.allow_foreign_layers && failed.is_not_found() {
            for url in self.foreign(&layer.location) {
                if let Ok(reader) = BlobReader::open_url(self, url, digest, size) {
                    return Ok(Box::new(reader));
                }
            }
        }
        Err(failed.told())
    }
}
