//! The image configuration
//! (<https://github.com/opencontainers/image-spec/blob/main/config.md>), with
//! Docker's additions.
//!
//! Builders take liberties with it: a field of another type than expected is
//! skipped and named in [`ImageConfig::problems`], and the rest is read. Only what says
//! which layers the image has must be right.

use std::collections::BTreeMap;

use serde_json::Value;

use super::documents;
use super::platform::Platform;
use crate::fault;
use inscan_document::config::{ContainerConfig, Healthcheck};
use inscan_facts::error::shown;
use inscan_facts::json::{self, Form};

/// What the configuration says, empty where it says nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ImageConfig {
    pub architecture: Option<String>,
    pub os: Option<String>,
    pub variant: Option<String>,
    /// Of Windows: `10.0.20348.2700`.
    pub os_version: Option<String>,
    pub os_features: Vec<String>,
    pub created: Option<String>,
    pub author: Option<String>,
    pub container: ContainerConfig,
    pub history: Vec<HistoryItem>,
    /// Of the layers, base first, as written.
    pub diff_ids: Vec<String>,
    /// What could not be understood.
    pub problems: Vec<String>,
}

/// One line of the build history.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HistoryItem {
    pub created: String,
    pub created_by: String,
    pub comment: String,
    pub empty_layer: bool,
}

const TEXTS: Form = Form::List(&Form::Text);
const KEYS: Form = Form::Map(&Form::Any);
const CONTAINER: Form = Form::Object(&[
    ("User", Form::Any),
    ("Env", TEXTS),
    ("ExposedPorts", KEYS),
    ("Entrypoint", TEXTS),
    ("Cmd", TEXTS),
    ("Volumes", KEYS),
    ("Labels", Form::Map(&Form::Text)),
    ("Healthcheck", HEALTHCHECK),
    ("WorkingDir", Form::Any),
    ("StopSignal", Form::Any),
    ("Shell", TEXTS),
    ("OnBuild", TEXTS),
]);
const HEALTHCHECK: Form = Form::Object(&[
    ("Test", TEXTS),
    ("Interval", Form::Any),
    ("Timeout", Form::Any),
    ("StartPeriod", Form::Any),
    ("Retries", Form::Any),
]);
const HISTORY: Form = Form::Object(&[
    ("created", Form::Any),
    ("created_by", Form::Any),
    ("comment", Form::Any),
    ("empty_layer", Form::Any),
]);
const CONFIG: Form = Form::Object(&[
    ("architecture", Form::Any),
    ("os", Form::Any),
    ("variant", Form::Any),
    ("os.version", Form::Any),
    ("os.features", TEXTS),
    ("created", Form::Any),
    ("author", Form::Any),
    ("config", CONTAINER),
    ("history", Form::List(&HISTORY)),
    ("rootfs", Form::Object(&[("type", Form::Any), ("diff_ids", TEXTS)])),
]);

impl ImageConfig {
    /// Reads the configuration of an image that is opened: its layers must be certain.
    pub fn parse(bytes: &[u8]) -> anyhow::Result<Self> {
        let what = "the image configuration";
        let root = documents::object(bytes, &CONFIG, what)?;
        let diff_ids = match root.pointer("/rootfs/diff_ids") {
            None => Vec::new(),
            Some(ids) => serde_json::from_value(ids.clone()).map_err(|error| {
                fault::damaged(format!(
                    "could not understand {what}: `rootfs.diff_ids`: {}",
                    shown(error.to_string())
                ))
            })?,
        };
        Ok(ImageConfig { diff_ids, ..ImageConfig::of(&root, Vec::new()) })
    }

    /// Reads the configuration of an image that was opened. Bytes that are no JSON give an
    /// empty one, and a problem.
    pub fn read(bytes: &[u8]) -> Self {
        match json::read(bytes, &CONFIG) {
            Ok(root) => ImageConfig::of(&root, Vec::new()),
            Err(_) if bytes.is_empty() => ImageConfig::default(),
            Err(error) => {
                ImageConfig::of(&Value::Null, vec![format!("image configuration: {error}")])
            }
        }
    }

    fn of(root: &Value, problems: Vec<String>) -> Self {
        let mut reader = Reader { problems };
        let container = root.get("config").unwrap_or(&Value::Null);
        ImageConfig {
            architecture: reader.optional(root, "architecture"),
            os: reader.optional(root, "os"),
            variant: reader.optional(root, "variant"),
            os_version: reader.optional(root, "os.version"),
            os_features: reader.list(root, "os.features"),
            created: reader.optional(root, "created"),
            author: reader.optional(root, "author"),
            container: reader.container(container),
            history: reader.history(root),
            diff_ids: Vec::new(),
            problems: reader.problems,
        }
    }

    /// `None` where the configuration leaves it open.
    pub fn platform(&self) -> Option<Platform> {
        let stated = |field: &Option<String>| field.clone().filter(|text| !text.is_empty());
        let (os, architecture) = (stated(&self.os)?, stated(&self.architecture)?);
        let plain = Platform::new(&os, &architecture, self.variant.as_deref().unwrap_or_default());
        Some(plain.with(self.os_version.as_deref().unwrap_or_default(), &self.os_features))
    }

    /// For each line of the history, the layer of `count` that it made: lines and layers
    /// are in the same order, and a line without `empty_layer` made a layer.
    pub fn layers_of_history(&self, count: usize) -> Vec<Option<usize>> {
        let mut layers = 0..count;
        let made = |line: &HistoryItem| if line.empty_layer { None } else { layers.next() };
        self.history.iter().map(made).collect()
    }

    /// The other way round: for each layer of `count`, its line in the history.
    pub fn history_of_layers(&self, count: usize) -> Vec<Option<usize>> {
        let mut lines = vec![None; count];
        for (line, layer) in self.layers_of_history(count).into_iter().enumerate() {
            if let Some(of_layer) = layer.and_then(|layer| lines.get_mut(layer)) {
                *of_layer = Some(line);
            }
        }
        lines
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

    /// The keys of an object: how ports and volumes are written. Some builders write a list.
    fn keys(&mut self, from: &Value, key: &str) -> Vec<String> {
        match from.get(key) {
            None | Some(Value::Null) => Vec::new(),
            Some(Value::Object(object)) => {
                let mut keys: Vec<_> = object.keys().cloned().collect();
                keys.sort();
                keys
            }
            Some(Value::Array(items)) if items.iter().all(Value::is_string) => self.list(from, key),
            Some(_) => {
                self.wrong(key, "an object");
                Vec::new()
            }
        }
    }

    /// Labels are texts; some builders write numbers and booleans.
    fn labels(&mut self, from: &Value) -> BTreeMap<String, String> {
        let mut labels = BTreeMap::new();
        match from.get("Labels") {
            None | Some(Value::Null) => (),
            Some(Value::Object(object)) => {
                for (name, value) in object {
                    match value {
                        Value::String(text) => drop(labels.insert(name.clone(), text.clone())),
                        Value::Null => drop(labels.insert(name.clone(), String::new())),
                        Value::Number(_) | Value::Bool(_) => {
                            labels.insert(name.clone(), value.to_string());
                        }
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
            "Labels": {"n": 1, "t": "x", "e": null}, "OnBuild": ["RUN x"]}}"#;
        let labels = [("e", ""), ("n", "1"), ("t", "x")];
        let container = ContainerConfig {
            cmd: vec!["sh".to_owned()],
            exposed_ports: vec!["80".to_owned()],
            volumes: vec!["/a".to_owned(), "/b".to_owned()],
            labels: labels.map(|(key, value)| (key.to_owned(), value.to_owned())).into(),
            on_build: vec!["RUN x".to_owned()],
            ..ContainerConfig::default()
        };
        check(json, ImageConfig { container, ..ImageConfig::default() });
    }

    #[test]
    fn fields_are_read_in_the_spellings_that_engines_take() {
        let json = r#"{"OS": "linux", "Architecture": "amd64", "RootF\u017f": {"DIFF_IDS": ["x"]},
            "Config": {"user": "me", "LABELS": {"A": "b", "a": "c"}, "healthchec\u212a": {"test": ["NONE"]}},
            "History": [{"Created_By": "x", "EMPTY_LAYER": true}]}"#;
        let config = ImageConfig::parse(json.as_bytes()).unwrap();
        assert_eq!(
            (&*config.diff_ids, config.platform().unwrap().to_string()),
            (&["x".to_owned()][..], "linux/amd64".to_owned())
        );
        assert_eq!((&*config.container.user, config.container.labels.len()), ("me", 2));
        assert_eq!(config.container.healthcheck.unwrap().test, ["NONE"]);
        assert!(config.history[0].empty_layer);
    }

    #[test]
    fn what_is_of_the_wrong_type_is_named_and_the_rest_is_read() {
        let config = ImageConfig::read(
            br#"{"architecture": 7, "os": "linux",
                 "config": {"Cmd": "sh", "Env": [1], "ExposedPorts": {"80/tcp": {}, "22/tcp": {}},
                            "Labels": {"a": "b", "c": []}, "Volumes": null},
                 "history": [{"created_by": "x", "empty_layer": true}, {}]}"#,
        );
        assert_eq!(config.os.as_deref(), Some("linux"));
        assert_eq!(config.container.cmd, ["sh"]);
        assert_eq!(config.container.exposed_ports, ["22/tcp", "80/tcp"]);
        assert_eq!(config.container.labels, BTreeMap::from([("a".into(), "b".into())]));
        assert_eq!(config.history_of_layers(2), [Some(1), None]);
        assert_eq!(config.layers_of_history(2), [None, Some(0)]);
        assert_eq!(config.layers_of_history(0), [None, None]);
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
    fn what_says_the_layers_must_be_right() {
        let twice = r#"{"rootfs": {"diff_ids": []}, "rootfs": {"diff_ids": ["x"]}}"#;
        let within = r#"{"rootfs": {"diff_ids": [], "diff_ids": ["x"]}}"#;
        let mixed = r#"{"rootfs": {}, "RootFs": {}}"#;
        let list = r#"{"rootfs": [], "history": []}"#;
        for wrong in
            ["", "null", "[]", r#"{"rootfs": {"diff_ids": "x"}}"#, twice, within, mixed, list]
        {
            assert!(ImageConfig::parse(wrong.as_bytes()).is_err(), "{wrong}");
        }
        let config =
            ImageConfig::parse(br#"{"rootfs": {"diff_ids": ["x"]}, "history": "x"}"#).unwrap();
        assert_eq!((config.diff_ids.len(), config.problems.len()), (1, 1));
    }

    #[test]
    fn what_is_no_json_is_a_problem() {
        assert_eq!(ImageConfig::read(b"{").problems.len(), 1);
        assert_eq!(ImageConfig::read(b""), ImageConfig::default());
    }
}
