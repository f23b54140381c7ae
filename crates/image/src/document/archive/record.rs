//! The member `archive_manifest`: what the backend shall know of the image, in the form in which
//! the engine keeps it.

use base64::Engine;
use serde_json::{Value, json};

use super::Options;
use super::gathered::Gathered;
use inscan_document::identity::{Identity, split_tag};
use inscan_document::rfc3339;

/// The versions of the engine whose archives these are like.
const SERVICE_VERSION: &str = "0.8.2";
const DATABASE_VERSION: &str = "0.0.13";

pub(super) fn archive_manifest(
    gathered: &Gathered,
    identity: &Identity,
    options: &Options,
) -> Vec<u8> {
    let digest = &identity.image_digest;
    let artifact = |name: &str, bucket: &str| {
        json!({
            "name": name,
            "metadata": null,
            "source": { "bucket": bucket, "key": digest },
            "dest": { "tarfile_path": name },
        })
    };
    let archived_at = rfc3339(options.now).replace('Z', "+00:00");
    let manifest = json!({
        "account": options.account,
        "image_digest": digest,
        "archived_at": archived_at,
        "metadata": {
            "versions": { "service_version": SERVICE_VERSION, "db_version": DATABASE_VERSION },
            "image_id": identity.image_id,
            "image_record": image_record(gathered, identity, options).to_string(),
        },
        "artifacts": [
            artifact("analysis", "analysis_data"),
            artifact("image_content", "image_content_data"),
            artifact("image_manifest", "manifest_data"),
        ],
    });
    manifest.to_string().into_bytes()
}

fn image_record(gathered: &Gathered, identity: &Identity, options: &Options) -> Value {
    let report = &gathered.report;
    // The engine keeps what it was told as the text it was told in.
    let created = match options.created_at {
        Some(seconds) => Value::from(seconds.to_string()),
        None => Value::from(options.now),
    };
    let digest = &identity.image_digest;
    let dockerfile = report["dockerfile_contents"].as_str().unwrap_or_default();
    let annotations: Value = options
        .annotations
        .iter()
        .filter(|(_, value)| *value != "null")
        .map(|(key, value)| (key.clone(), Value::from(value.clone())))
        .collect::<serde_json::Map<_, _>>()
        .into();
    let (repository, tag) = split_tag(&identity.full_tag);
    let (registry, repository) = repository.split_once('/').unwrap_or(("", repository));
    let layers = report["layers"].as_array().map_or(0, Vec::len);
    let detail = json!({
        "created_at": created,
        "digest": digest,
        "dockerfile": base64::engine::general_purpose::STANDARD.encode(dockerfile),
        "imageDigest": digest,
        "imageId": identity.image_id,
        "last_updated": created,
        "record_state_key": "active",
        "record_state_val": null,
        "registry": registry,
        "repo": repository,
        "tag": tag.unwrap_or("latest"),
        "tag_detected_at": created,
        "userId": options.account,
    });
    json!({
        "analysis_status": "analyzed",
        "analyzed_at": options.now,
        "annotations": annotations.to_string(),
        "arch": report["docker_data"]["Architecture"],
        "created_at": created,
        "distro": gathered.distribution,
        "distro_version": gathered.distribution_version,
        "dockerfile_mode": report["dockerfile_mode"],
        "imageDigest": digest,
        "image_detail": [detail],
        "image_size": report["meta"]["sizebytes"],
        "image_status": "active",
        "image_type": "docker",
        "last_updated": created,
        "layer_count": layers.to_string(),
        "parentDigest": options.parent_digest.as_ref().unwrap_or(digest),
        "record_state_key": "active",
        "record_state_val": null,
        "userId": options.account,
    })
}
