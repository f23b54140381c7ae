//! The image's configuration and history: searched for secrets as files are, and shown to
//! everyone with what was found in them masked.

use std::collections::{BTreeMap, HashSet};

use inscan_analyzers::secrets;
use serde_json::Value;

use super::{Analysis, FoundSecret};
use crate::source::{HistoryItem, ImageConfig};

/// A configuration as it is shown: no secret that is known stands in it.
pub(super) fn masked(config: &ImageConfig) -> ImageConfig {
    let mut shown = config.clone();
    let container = &mut shown.container;
    for variable in &mut container.env {
        *variable = secrets::masked(b"env", variable);
    }
    container.labels = masked_labels(&container.labels);
    for text in [&mut container.user, &mut container.working_dir] {
        *text = secrets::masked(b"labels", text);
    }
    for volume in &mut container.volumes {
        *volume = secrets::masked(b"labels", volume);
    }
    if let Some(author) = &mut shown.author {
        *author = secrets::masked(b"labels", author);
    }
    for words in [&mut container.entrypoint, &mut container.cmd, &mut container.shell] {
        *words = masked_words(words);
    }
    if let Some(check) = &mut container.healthcheck {
        check.test = masked_words(&check.test);
    }
    for line in &mut container.on_build {
        *line = secrets::masked(b"history", line);
    }
    let mask = |line: &mut HistoryItem| {
        line.created_by = secrets::masked(b"history", &line.created_by);
        line.comment = secrets::masked(b"history", &line.comment);
    };
    shown.history.iter_mut().for_each(mask);
    shown
}

/// Most names are no secret: what is masked stands behind them.
fn masked_labels(labels: &BTreeMap<String, String>) -> BTreeMap<String, String> {
    let masked = |(name, value): (&String, &String)| {
        let text = secrets::masked(b"labels", &format!("{name}={value}"));
        match text.strip_prefix(&format!("{name}=")) {
            Some(value) => (name.clone(), value.to_owned()),
            None => (secrets::masked(b"labels", name), secrets::masked(b"labels", value)),
        }
    };
    labels.iter().map(masked).collect()
}

/// Words of a command, which say together what each of them is: `--password`, then it.
fn masked_words(words: &[String]) -> Vec<String> {
    let masked = secrets::masked(b"command", &joined(words));
    let parts: Vec<String> = masked.split('\t').map(str::to_owned).collect();
    if parts.len() == words.len() {
        return parts;
    }
    words.iter().map(|word| secrets::masked(b"command", word)).collect()
}

/// A tab is between two words, and nearly never in one.
fn joined(words: &[String]) -> String {
    words.join("\t")
}

impl Analysis<'_> {
    /// Everything of the configuration that may have a secret: who can pull the image, reads it.
    pub(super) fn search_configuration(&mut self) {
        let searches =
            |name| self.analyzers.iter().find(|one| one.name() == name && !one.wants().is_empty());
        let Some(analyzer) = searches("secrets").map(|analyzer| analyzer.name()) else { return };
        // What is wrong with a configuration is said where the document is written.
        let config = &self.config;
        let mut searched = HashSet::new();
        let mut put = |layer: Option<usize>, name: &str, text: &str| {
            searched.insert(text.to_owned());
            for secret in secrets::find(name.as_bytes(), text.as_bytes()) {
                let (path, origin) = (None, None);
                let found = FoundSecret { analyzer, layer, path, visible: true, origin, secret };
                self.secrets.push(found);
            }
        };
        let container = &config.container;
        container.env.iter().for_each(|variable| put(None, "env", variable));
        for (name, value) in &container.labels {
            put(None, "labels", &format!("{name}={value}"));
        }
        put(None, "command", &joined(&container.entrypoint));
        put(None, "command", &joined(&container.cmd));
        put(None, "command", &joined(&container.shell));
        if let Some(check) = &container.healthcheck {
            put(None, "command", &joined(&check.test));
        }
        container.on_build.iter().for_each(|line| put(None, "history", line));
        let layers = config.layers_of_history(self.layers.len());
        for (line, layer) in config.history.iter().zip(layers) {
            put(layer, "history", &line.created_by);
            put(layer, "history", &line.comment);
        }
        // What stands in other places, and what has stood here already.
        let others = [Some(&self.image.config), self.image.manifest.as_ref()];
        let mut texts = Vec::new();
        for value in others.into_iter().flatten().filter_map(|it| serde_json::from_slice(it).ok()) {
            other_texts("", &value, &mut texts);
        }
        texts.retain(|(_, text)| !searched.contains(text));
        texts.dedup();
        for (name, text) in texts {
            for secret in secrets::find(name.as_bytes(), text.as_bytes()) {
                let (path, origin) = (None, None);
                let found =
                    FoundSecret { analyzer, layer: None, path, visible: true, origin, secret };
                self.secrets.push(found);
            }
        }
    }
}

/// Texts of one configuration, at most.
const MAX_TEXTS: usize = 20_000;

/// All texts below a value, each with what it is: `env` by the list it is in, the words of
/// another list together, names and texts of objects as labels are.
fn other_texts(name: &str, value: &Value, out: &mut Vec<(&'static str, String)>) {
    if out.len() >= MAX_TEXTS {
        return;
    }
    match value {
        Value::String(text) => out.push(("labels", text.clone())),
        Value::Array(items) => {
            let words: Vec<String> =
                items.iter().filter_map(|item| item.as_str().map(str::to_owned)).collect();
            match name {
                "Env" => out.extend(words.into_iter().map(|word| ("env", word))),
                "OnBuild" => out.extend(words.into_iter().map(|word| ("history", word))),
                "diff_ids" => {}
                _ if words.is_empty() => {
                    items.iter().for_each(|item| other_texts(name, item, out));
                }
                _ => out.push(("command", joined(&words))),
            }
        }
        Value::Object(members) => {
            for (name, value) in members {
                match value {
                    Value::String(text) if matches!(&name[..], "created_by" | "comment") => {
                        out.push(("history", text.clone()));
                    }
                    Value::String(text) => out.push(("labels", format!("{name}={text}"))),
                    Value::Array(_) => other_texts(name, value, out),
                    Value::Object(_) => {
                        out.push(("labels", name.clone()));
                        other_texts(name, value, out);
                    }
                    _ => {}
                }
            }
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_that_is_known_to_be_a_secret_is_shown() {
        let token = ["ghp", "_q8W7e6R5t4Y3u2I1o0P9a8S7d6F5g4H3j2K1"].concat();
        let text = serde_json::json!({
            "config": {
                "Env": [format!("A={token}"), "DB_PASSWORD=q8W7#e6R5t4", "PATH=/bin"],
                "Cmd": ["app", "--password", "q8W7#e6R5t4", token.as_str()],
                "Entrypoint": [format!("--key={token}")],
                "Healthcheck": {"Test": ["CMD-SHELL", format!("curl -H 'PRIVATE-TOKEN: {token}' x")]},
                "OnBuild": [format!("ENV T={token}")],
                "Labels": {"a": token.as_str(), "b": "c", token.as_str(): "d"},
                "User": token.as_str(),
                "WorkingDir": format!("/{token}"),
                "Volumes": {format!("/{token}"): {}}
            },
            "author": token.as_str(),
            "history": [{"created_by": format!("RUN |1 T={token} make"), "comment": token.as_str()}]
        });
        let config = ImageConfig::read(text.to_string().as_bytes());
        let shown = format!("{:?}", masked(&config));
        assert!(!shown.contains(&token[4..12]) && !shown.contains("q8W7#e6"), "{shown}");
        assert!(shown.contains("PATH=/bin") && shown.contains("make"), "{shown}");
    }

    #[test]
    fn texts_are_what_they_stand_among() {
        let value = serde_json::json!({
            "author": "me",
            "container_config": {"Env": ["A=b"], "Cmd": ["x", "y"], "Volumes": {"/v": {}}},
            "history": [{"created_by": "RUN x", "author": "you"}],
            "rootfs": {"diff_ids": ["sha256:0"]}
        });
        let mut texts = Vec::new();
        other_texts("", &value, &mut texts);
        texts.sort();
        let expected = [
            ("command", "x\ty"),
            ("env", "A=b"),
            ("history", "RUN x"),
            ("labels", "/v"),
            ("labels", "Volumes"),
            ("labels", "author=me"),
            ("labels", "author=you"),
            ("labels", "container_config"),
            ("labels", "rootfs"),
        ];
        assert_eq!(texts, expected.map(|(name, text)| (name, text.to_owned())));
    }
}
