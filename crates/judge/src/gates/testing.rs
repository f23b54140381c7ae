//! Rules asked of small documents.

use serde_json::{Value, json};

use crate::facts::DocumentFacts;
use crate::params::Params;
use crate::spec::{Gate, Match, Trigger};
use inscan_document::Section;

/// `imagedata` of a document: outputs by `module/output`, and a Dockerfile.
pub(super) fn image(outputs: &[(&str, Value)], dockerfile: (&str, &str)) -> Value {
    let mut report = json!({});
    for (output, values) in outputs {
        let (module, output) = output.split_once('/').unwrap();
        report[module][output] = json!({ "base": values });
    }
    let (mode, contents) = dockerfile;
    json!({"analysis_report": report, "image_report": {
        "docker_data": {"Architecture": "arm64"}, "layers": ["a", "b", "c"],
        "meta": {"sizebytes": 40960}, "dockerfile_mode": mode, "dockerfile_contents": contents}})
}

pub(super) fn with_outputs(outputs: &[(&str, Value)]) -> Value {
    image(outputs, ("Guessed", ""))
}

/// What a rule fires for this image, as texts: ids where they are not made of the message.
pub(super) fn fired(
    gate: &'static Gate,
    trigger: &str,
    params: &[(&str, &str)],
    image: &Value,
) -> Vec<String> {
    let shown = |found: Match| match found.id {
        Some(id) => format!("{id}: {}", found.message),
        None => found.message,
    };
    answer(gate, trigger, params, image).unwrap().into_iter().map(shown).collect()
}

/// Why a rule cannot be asked, or not answered for this image.
pub(super) fn failure(
    gate: &'static Gate,
    trigger: &str,
    params: &[(&str, &str)],
    image: &Value,
) -> String {
    answer(gate, trigger, params, image).unwrap_err()
}

/// The parameters of a rule, which are right.
pub(super) fn params(gate: &'static Gate, trigger: &str, params: &[(&str, &str)]) -> Params {
    let trigger = gate.triggers.iter().find(|it| it.name == trigger).expect("a trigger");
    let given = params.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    Params::of(trigger, "rule-1", &given.collect::<Vec<_>>()).expect("right parameters")
}

fn answer(
    gate: &'static Gate,
    trigger: &str,
    params: &[(&str, &str)],
    image: &Value,
) -> Result<Vec<Match>, String> {
    let named = |it: &&Trigger| it.name == trigger || it.aliases.contains(&trigger);
    let trigger = gate.triggers.iter().find(named).expect("a trigger of the gate");
    let given = params.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    let params = Params::of(trigger, "rule-1", &given.collect::<Vec<_>>())
        .map_err(|errors| errors.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))?;
    let text = json!({"document": [{"image": {"imageId": "0", "imagedata": image}}]}).to_string();
    let section = Section::default();
    let facts = DocumentFacts::of_document(text.as_bytes(), &section).unwrap();
    (trigger.fire)(&facts, &params).map_err(|error| error.to_string())
}
