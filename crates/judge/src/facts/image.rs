//! What the image is: distribution, size, layers, and the Dockerfile it was made from.

use std::collections::BTreeMap;

use serde_json::Value;

use super::Lookup;
use super::source::Source;

/// The attributes of an image.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ImageFacts {
    /// Bytes of the flattened file system.
    pub size: Option<u64>,
    pub architecture: Option<String>,
    /// `linux`. The legacy engine does not write it.
    pub os: Option<String>,
    pub distribution: Option<String>,
    pub version: Option<String>,
    /// Between commas.
    pub like: Option<String>,
    pub layers: usize,
    /// Of the image's configuration. The legacy engine does not write them.
    pub labels: BTreeMap<String, String>,
    pub dockerfile: String,
    pub dockerfile_mode: DockerfileMode,
}

/// Where the Dockerfile is from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum DockerfileMode {
    /// It was given to the analysis.
    Actual,
    /// From the image's history.
    Guessed,
    /// There is none.
    #[default]
    Unknown,
}

pub(super) fn read(source: &Source<'_>) -> Lookup<ImageFacts> {
    let (report, os, labels) = match source {
        Source::Document(document) => (document.image_report()?, document.os(), document.labels()),
        Source::Analysis(outputs) => {
            (outputs.image_report(), outputs.os(), outputs.labels().clone())
        }
        Source::Section(_) | Source::Nothing => {
            return Err(source.lacks("the Dockerfile, size and layers of the image"));
        }
    };
    let text = |value: &Value| value.as_str().map(str::to_owned);
    let data = &report["docker_data"];
    let mut facts = ImageFacts {
        size: report["meta"]["sizebytes"].as_u64(),
        architecture: text(&data["Architecture"]),
        os: text(&data["Os"]).or_else(|| os.map(str::to_owned)),
        labels,
        layers: report["layers"].as_array().map_or(0, Vec::len),
        dockerfile: text(&report["dockerfile_contents"]).unwrap_or_default(),
        dockerfile_mode: match report["dockerfile_mode"].as_str() {
            Some("Actual") => DockerfileMode::Actual,
            Some("Guessed") => DockerfileMode::Guessed,
            _ => DockerfileMode::Unknown,
        },
        ..ImageFacts::default()
    };
    source.each("analyzer_meta", "analyzer_meta", &mut |key, value| {
        let value = Some(value.to_owned());
        match &*key {
            "DISTRO" => facts.distribution = value,
            "DISTROVERS" => facts.version = value,
            "LIKEDISTRO" => facts.like = value,
            _ => {}
        }
        Ok(())
    })?;
    Ok(facts)
}
