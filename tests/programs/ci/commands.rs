//! The `inscan` commands in a recipe, taken apart as a shell would, with values for variables.

use serde_json::Value;

/// What the services and the recipes' own variables stand for.
const VARIABLES: &[(&str, &str)] = &[
    ("IMAGE", "app:1"),
    ("RUNNER_TEMP", "/tmp"),
    ("BUILD_NUMBER", "1"),
    ("CIRCLE_SHA1", "1"),
    ("BITBUCKET_COMMIT", "1"),
    ("CODEBUILD_RESOLVED_SOURCE_VERSION", "1"),
    ("Build.BuildId", "1"),
    ("params.image", "app:1"),
    ("params.fail-on", "high"),
    ("params.database-url", "https://mirror.example/vulnerabilities.db"),
    ("workspaces.source.path", "/workspace"),
];

/// Of all scripts in it, wherever they stand; and of steps that run the program itself.
pub(crate) fn of_yaml(value: &Value) -> Vec<Vec<String>> {
    match value {
        Value::String(text) => of_script(text),
        Value::Array(values) => values.iter().flat_map(of_yaml).collect(),
        Value::Object(fields) => {
            if fields.get("command").is_some_and(|it| it[0] == "/inscan") {
                let words = fields["args"].as_array().unwrap().iter();
                let words = words.map(|word| substituted(word.as_str().unwrap()));
                return vec![std::iter::once("inscan".to_owned()).chain(words).collect()];
            }
            fields.values().flat_map(of_yaml).collect()
        }
        _ => Vec::new(),
    }
}

pub(crate) fn of_script(script: &str) -> Vec<Vec<String>> {
    let script = script.replace("\\\n", " ");
    let lines = script.lines().map(str::trim).filter(|line| line.starts_with("inscan "));
    // A name and no more is the key of a cache.
    lines.map(words).filter(|words| words.len() > 1).collect()
}

/// Up to what is no argument any more.
fn words(line: &str) -> Vec<String> {
    let mut words = Vec::new();
    for word in line.split_whitespace() {
        if matches!(word, "||" | "&&" | "|" | ">" | ";") {
            break;
        }
        words.push(substituted(&word.replace(['"', '\''], "")));
    }
    words
}

/// `$NAME`, and `$(NAME)` of Azure and Tekton.
fn substituted(word: &str) -> String {
    let mut word = word.to_owned();
    for (name, value) in VARIABLES {
        word = word.replace(&format!("$({name})"), value).replace(&format!("${name}"), value);
    }
    assert!(!word.contains('$'), "`{word}`: what does this stand for?");
    word
}
