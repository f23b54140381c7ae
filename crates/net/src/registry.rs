//! A client of registries, on the connections of this crate.
//!
//! The client is our own. The crates there are (`oci-client` 0.18 is the best kept) know no
//! client certificates, no identity tokens, no mirrors and no retries, follow addresses that a
//! manifest names, and build another client than was asked for where one cannot be built. What
//! is left of the protocol are two GETs
//! (<https://github.com/opencontainers/distribution-spec/blob/main/spec.md#pull>).
//!
//! It knows names, manifests as bytes and blobs; what an image is, it does not know.

pub mod artifact;
mod blob;
mod challenge;
mod credentials;
mod failure;
mod helper;
mod mirrors;
mod name;
mod repository;
mod session;
mod token;

use std::time::Duration;

use inscan_facts::digest::{BlobDigest, Digest, Sha256};
use inscan_facts::error::{Kind, coded};

use crate::{
    HeaderMap, HeaderValue, Http, Method, NetOptions, Request, Response, Retry, Url, header,
};

pub use blob::BlobReader;
pub use credentials::{AuthFile, Credential};
pub use failure::Failed;
pub use mirrors::ConfigFiles;
use mirrors::{Config, Endpoint};
use name::Name;
pub use repository::{ping, tags};
use session::Session;

/// In bytes. The largest manifest that registries take is 4 MiB; configurations are smaller.
pub const MAX_DOCUMENT_BYTES: u64 = 8 << 20;

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
pub struct Registry {
    sessions: Vec<Session>,
    /// The first of them that had the manifest: what comes before it is not asked again.
    first: usize,
    http: Http,
}

/// A registry that has what a name leads to.
pub struct Found {
    pub registry: Registry,
    /// The full name: `docker.io/library/alpine:3.20`.
    pub name: String,
    /// What the image is called: with the tag, with the digest.
    pub names: Vec<String>,
    /// The manifest or index, verified.
    pub manifest: Vec<u8>,
}

/// Whether a text can be a name of an image.
pub fn is_name(text: &str) -> bool {
    Name::parse(text).is_ok()
}

/// Finds the manifest or index of a name, in a mirror or in its own registry.
///
/// # Errors
/// [`inscan_facts::error::Kind::Usage`] where the name is none, or no place has it; otherwise
/// [`inscan_facts::error::Kind::Broken`].
pub fn open(name: &str, net: &NetOptions, options: &RegistryOptions) -> anyhow::Result<Found> {
    let name = Name::parse(name)?;
    let (registry, manifest) = find(&name, net, options)?;
    Ok(Found { registry, name: name.to_string(), names: name.names(), manifest })
}

/// Asks one place after the other for the manifest.
fn find(
    name: &Name,
    net: &NetOptions,
    options: &RegistryOptions,
) -> anyhow::Result<(Registry, Vec<u8>)> {
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
                return Ok((Registry { sessions, first: position, http }, manifest));
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
            "image not found or access denied: `{name}`: {only}; check the name, and log in if it is private"
        ),
        [only] => only.to_string(),
        several => {
            let reasons: Vec<_> = several.iter().map(ToString::to_string).collect();
            format!(
                "could not fetch `{name}` from its registry or a mirror: {}",
                reasons.join("; ")
            )
        }
    };
    // Something else has to be typed where no place has it.
    let is_usage = failures.iter().all(|failed| failed.is_not_found() || failed.is_offline());
    let kind = if is_usage { Kind::Usage } else { Kind::Broken };
    let code = failures.iter().map(Failed::code).next_back().unwrap_or("image-not-found");
    coded(kind, code, message)
}

/// Does it, and again where that may help.
fn patiently<T>(
    retry: &Retry,
    session: &Session,
    attempt: impl Fn() -> Result<T, Failed>,
) -> Result<T, Failed> {
    let outcome = |done: &Result<T, Failed>| done.as_ref().err().map(Failed::outcome);
    let (done, attempts) = retry.patiently(&session.place(), attempt, outcome);
    done.map_err(|failed| failed.after(attempts))
}

/// The manifest or index that a name leads to; its digest is verified.
fn top_manifest(session: &Session, name: &Name) -> Result<Vec<u8>, Failed> {
    let response =
        session.ask(&Method::GET, &format!("manifests/{}", name.wanted()), &accepting())?;
    let said = response.headers().get(DIGEST_HEADER).and_then(|value| value.to_str().ok());
    let said = said.map(str::to_owned);
    let media_type = response.header(header::CONTENT_TYPE).unwrap_or_default().to_owned();
    let bytes = response.text(MAX_DOCUMENT_BYTES)?;
    if media_type.starts_with("text/html") {
        return Err(Failed::GivenUp(format!(
            "`{}` answers with a web page: it is not a registry, or a proxy or login page answers in its place",
            session.place()
        )));
    }
    // Its digest is one of a part of it; it is refused for what it is.
    if media_type.contains("manifest.v1+") && media_type.contains("docker") {
        return Ok(bytes);
    }
    let expected = name.digest.or_else(|| said.as_deref().and_then(|said| said.parse().ok()));
    if let Some(expected) = expected
        && let found = expected.of_same(&bytes)
        && found != expected
    {
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
    /// What the network may be used for.
    pub fn net(&self) -> &NetOptions {
        self.http.options()
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

    /// A blob's bytes as they come; whoever reads them verifies the digest at the end.
    ///
    /// # Errors
    /// Where no place gives the first byte.
    pub fn blob(&self, digest: BlobDigest, size: u64) -> Result<BlobReader<'_>, Failed> {
        BlobReader::open(self, digest, size)
    }

    /// As [`Self::blob`], from an address outside the registry, without credentials.
    ///
    /// # Errors
    /// Where that address does not give the first byte.
    pub fn foreign_blob(
        &self,
        url: Url,
        digest: BlobDigest,
        size: u64,
    ) -> Result<BlobReader<'_>, Failed> {
        BlobReader::open_url(self, url, digest, size)
    }

    /// A small blob or manifest whole, from the first place that has it right.
    ///
    /// # Errors
    /// The last place's reason, where none has it.
    pub fn document(&self, digest: &BlobDigest, is_manifest: bool) -> Result<Vec<u8>, Failed> {
        let kind = if is_manifest { "manifests" } else { "blobs" };
        let headers = if is_manifest { accepting() } else { HeaderMap::new() };
        let get = |session: &Session| {
            let response = session.ask(&Method::GET, &format!("{kind}/{digest}"), &headers)?;
            let bytes = response.text(MAX_DOCUMENT_BYTES)?;
            // It is verified again where it is used; here, because another attempt may bring it.
            match digest.of_same(&bytes) {
                found if found == *digest => Ok(bytes),
                found => Err(Failed::Wrong(format!(
                    "`{}` sends something else than it was asked for: expected {digest}, got {found}",
                    session.place()
                ))),
            }
        };
        let mut outcome = Err(Failed::GivenUp("no registry left to ask".to_owned()));
        for session in self.sessions.iter().skip(self.first) {
            outcome = patiently(self.retry(), session, || get(session));
            if outcome.is_ok() {
                break;
            }
        }
        outcome
    }

    /// Whether some place has the blob.
    ///
    /// # Errors
    /// The last place's reason, where it does not say.
    pub fn has_blob(&self, digest: &BlobDigest) -> Result<bool, Failed> {
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

    /// A foreign layer's address, asked as it is: without credentials.
    fn ask_foreign(&self, url: &Url, headers: &HeaderMap) -> Result<Response, Failed> {
        let mut request = Request::new(Method::GET, url.clone());
        *request.headers_mut() = headers.clone();
        let response = self.http.send(request)?;
        if response.status().is_success() { Ok(response) } else { Err(Failed::of(response)) }
    }
}

fn digest_of(bytes: &[u8]) -> Digest {
    Sha256::of(bytes)
}
