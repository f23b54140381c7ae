//! What can be written in a rule: every gate, trigger and parameter.

use serde_json::{Value, json};

use super::Style;
use super::json::{some, text};
use super::page::{Page, wrapped};
use inscan_judge::params::Params;
use inscan_judge::spec::{Gate, Kind, Param, Trigger};

/// A gate, and those of its triggers that are shown.
pub type Shown = (&'static Gate, Vec<&'static Trigger>);

pub fn json(gates: &[Shown]) -> String {
    let gate = |(gate, triggers): &Shown| {
        let triggers = triggers.iter().map(|trigger| json_trigger(trigger));
        json!({"name": gate.name, "about": gate.about, "triggers": triggers.collect::<Vec<_>>()})
    };
    text(json!({ "gates": gates.iter().map(gate).collect::<Vec<_>>() }))
}

fn json_trigger(trigger: &Trigger) -> Value {
    json!({
        "name": trigger.name,
        "aliases": some(trigger.aliases.to_vec()),
        "about": trigger.about,
        "params": trigger.params.iter().map(json_param).collect::<Vec<_>>(),
    })
}

fn json_param(param: &Param) -> Value {
    json!({
        "name": param.name,
        "aliases": some(param.aliases.to_vec()),
        "about": param.about,
        "type": word(param.kind),
        "values": some(values(param.kind).to_vec()),
        "required": param.required,
        "default": param.default,
        "example": param.example,
    })
}

/// The kind as one word, for programs.
fn word(kind: Kind) -> &'static str {
    match kind {
        Kind::Text => "text",
        Kind::OneOf(_) => "one-of",
        Kind::Boolean => "boolean",
        Kind::Integer => "integer",
        Kind::Float => "float",
        Kind::List => "list",
        Kind::Numbers => "numbers",
        Kind::Size => "size",
        Kind::Regex => "regex",
    }
}

fn values(kind: Kind) -> &'static [&'static str] {
    match kind {
        Kind::OneOf(values) => values,
        _ => &[],
    }
}

/// The kind as people say it.
fn said(kind: Kind) -> String {
    match kind {
        Kind::Text => "a text".to_owned(),
        Kind::OneOf(words) => format!("one of {}", words.join(", ")),
        Kind::Boolean => "true or false".to_owned(),
        Kind::Integer => "a whole number".to_owned(),
        Kind::Float => "a number".to_owned(),
        Kind::List => "texts between commas".to_owned(),
        Kind::Numbers => "whole numbers between commas".to_owned(),
        Kind::Size => "a size in bytes, or as 10mb".to_owned(),
        Kind::Regex => "a regular expression".to_owned(),
    }
}

pub fn table(gates: &[Shown], style: &Style) -> String {
    let mut page = Page::new(style);
    for (gate, triggers) in gates {
        page.heading(gate.name, "");
        indented(gate.about, 2, &mut page);
        for trigger in triggers {
            page.line("");
            page.line(&format!("  {}{}", style.bold(trigger.name), also(trigger.aliases)));
            indented(trigger.about, 4, &mut page);
            trigger.params.iter().for_each(|param| table_param(param, &mut page));
        }
    }
    page.text.trim_start_matches('\n').to_owned()
}

fn table_param(param: &Param, page: &mut Page<'_>) {
    let star = if param.required { " (required)" } else { "" };
    page.line(&format!("      {}{star}{}", param.name, also(param.aliases)));
    indented(&format!("{}.", param.about), 10, page);
    let default = param.default.map_or_else(String::new, |text| format!("; without it `{text}`"));
    let text = format!("It is {}{default}. As `{}`.", said(param.kind), param.example);
    indented(&text, 10, page);
}

fn also(aliases: &[&str]) -> String {
    if aliases.is_empty() { String::new() } else { format!(", also {}", aliases.join(", ")) }
}

fn indented(text: &str, columns: usize, page: &mut Page<'_>) {
    for line in wrapped(text, page.style.columns.saturating_sub(columns)) {
        page.line(&format!("{:columns$}{line}", ""));
    }
}

/// The page `docs/policy-gates.md`, from its first gate on.
pub fn markdown(gates: &[Shown]) -> String {
    let mut page = String::new();
    for (gate, triggers) in gates {
        page.push_str(&format!("\n## {}\n\n{}.\n", gate.name, cell(gate.about)));
        for trigger in triggers {
            let also = also(trigger.aliases);
            page.push_str(&format!("\n### {}.{}\n\n", gate.name, trigger.name));
            page.push_str(&format!("{}{}.\n", cell(trigger.about), also));
            markdown_params(trigger, &mut page);
            page.push_str(&format!("\n```yaml\n{}```\n", example(gate, trigger)));
        }
    }
    page.trim_start().to_owned()
}

fn markdown_params(trigger: &Trigger, page: &mut String) {
    if trigger.params.is_empty() {
        return;
    }
    page.push_str(
        "\n| parameter | value | without it | what it says |\n| --- | --- | --- | --- |\n",
    );
    for param in trigger.params {
        let default = match (param.default, param.required) {
            (Some(text), _) => format!("`{}`", cell(text)),
            (None, true) => "an error".to_owned(),
            (None, false) => String::new(),
        };
        let value = match param.kind {
            Kind::OneOf(words) => {
                let words = words.iter().map(|word| format!("`{}`", cell(word)));
                words.collect::<Vec<_>>().join(", ")
            }
            kind => said(kind),
        };
        let name = format!("`{}`{}", param.name, also(param.aliases));
        page.push_str(&format!("| {name} | {value} | {default} | {} |\n", cell(param.about)));
    }
}

/// A bar would end the cell of a table.
fn cell(text: &str) -> String {
    text.replace('|', "\\|")
}

/// A rule of the trigger with all that it needs.
fn example(gate: &Gate, trigger: &Trigger) -> String {
    let mut rule = format!("- gate: {}\n  trigger: {}\n  action: WARN\n", gate.name, trigger.name);
    let needed = needed(trigger);
    if needed.is_empty() {
        rule.push_str("  params: []\n");
    } else {
        rule.push_str("  params:\n");
    }
    for param in needed {
        let value = param.example.replace('\'', "''");
        rule.push_str(&format!("    - {{name: {}, value: '{value}'}}\n", param.name));
    }
    rule
}

/// What is required, and where that says nothing by itself, all that has no default.
fn needed(trigger: &Trigger) -> Vec<&'static Param> {
    let required: Vec<_> = trigger.params.iter().filter(|param| param.required).collect();
    let given = |params: &[&Param]| {
        let given = params.iter().map(|param| (param.name.to_owned(), param.example.to_owned()));
        given.collect::<Vec<_>>()
    };
    match Params::of(trigger, "", &given(&required)) {
        Ok(_) => required,
        Err(_) => trigger.params.iter().filter(|param| param.default.is_none()).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use inscan_judge::gates::gates;
    use inscan_judge::{Bundle, Mode};

    fn all() -> Vec<Shown> {
        gates().iter().map(|gate| (*gate, gate.triggers.iter().collect())).collect()
    }

    /// The page teaches by its examples: each of them is a rule that can be read.
    #[test]
    fn every_example_is_a_valid_rule() {
        for (gate, triggers) in all() {
            for trigger in triggers {
                let rule = example(gate, trigger).replace('\n', "\n      ");
                let bundle = format!(
                    "id: b\nversion: '1_0'\nmappings: []\npolicies:\n  - id: p\n    version: '1_0'\n    \
                     rules:\n      {rule}\n"
                );
                let read = Bundle::read(bundle.as_bytes(), Mode::Strict);
                assert!(read.is_ok(), "{bundle}\n{:?}", read.err());
            }
        }
    }

    #[test]
    fn each_form_has_every_name() {
        let all = all();
        let (json, table) = (json(&all), table(&all, &Style::plain()));
        let markdown = markdown(&all);
        for (gate, triggers) in &all {
            for name in triggers.iter().map(|trigger| trigger.name).chain([gate.name]) {
                for text in [&json, &table, &markdown] {
                    assert!(text.contains(name), "{name}");
                }
            }
        }
        // A single word that is longer, as a digest, is not cut.
        let fits = |line: &str| line.chars().count() <= 80 || !line.trim().contains(' ');
        assert!(table.lines().all(fits));
    }
}
