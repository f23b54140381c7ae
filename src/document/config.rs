//! The image's configuration, as far as the document speaks of it
//! (<https://github.com/opencontainers/image-spec/blob/main/config.md>).
//!
//! Builders take liberties with it: a field of another type than expected is
//! passed over and named in [`ImageConfig::problems`], and the rest is read.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// What the configuration says, empty where it says nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ImageConfig {
    pub architecture: Option<String>,
    pub os: Option<String>,
    pub variant: Option<String>,
    pub created: Option<String>,
    pub author: Option<String>,
    pub container: ContainerConfig,
    pub history: Vec<HistoryItem>,
    /// What could not be understood.
    pub problems: Vec<String>,
}

/// How a container of the image is started, in the configuration's own words.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ContainerConfig {
    /// `USER`: name or number, with or without group. Empty means root.
    pub user: String,
    /// `NAME=value`, in order.
    pub env: Vec<String>,
    /// `443/tcp`, sorted.
    pub exposed_ports: Vec<String>,
    pub entrypoint: Vec<String>,
    pub cmd: Vec<String>,
    /// Paths, sorted.
    pub volumes: Vec<String>,
    pub labels: BTreeMap<String, String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub healthcheck: Option<Healthcheck>,
    pub working_dir: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stop_signal: Option<String>,
    pub shell: Vec<String>,
    pub on_build: Vec<String>,
}

/// Docker's health check. Times are in nanoseconds, as configured.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Healthcheck {
    /// `["NONE"]`, `["CMD", …]` or `["CMD-SHELL", "…"]`.
    pub test: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub interval_ns: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub timeout_ns: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub start_period_ns: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retries: Option<u64>,
}

/// One line of the build history.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HistoryItem {
    pub created: String,
    pub created_by: String,
    pub comment: String,
    pub empty_layer: bool,
}

impl ImageConfig {
    /// Reads a configuration. Bytes that are no JSON give an empty one, and a problem.
    pub fn parse(bytes: &[u8]) -> Self {
        let mut problems = Vec::new();
        let root: Value = match serde_json::from_slice(bytes) {
            Ok(root) => root,
            Err(_) if bytes.is_empty() => Value::Null,
            Err(error) => {
                problems.push(format!("image configuration: {error}"));
                Value::Null
            }
        };
        let mut reader = Reader { problems };
        let container = root.get("config").unwrap_or(&Value::Null);
        ImageConfig {
            architecture: reader.optional(&root, "architecture"),
            os: reader.optional(&root, "os"),
            variant: reader.optional(&root, "variant"),
            created: reader.optional(&root, "created"),
            author: reader.optional(&root, "author"),
            container: reader.container(container),
            history: reader.history(&root),
            problems: reader.problems,
        }
    }

    /// For each layer of `count`, its line in the history: lines and layers
    /// are in the same order, and a line without `empty_layer` made a layer.
    pub fn history_of_layers(&self, count: usize) -> Vec<Option<usize>> {
        let mut lines = self.history.iter().enumerate().filter(|(_, line)| !line.empty_layer);
        (0..count).map(|_| lines.next().map(|(number, _)| number)).collect()
    }
}

struct Reader {
    problems: Vec<String>,
}

impl Reader {
    fn wrong(&mut self, key: &str, expected: &str) {
        self.problems.push(format!("image configuration: `{key}` is not {expected}"));
    }

    fn optional(&mut self, from: &Value, key: &str) -> Option<String> {
        match from.get(key) {
            None | Some(Value::Null) => None,
            Some(Value::String(text)) => Some(text.clone()),
            Some(_) => {
                self.wrong(key, "a text");
                None
            }
        }
    }

    fn text(&mut self, from: &Value, key: &str) -> String {
        self.optional(from, key).unwrap_or_default()
    }

    /// A list of texts; a single text is a list of one, as old builders wrote it.
    fn list(&mut self, from: &Value, key: &str) -> Vec<String> {
        match from.get(key) {
            None | Some(Value::Null) => Vec::new(),
            Some(Value::String(text)) => vec![text.clone()],
            Some(Value::Array(items)) if items.iter().all(Value::is_string) => {
                items.iter().filter_map(Value::as_str).map(str::to_owned).collect()
            }
            Some(_) => {
                self.wrong(key, "a list of texts");
                Vec::new()
            }
        }
    }

    /// The keys of an object: how ports and volumes are written.
    fn keys(&mut self, from: &Value, key: &str) -> Vec<String> {
        match from.get(key) {
            None | Some(Value::Null) => Vec::new(),
            Some(Value::Object(object)) => {
                let mut keys: Vec<_> = object.keys().cloned().collect();
                keys.sort();
                keys
            }
            Some(_) => {
                self.wrong(key, "an object");
                Vec::new()
            }
        }
    }

    fn labels(&mut self, from: &Value) -> BTreeMap<String, String> {
        let mut labels = BTreeMap::new();
        match from.get("Labels") {
            None | Some(Value::Null) => (),
            Some(Value::Object(object)) => {
                for (name, value) in object {
                    match value {
                        Value::String(text) => drop(labels.insert(name.clone(), text.clone())),
                        _ => self.wrong(&format!("Labels.{name}"), "a text"),
                    }
                }
            }
            Some(_) => self.wrong("Labels", "an object"),
        }
        labels
    }

    fn container(&mut self, from: &Value) -> ContainerConfig {
        let healthcheck = from.get("Healthcheck").filter(|value| value.is_object());
        ContainerConfig {
            user: self.text(from, "User"),
            env: self.list(from, "Env"),
            exposed_ports: self.keys(from, "ExposedPorts"),
            entrypoint: self.list(from, "Entrypoint"),
            cmd: self.list(from, "Cmd"),
            volumes: self.keys(from, "Volumes"),
            labels: self.labels(from),
            healthcheck: healthcheck.map(|from| Healthcheck {
                test: self.list(from, "Test"),
                interval_ns: from.get("Interval").and_then(Value::as_u64),
                timeout_ns: from.get("Timeout").and_then(Value::as_u64),
                start_period_ns: from.get("StartPeriod").and_then(Value::as_u64),
                retries: from.get("Retries").and_then(Value::as_u64),
            }),
            working_dir: self.text(from, "WorkingDir"),
            stop_signal: self.optional(from, "StopSignal"),
            shell: self.list(from, "Shell"),
            on_build: self.list(from, "OnBuild"),
        }
    }

    fn history(&mut self, root: &Value) -> Vec<HistoryItem> {
        let items = match root.get("history") {
            None | Some(Value::Null) => return Vec::new(),
            Some(Value::Array(items)) => items,
            Some(_) => {
                self.wrong("history", "a list");
                return Vec::new();
            }
        };
        let item = |item: &Value| HistoryItem {
            created: self.text(item, "created"),
            created_by: self.text(item, "created_by"),
            comment: self.text(item, "comment"),
            empty_layer: item.get("empty_layer").and_then(Value::as_bool).unwrap_or(false),
        };
        items.iter().map(item).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_of_the_wrong_type_is_named_and_the_rest_is_read() {
        let config = ImageConfig::parse(
            br#"{"architecture": 7, "os": "linux",
                 "config": {"Cmd": "sh", "Env": [1], "ExposedPorts": {"80/tcp": {}, "22/tcp": {}},
                            "Labels": {"a": "b", "c": null}, "Volumes": null},
                 "history": [{"created_by": "x", "empty_layer": true}, {}]}"#,
        );
        assert_eq!(config.os.as_deref(), Some("linux"));
        assert_eq!(config.container.cmd, ["sh"]);
        assert_eq!(config.container.exposed_ports, ["22/tcp", "80/tcp"]);
        assert_eq!(config.container.labels, BTreeMap::from([("a".into(), "b".into())]));
        assert_eq!(config.history_of_layers(2), [Some(1), None]);
        let expected = [
            "`architecture` is not a text",
            "`Env` is not a list of texts",
            "`Labels.c` is not a text",
        ];
        let problems: Vec<_> =
            config.problems.iter().map(|text| text.replace("image configuration: ", "")).collect();
        assert_eq!(problems, expected);
    }

    #[test]
    fn what_is_no_json_is_a_problem() {
        assert_eq!(ImageConfig::parse(b"{").problems.len(), 1);
        assert_eq!(ImageConfig::parse(b""), ImageConfig::default());
    }
}
