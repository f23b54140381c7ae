//! Manifests and indexes, of OCI
//! (<https://github.com/opencontainers/image-spec/blob/main/manifest.md>) and of
//! Docker (schema 2), and the layers they name.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::LayerRef;
use super::config::ImageConfig;
use super::documents::{self, blob_name};
use super::platform::Platform;
use crate::fault;
use inscan_facts::digest::BlobDigest;
use inscan_facts::error::{Kind, coded, shown};
use inscan_facts::json::Form;

/// The code of the error where a manifest and its configuration have not as many layers: no engine
/// unpacks such an image.
pub(super) const LAYERS_UNPAIRED: &str = "image-layers-unpaired";

/// Container engines stop at 127 (overlay file systems) to some hundred.
const MAX_LAYERS: usize = 1000;

const TEXTS: Form = Form::List(&Form::Text);
const PLATFORM: Form = Form::Object(&[
    ("architecture", Form::Text),
    ("os", Form::Text),
    ("os.version", Form::Text),
    ("os.features", TEXTS),
    ("variant", Form::Text),
]);
const DESCRIPTOR: Form = Form::Object(&[
    ("mediaType", Form::Text),
    ("digest", Form::Text),
    ("size", Form::Any),
    ("urls", TEXTS),
    ("annotations", Form::Map(&Form::Text)),
    ("platform", PLATFORM),
    ("artifactType", Form::Text),
]);
/// Of manifests and indexes, also of schema 1, as far as anything of it is read.
pub(super) const MANIFEST: Form = Form::Object(&[
    ("schemaVersion", Form::Any),
    ("mediaType", Form::Text),
    ("artifactType", Form::Text),
    ("manifests", Form::List(&DESCRIPTOR)),
    ("config", DESCRIPTOR),
    ("layers", Form::List(&DESCRIPTOR)),
]);

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct Descriptor {
    pub(super) media_type: String,
    pub(super) digest: String,
    pub(super) size: Option<i64>,
    pub(super) artifact_type: String,
    pub(super) annotations: BTreeMap<String, String>,
    pub(super) platform: Option<DescribedPlatform>,
    /// Where else its bytes are said to be.
    pub(super) urls: Vec<String>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct DescribedPlatform {
    os: String,
    architecture: String,
    variant: String,
    #[serde(rename = "os.version")]
    version: String,
    #[serde(rename = "os.features")]
    features: Vec<String>,
}

/// Index and manifest in one: only its content says which it is.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct Manifest {
    schema_version: Option<i64>,
    media_type: String,
    artifact_type: String,
    pub(super) manifests: Option<Vec<Descriptor>>,
    pub(super) config: Option<Descriptor>,
    pub(super) layers: Option<Vec<Descriptor>>,
}

impl Descriptor {
    pub(super) fn digest(&self, what: &str) -> anyhow::Result<BlobDigest> {
        self.digest.parse().map_err(|_| {
            fault::not_understood(format!(
                "the {what} has the digest `{}`: only sha256 and sha512 are understood",
                shown(&self.digest)
            ))
        })
    }

    /// By its media type, which is all that is known before it is read.
    pub(super) fn is_index(&self) -> bool {
        is_index(&self.media_type)
    }

    pub(super) fn annotation(&self, name: &str) -> Option<&str> {
        self.annotations.get(name).map(String::as_str).filter(|value| !value.is_empty())
    }

    pub(super) fn platform(&self) -> Option<Platform> {
        let platform = self.platform.as_ref()?;
        if platform.os.is_empty() || platform.architecture.is_empty() {
            return None;
        }
        let plain = Platform::new(&platform.os, &platform.architecture, &platform.variant);
        Some(plain.with(&platform.version, &platform.features))
    }

    /// True for what accompanies images: attestations, signatures, bills of material.
    pub(super) fn is_companion(&self) -> bool {
        let cosign = [
            "dev.cosignproject.cosign/sigs",
            "dev.cosignproject.cosign/atts",
            "dev.cosignproject.cosign/sboms",
        ];
        self.platform().is_some_and(|platform| platform.is_unknown())
            || self.annotation("vnd.docker.reference.type").is_some()
            || self.annotation("kind").is_some_and(|kind| cosign.contains(&kind))
            || (!self.artifact_type.is_empty() && !self.artifact_type.contains("image"))
    }
}

fn is_index(media_type: &str) -> bool {
    media_type.contains("image.index.") || media_type.contains("manifest.list.")
}

impl Manifest {
    pub(super) fn parse(bytes: &[u8], what: &str) -> anyhow::Result<Self> {
        let manifest: Manifest =
            documents::parse_object(bytes, &MANIFEST, format_args!("the {what}"))?;
        if manifest.schema_version == Some(1)
            || manifest.media_type.contains("manifest.v1+")
                && manifest.media_type.contains("docker")
        {
            return Err(fault::unsupported(
                "the image has a Docker schema 1 manifest, a form given up in 2017; push or save it again with a current Docker, podman or skopeo",
            ));
        }
        // A document that is both is read as one by some and as the other by others (CVE-2021-41190).
        if manifest.manifests.is_some() && (manifest.layers.is_some() || manifest.config.is_some())
        {
            return Err(fault::contradictory(format!(
                "the {what} is an index and a manifest at once: what it says depends on who reads it"
            )));
        }
        Ok(manifest)
    }

    pub(super) fn is_index(&self) -> bool {
        self.manifests.is_some() || is_index(&self.media_type)
    }

    /// The configuration's descriptor; an error that names what it is, where it is no image.
    pub(super) fn config(&self) -> anyhow::Result<&Descriptor> {
        let config = self.config.as_ref().ok_or_else(|| {
            fault::damaged("the manifest names no configuration: it is not an image manifest")
        })?;
        let layers = self.layers.iter().flatten();
        let may_be_image = match config.media_type.as_str() {
            ""
            | "application/vnd.oci.image.config.v1+json"
            | "application/vnd.docker.container.image.v1+json" => {
                self.artifact_type.is_empty() || self.artifact_type.contains("image")
            }
            // Some builders write a media type of their own; their layers are tars all the same.
            _ => {
                layers.clone().next().is_some()
                    && layers.clone().all(|layer| layer.media_type.contains("tar"))
                    && !config.media_type.contains("helm")
            }
        };
        if may_be_image {
            return Ok(config);
        }
        let media_type =
            if self.artifact_type.is_empty() { &config.media_type } else { &self.artifact_type };
        Err(fault::no_image(format!("not a container image, but {}", artifact(media_type))))
    }

    pub(super) fn layers(&self) -> anyhow::Result<Vec<LayerRef>> {
        let layers = self.layers.as_deref().unwrap_or_default();
        let layer = |(index, descriptor): (usize, &Descriptor)| {
            let place = place(index, layers.len());
            let media_type = &descriptor.media_type;
            if media_type.ends_with("+encrypted") {
                return Err(fault::not_understood(format!(
                    "{place} is encrypted (`{}`); decrypt the image first, for example with `skopeo copy --decryption-key`",
                    shown(media_type)
                )));
            }
            let digest = descriptor.digest(&place)?;
            Ok(LayerRef {
                location: blob_name(&digest),
                digest: Some(digest),
                size: descriptor.size.and_then(|size| size.try_into().ok()),
                media_type: Some(media_type.clone()).filter(|text| !text.is_empty()),
                diff_id: BlobDigest::default(),
            })
        };
        layers.iter().enumerate().map(layer).collect()
    }
}

/// What people call an artifact of this type.
fn artifact(media_type: &str) -> String {
    let name = match media_type {
        t if t.contains("helm") => "a Helm chart",
        t if t.contains("in-toto") => "an attestation",
        t if t.contains("cosign") || t.contains("notary") || t.contains("sigstore") => {
            "a signature"
        }
        t if t.contains("wasm") => "a WebAssembly module",
        t if t.contains("spdx") || t.contains("cyclonedx") => "a bill of materials",
        t if t.contains("docker.plugin") => "a Docker plugin",
        _ => "an artifact",
    };
    format!("{name} (`{}`)", shown(media_type))
}

/// `layer 3 of 7`.
pub(super) fn place(index: usize, of: usize) -> String {
    format!("layer {} of {of}", index + 1)
}

/// # Errors
/// There is more of something than is read.
pub(super) fn check_count(count: usize, most: usize, what: &str) -> anyhow::Result<()> {
    if count <= most {
        return Ok(());
    }
    Err(fault::over_limit(format!("there are {count} {what} in it; at most {most} are read")))
}

/// Gives each layer the diff id that the configuration has for it.
pub(super) fn pair(layers: &mut [LayerRef], config: &ImageConfig) -> anyhow::Result<()> {
    let diff_ids = &config.diff_ids;
    if layers.len() != diff_ids.len() {
        let message = format!(
            "the manifest has {} layers, but the configuration knows {}; the image is damaged or was changed by hand",
            layers.len(),
            diff_ids.len()
        );
        return Err(coded(Kind::Broken, LAYERS_UNPAIRED, message));
    }
    check_count(layers.len(), MAX_LAYERS, "layers")?;
    let of = layers.len();
    for (index, (layer, diff_id)) in layers.iter_mut().zip(diff_ids).enumerate() {
        layer.diff_id = diff_id.parse().map_err(|_| {
            fault::not_understood(format!(
                "{} has the diff id `{}`: only sha256 and sha512 are understood",
                place(index, of),
                shown(diff_id)
            ))
        })?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(json: &str, expected: &str) {
        let error = Manifest::parse(json.as_bytes(), "manifest")
            .and_then(|manifest| manifest.config().and(manifest.layers()).map(drop))
            .unwrap_err()
            .to_string();
        assert!(error.contains(expected), "{error}");
    }

    #[test]
    fn what_is_no_image_is_called_by_its_name() {
        check(r#"{"schemaVersion": 1, "fsLayers": []}"#, "Docker schema 1");
        check(
            r#"{"config": {"mediaType": "application/vnd.cncf.helm.config.v1+json"}}"#,
            "a Helm chart",
        );
        check(
            r#"{"artifactType": "application/spdx+json", "config": {"mediaType": "application/vnd.oci.empty.v1+json"}}"#,
            "a bill of materials",
        );
        check(r#"{"schemaVersion": 2}"#, "names no configuration");
    }

    #[test]
    fn encrypted_layers_are_refused() {
        check(
            r#"{"config": {}, "layers": [{"mediaType": "application/vnd.oci.image.layer.v1.tar+gzip+encrypted"}]}"#,
            "layer 1 of 1 is encrypted",
        );
    }

    #[test]
    fn a_document_of_two_meanings_is_refused() {
        check(r#"{"manifests": [], "layers": []}"#, "at once");
    }

    #[test]
    fn fields_are_read_in_the_spellings_that_engines_take() {
        let json = r#"{"SchemaVersion": 2, "CONFIG": {"Digest": "c"}, "layer\u017f": [{"MediaType": "t",
            "DIGEST": "d", "Size": 7, "Annotations": {"a": null}, "URLs": ["u"], "platform": null}]}"#;
        let manifest = Manifest::parse(json.as_bytes(), "manifest").unwrap();
        let layer = &manifest.layers.unwrap()[0];
        assert_eq!((&*layer.media_type, &*layer.digest, layer.size), ("t", "d", Some(7)));
        assert_eq!((&*layer.urls[0], layer.annotation("a")), ("u", None));
        assert_eq!(manifest.config.unwrap().digest, "c");
        let json = br#"{"Manifests": [{"Platform": {"OS": "windows", "Architecture": "amd64",
            "OS.Version": "10.0", "os.Features": ["win32k"]}}]}"#;
        let index = Manifest::parse(json, "index").unwrap();
        let platform = index.manifests.unwrap()[0].platform().unwrap();
        assert_eq!((&*platform.version, &*platform.features), ("10.0", &["win32k".to_owned()][..]));
    }

    #[test]
    fn layers_and_diff_ids_must_be_as_many() {
        let config = ImageConfig::parse(br#"{"rootfs": {"diff_ids": ["sha256:00"]}}"#).unwrap();
        let error = pair(&mut [], &config).unwrap_err().to_string();
        assert!(error.contains("0 layers, but the configuration knows 1"), "{error}");
        assert!(pair(&mut [LayerRef::default()], &config).is_err());
    }
}
