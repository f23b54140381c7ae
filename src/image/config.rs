//! The image configuration
//! (<https://github.com/opencontainers/image-spec/blob/main/config.md>), with
//! Docker's additions. Go writes `null` for what is empty; here that is empty too.

use std::collections::BTreeMap;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer};
use serde_json::Value;

use super::documents;
use super::platform::Platform;

/// What the image says about itself.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct ImageConfig {
    #[serde(deserialize_with = "or_empty")]
    pub architecture: String,
    #[serde(deserialize_with = "or_empty")]
    pub os: String,
    #[serde(rename = "os.version", deserialize_with = "or_empty")]
    pub os_version: String,
    #[serde(deserialize_with = "or_empty")]
    pub variant: String,
    /// RFC 3339, as written.
    pub created: Option<String>,
    #[serde(deserialize_with = "or_empty")]
    pub author: String,
    #[serde(deserialize_with = "or_empty")]
    pub config: ContainerConfig,
    #[serde(deserialize_with = "or_empty")]
    pub rootfs: RootFs,
    #[serde(deserialize_with = "or_empty")]
    pub history: Vec<History>,
}

/// How a container of the image runs.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct ContainerConfig {
    #[serde(deserialize_with = "or_empty")]
    pub user: String,
    /// `80/tcp`.
    #[serde(deserialize_with = "keys")]
    pub exposed_ports: Vec<String>,
    /// `NAME=value`.
    #[serde(deserialize_with = "or_empty")]
    pub env: Vec<String>,
    #[serde(deserialize_with = "words")]
    pub entrypoint: Vec<String>,
    #[serde(deserialize_with = "words")]
    pub cmd: Vec<String>,
    #[serde(deserialize_with = "keys")]
    pub volumes: Vec<String>,
    #[serde(deserialize_with = "or_empty")]
    pub working_dir: String,
    #[serde(deserialize_with = "labels")]
    pub labels: BTreeMap<String, String>,
    #[serde(deserialize_with = "or_empty")]
    pub stop_signal: String,
    pub healthcheck: Option<Healthcheck>,
    #[serde(deserialize_with = "or_empty")]
    pub on_build: Vec<String>,
    #[serde(deserialize_with = "words")]
    pub shell: Vec<String>,
}

/// Durations are in nanoseconds.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct Healthcheck {
    #[serde(deserialize_with = "or_empty")]
    pub test: Vec<String>,
    pub interval: Option<i64>,
    pub timeout: Option<i64>,
    pub start_period: Option<i64>,
    pub retries: Option<i64>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct RootFs {
    #[serde(deserialize_with = "or_empty")]
    pub diff_ids: Vec<String>,
}

/// One line of how the image was made.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct History {
    pub created: Option<String>,
    #[serde(deserialize_with = "or_empty")]
    pub created_by: String,
    #[serde(deserialize_with = "or_empty")]
    pub comment: String,
    #[serde(deserialize_with = "or_empty")]
    pub author: String,
    /// True where the line made no layer.
    #[serde(deserialize_with = "or_empty")]
    pub empty_layer: bool,
}

impl ImageConfig {
    pub fn parse(bytes: &[u8]) -> anyhow::Result<Self> {
        documents::parse_object(bytes, "the image configuration")
    }

    /// `None` where the configuration leaves it open.
    pub fn platform(&self) -> Option<Platform> {
        if self.os.is_empty() || self.architecture.is_empty() {
            return None;
        }
        Some(Platform::new(&self.os, &self.architecture, &self.variant))
    }
}

pub(super) fn or_empty<'de, D, T>(deserializer: D) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: Default + Deserialize<'de>,
{
    Option::deserialize(deserializer).map(Option::unwrap_or_default)
}

/// A list of words; very old Docker wrote one text.
fn words<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<String>, D::Error> {
    match Value::deserialize(deserializer)? {
        Value::String(word) => Ok(vec![word]),
        other => typed(other),
    }
}

/// A Go set: `{"80/tcp": {}}`. Some builders write a list.
fn keys<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<String>, D::Error> {
    match Value::deserialize(deserializer)? {
        Value::Object(object) => Ok(object.into_iter().map(|(key, _)| key).collect()),
        other => typed(other),
    }
}

/// Labels are texts; some builders write numbers and booleans.
fn labels<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<BTreeMap<String, String>, D::Error> {
    let labels: BTreeMap<String, Value> = or_empty(deserializer)?;
    let text = |value| match value {
        Value::String(text) => text,
        Value::Null => String::new(),
        other => other.to_string(),
    };
    Ok(labels.into_iter().map(|(key, value)| (key, text(value))).collect())
}

fn typed<T: Default + DeserializeOwned, E: serde::de::Error>(value: Value) -> Result<T, E> {
    serde_json::from_value::<Option<T>>(value).map(Option::unwrap_or_default).map_err(E::custom)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(json: &str, expected: ImageConfig) {
        assert_eq!(ImageConfig::parse(json.as_bytes()).unwrap(), expected);
    }

    #[test]
    fn null_is_empty() {
        let json = r#"{"architecture": null, "config": {"Env": null, "Labels": null, "Cmd": null,
            "ExposedPorts": null, "Healthcheck": null}, "rootfs": null, "history": null, "created": null}"#;
        check(json, ImageConfig::default());
        check(r#"{"config": null}"#, ImageConfig::default());
    }

    #[test]
    fn what_builders_write_differently_is_understood() {
        let json = r#"{"config": {"Cmd": "sh", "ExposedPorts": ["80"], "Volumes": {"/b": {}, "/a": {}},
            "Labels": {"n": 1, "t": "x"}, "OnBuild": ["RUN x"]}}"#;
        let config = ContainerConfig {
            cmd: vec!["sh".to_owned()],
            exposed_ports: vec!["80".to_owned()],
            volumes: vec!["/a".to_owned(), "/b".to_owned()],
            labels: [("n", "1"), ("t", "x")].map(|(k, v)| (k.to_owned(), v.to_owned())).into(),
            on_build: vec!["RUN x".to_owned()],
            ..ContainerConfig::default()
        };
        check(json, ImageConfig { config, ..ImageConfig::default() });
    }

    #[test]
    fn what_cannot_be_understood_is_an_error_and_never_passed_over() {
        for wrong in ["", "null", "[]", r#"{"history": "x"}"#, r#"{"config": {"Env": {}}}"#] {
            assert!(ImageConfig::parse(wrong.as_bytes()).is_err(), "{wrong}");
        }
    }
}
