//! `image_report` and `layer_info`: names, ids, history and Dockerfile of the image.

use std::fmt::Write;

use serde::Serialize;
use serde_json::{Value, json};

use crate::analyze::Analysis;
use crate::source::{HistoryItem, ImageConfig};
use inscan_document::identity::Identity;
use inscan_facts::history;

/// One line of the history beside the layer it made.
pub(super) struct Step<'a> {
    item: &'a HistoryItem,
    /// Digest and stored size of the layer. `None`: the line made none.
    layer: Option<(String, u64)>,
}

/// The history, oldest first. Where the configuration has none, one empty line for each layer.
pub(super) fn steps<'a>(analysis: &Analysis<'_>, config: &'a ImageConfig) -> Vec<Step<'a>> {
    const UNTOLD: &HistoryItem = &HistoryItem {
        created: String::new(),
        created_by: String::new(),
        comment: String::new(),
        empty_layer: false,
    };
    let blobs = blobs(analysis);
    if config.history.is_empty() {
        return blobs.into_iter().map(|layer| Step { item: UNTOLD, layer: Some(layer) }).collect();
    }
    let layers = config.layers_of_history(blobs.len());
    let step = |(item, layer): (&'a HistoryItem, Option<usize>)| Step {
        item,
        layer: layer.and_then(|layer| blobs.get(layer).cloned()),
    };
    config.history.iter().zip(layers).map(step).collect()
}

/// Digest and size of each layer's blob, base first.
fn blobs(analysis: &Analysis<'_>) -> Vec<(String, u64)> {
    analysis.layers.iter().map(|layer| (layer.blob_digest.to_string(), layer.blob_size)).collect()
}

/// `imagedata.image_report`.
#[derive(Serialize)]
pub(super) struct ImageReport {
    docker_data: Value,
    docker_history: Vec<Value>,
    dockerfile_contents: String,
    dockerfile_mode: &'static str,
    familytree: Vec<String>,
    layers: Vec<String>,
    meta: Value,
}

pub(super) fn image_report(
    analysis: &Analysis<'_>,
    config: &ImageConfig,
    identity: &Identity,
    size: u64,
) -> ImageReport {
    let steps = steps(analysis, config);
    let layers: Vec<_> = blobs(analysis).into_iter().map(|(digest, _)| digest).collect();
    let short_id: String = identity.image_id.chars().take(12).collect();
    ImageReport {
        docker_data: json!({
            "Architecture": config.architecture.as_deref().unwrap_or_default(),
            "RepoDigests": [format!("{}@{}", identity.repository(), identity.image_digest)],
            "RepoTags": [identity.full_tag],
        }),
        docker_history: steps.iter().map(history_entry).collect(),
        dockerfile_mode: if identity.dockerfile.is_some() { "Actual" } else { "Guessed" },
        dockerfile_contents: identity.dockerfile.clone().unwrap_or_else(|| guessed(&steps)),
        familytree: layers.clone(),
        layers,
        meta: json!({
            "humanname": identity.full_tag,
            "imageId": identity.image_id,
            "imagename": identity.image_id,
            "parentId": "",
            "shortId": short_id,
            "shortname": short_id,
            "shortparentId": "",
            "sizebytes": size,
            "usertype": null,
        }),
    }
}

fn history_entry(step: &Step<'_>) -> Value {
    let (id, size) = match &step.layer {
        Some((digest, size)) => (digest.as_str(), *size),
        None => ("<missing>", 0),
    };
    json!({
        "Comment": "",
        "Created": step.item.created,
        "CreatedBy": step.item.created_by,
        "Id": id,
        "Size": size,
        "Tags": [],
    })
}

/// The Dockerfile that the history lets guess.
fn guessed(steps: &[Step<'_>]) -> String {
    let mut text = String::from("FROM scratch\n");
    for step in steps {
        let line = &step.item.created_by;
        let written = match history::legacy_instruction(line) {
            Some(instruction) => writeln!(text, "{}", instruction.trim_start_matches(' ')),
            None if line.is_empty() => Ok(()),
            None => writeln!(text, "RUN {line}"),
        };
        written.expect("writing to a string does not fail");
    }
    text
}

/// The one value of `layers_to_dockerfile`: which line made which layer.
pub(super) fn dockerfile_to_layer_map(steps: &[Step<'_>]) -> String {
    let entries: Vec<_> = steps
        .iter()
        .map(|step| {
            let line = &step.item.created_by;
            let (layer, size) = match &step.layer {
                Some((digest, size)) => (digest.trim_start_matches("sha256:"), *size),
                None => ("unknown", 0),
            };
            json!({
                "dockerfile_line": history::legacy_instruction(line).unwrap_or(line),
                "layer": layer,
                "layer_sizebytes": size.to_string(),
            })
        })
        .collect();
    Value::from(entries).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_dockerfile_is_guessed_from_the_history() {
        let items = [
            "/bin/sh -c #(nop) ADD file:1 in / ",
            "/bin/sh -c #(nop)  ENV A=b",
            "",
            "/bin/sh -c true",
        ]
        .map(|line| HistoryItem { created_by: line.into(), ..HistoryItem::default() });
        let steps: Vec<_> = items.iter().map(|item| Step { item, layer: None }).collect();
        assert_eq!(
            guessed(&steps),
            "FROM scratch\nADD file:1 in / \nENV A=b\nRUN /bin/sh -c true\n"
        );
        let map: Value = serde_json::from_str(&dockerfile_to_layer_map(&steps)).unwrap();
        assert_eq!(
            map[1],
            json!({"dockerfile_line": " ENV A=b", "layer": "unknown", "layer_sizebytes": "0"})
        );
    }
}
