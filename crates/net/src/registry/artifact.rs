//! Files in registries that are no images: a manifest with a media type of its own, and a
//! layer for each file
//! (<https://github.com/opencontainers/image-spec/blob/main/manifest.md#guidelines-for-artifact-usage>).

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use serde::Deserialize;
use serde_json::json;

use super::blob::BlobReader;
use super::mirrors::Config;
use super::name::Name;
use super::session::Session;
use super::{Failed, Registry, RegistryOptions, digest_of, find, patiently};
use crate::{Body, HeaderMap, Http, Method, NetOptions, Url, header};
use inscan_facts::digest::{Digest, Sha256};
use inscan_facts::error::{broken, usage};
use inscan_facts::json::{self, Form};

const MANIFEST_TYPE: &str = "application/vnd.oci.image.manifest.v1+json";
/// What an artifact has in the place of an image's configuration.
const EMPTY_TYPE: &str = "application/vnd.oci.empty.v1+json";
const EMPTY: &[u8] = b"{}";
const MAX_FILES: usize = 100;

/// An artifact whose manifest is known and verified.
pub struct Artifact {
    registry: Registry,
    /// Of the manifest: another one is another artifact.
    pub digest: Digest,
    pub files: Vec<ArtifactFile>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ArtifactFile {
    pub media_type: String,
    pub digest: Digest,
    pub size: u64,
}

const DESCRIBED: Form =
    Form::Object(&[("mediaType", Form::Text), ("digest", Form::Text), ("size", Form::Any)]);
const MANIFEST: Form = Form::Object(&[
    ("artifactType", Form::Text),
    ("config", DESCRIBED),
    ("layers", Form::List(&DESCRIBED)),
]);

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ArtifactManifest {
    #[serde(default)]
    artifact_type: Option<String>,
    #[serde(default)]
    config: Option<Described>,
    #[serde(default)]
    layers: Vec<Described>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Described {
    #[serde(default)]
    media_type: String,
    digest: String,
    size: u64,
}

/// The artifact of a name, if it is one of that type.
pub fn open(
    name: &str,
    artifact_type: &str,
    net: &NetOptions,
    options: &RegistryOptions,
) -> anyhow::Result<Artifact> {
    let name = Name::parse(name)?;
    let (registry, manifest) = find(&name, net, options)?;
    let digest = digest_of(&manifest);
    let manifest: ArtifactManifest = json::parse(&manifest, &MANIFEST)
        .map_err(|error| broken(format!("cannot read the manifest of `{name}`: {error}")))?;
    // Clients that do not know artifact types write it as the configuration's.
    let stated = manifest.artifact_type.or(manifest.config.map(|config| config.media_type));
    if stated.as_deref() != Some(artifact_type) {
        let found = inscan_facts::error::shown(stated.unwrap_or_else(|| "an image".to_owned()));
        return Err(usage(format!("`{name}` is `{found}`, and expected is `{artifact_type}`")));
    }
    let mut files = Vec::new();
    for layer in manifest.layers.into_iter().take(MAX_FILES) {
        let digest = layer.digest.parse().map_err(|error| broken(format!("`{name}`: {error}")))?;
        files.push(ArtifactFile { media_type: layer.media_type, digest, size: layer.size });
    }
    Ok(Artifact { registry, digest, files })
}

impl Artifact {
    /// The bytes of a file as they come, behind those that are here already; `most` is what is
    /// accepted. Whoever reads them verifies the digest of all at the end.
    pub fn read(&self, file: &ArtifactFile, from: u64, most: u64) -> anyhow::Result<impl Read> {
        if file.size > most {
            let digest = file.digest;
            return Err(broken(format!("the file {digest} is larger than {most} bytes")));
        }
        BlobReader::open_at(&self.registry, file.digest.into(), file.size, from)
            .map_err(Failed::told)
    }
}

/// A file to be pushed.
pub struct NewFile<'a> {
    pub media_type: &'static str,
    pub path: &'a Path,
    /// What it is called where it is fetched by other clients.
    pub title: &'a str,
}

/// Puts files into a registry under a name, and returns the manifest's digest. The same files
/// have the same digest.
pub fn push(
    name: &str,
    artifact_type: &str,
    files: &[NewFile<'_>],
    net: &NetOptions,
    options: &RegistryOptions,
) -> anyhow::Result<Digest> {
    let name = Name::parse(name)?;
    if let Some(digest) = name.digest {
        return Err(usage(format!("`{name}` has a digest ({digest}): a push is to a tag")));
    }
    let http = Http::new(net);
    // Mirrors are for reading: written is to the place itself, which is the last.
    let endpoints = Config::read(&options.config)?.endpoints(&name)?;
    let endpoint = endpoints
        .into_iter()
        .next_back()
        .ok_or_else(|| usage(format!("there is no place to push `{name}` to")))?;
    let session = Session::new(endpoint, &http, options).for_pushing();
    let retry = &net.retry;

    let empty = digest_of(EMPTY);
    patiently(retry, &session, || put_blob(&session, &empty, || Ok(Body::from(EMPTY.to_vec()))))
        .map_err(Failed::told)?;
    let mut layers = Vec::new();
    for file in files {
        let shown = file.path.display();
        let unreadable = |error: io::Error| broken(format!("could not read `{shown}`: {error}"));
        let (digest, size) = digest_and_size(file.path).map_err(unreadable)?;
        let body = || File::open(file.path).map(|file| Body::sized(file, size));
        patiently(retry, &session, || put_blob(&session, &digest, body)).map_err(Failed::told)?;
        layers.push(json!({
            "mediaType": file.media_type,
            "digest": digest.to_string(),
            "size": size,
            "annotations": { "org.opencontainers.image.title": file.title },
        }));
    }
    let manifest = json!({
        "schemaVersion": 2,
        "mediaType": MANIFEST_TYPE,
        "artifactType": artifact_type,
        "config": { "mediaType": EMPTY_TYPE, "digest": empty.to_string(), "size": EMPTY.len() },
        "layers": layers,
    });
    let manifest = manifest.to_string().into_bytes();
    patiently(retry, &session, || {
        let url = session.address(&format!("manifests/{}", name.wanted()))?;
        session.send_body(&Method::PUT, url, MANIFEST_TYPE, Body::from(manifest.clone()))
    })
    .map_err(Failed::told)?;
    Ok(digest_of(&manifest))
}

/// Uploads a blob, unless the registry has it: a POST says where to, and a PUT brings it
/// (<https://github.com/opencontainers/distribution-spec/blob/main/spec.md#post-then-put>).
fn put_blob(
    session: &Session,
    digest: &Digest,
    body: impl Fn() -> io::Result<Body>,
) -> Result<(), Failed> {
    let none = HeaderMap::new();
    match session.ask(&Method::HEAD, &format!("blobs/{digest}"), &none) {
        Ok(_) => return Ok(()),
        Err(failed) if failed.is_not_found() => {}
        // Some registries let nobody look who may only write.
        Err(Failed::Access(_)) => {}
        Err(failed) => return Err(failed),
    }
    let mut headers = HeaderMap::new();
    headers.insert(header::CONTENT_LENGTH, 0.into());
    let begun = session.ask(&Method::POST, "blobs/uploads/", &headers)?;
    let location = begun.header(header::LOCATION).and_then(|to| begun.url().join(to).ok());
    let wrong = || Failed::Wrong(format!("`{}` does not say where to put a blob", session.place()));
    let mut url: Url = location.ok_or_else(wrong)?;
    if url.scheme() == "http" && begun.url().scheme() == "https" {
        return Err(wrong());
    }
    url.query_pairs_mut().append_pair("digest", &digest.to_string());
    let body = body().map_err(|error| Failed::GivenUp(format!("could not read it: {error}")))?;
    session.send_body(&Method::PUT, url, "application/octet-stream", body)?;
    Ok(())
}

fn digest_and_size(path: &Path) -> io::Result<(Digest, u64)> {
    let mut file = File::open(path)?;
    let mut digest = Sha256::new();
    let mut buffer = vec![0; 256 << 10];
    let mut size = 0;
    loop {
        let count = file.read(&mut buffer)?;
        match buffer.get(..count) {
            Some(bytes) if !bytes.is_empty() => digest.update(bytes),
            _ => return Ok((digest.finish(), size)),
        }
        size += count as u64;
    }
}
