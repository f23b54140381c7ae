//! Held against Go's `encoding/json`: what it reads of a document is read here, and what it
//! refuses is refused here.
//!
//! Documents are generated and damaged from a seed, so that every run has the same. There are
//! 20,000 of them; `INSCAN_JSON_DOCUMENTS` sets another number, `INSCAN_JSON_SEED` another seed.

use std::collections::BTreeMap;

use inscan_facts::json::{Form, parse};
use inscan_test_support::go::Go;
use inscan_test_support::{need_programs, setting};
use serde::{Deserialize, Serialize};
use serde_json::Value;

const PLATFORM: Form = Form::Object(&[
    ("architecture", Form::Text),
    ("os", Form::Text),
    ("os.features", Form::List(&Form::Text)),
]);
const DESCRIPTOR: Form = Form::Object(&[
    ("mediaType", Form::Text),
    ("digest", Form::Text),
    ("size", Form::Any),
    ("urls", Form::List(&Form::Text)),
    ("annotations", Form::Map(&Form::Text)),
    ("platform", PLATFORM),
]);
const DOCUMENT: Form = Form::Object(&[
    ("schemaVersion", Form::Any),
    ("config", DESCRIPTOR),
    ("layers", Form::List(&DESCRIPTOR)),
    ("rootfs", Form::Object(&[("diff_ids", Form::List(&Form::Text))])),
    ("tasks", Form::Any),
]);

#[derive(Default, Deserialize, Serialize)]
#[serde(default)]
struct Platform {
    architecture: String,
    os: String,
    #[serde(rename = "os.features")]
    features: Vec<String>,
}

#[derive(Default, Deserialize, Serialize)]
#[serde(default, rename_all = "camelCase")]
struct Descriptor {
    media_type: String,
    digest: String,
    size: i64,
    urls: Vec<String>,
    annotations: BTreeMap<String, String>,
    platform: Option<Platform>,
}

#[derive(Default, Deserialize, Serialize)]
#[serde(default)]
struct RootFs {
    diff_ids: Vec<String>,
}

#[derive(Default, Deserialize, Serialize)]
#[serde(default)]
struct Document {
    #[serde(rename = "schemaVersion")]
    schema_version: i64,
    config: Descriptor,
    layers: Vec<Descriptor>,
    rootfs: RootFs,
    tasks: bool,
}

/// What Go reads and is refused here: it depends on who reads it, or no Go program writes it.
const STRICTER: [&str; 6] = [
    "twice",
    "lone leading surrogate",
    "unexpected end of hex escape",
    "number out of range",
    "floating point `-0.0`",
    "recursion limit",
];

#[derive(Debug, Default)]
struct Tally {
    read: u64,
    refused: u64,
    stricter: u64,
}

#[test]
#[expect(clippy::print_stdout, reason = "figures, for whoever asks for them")]
fn reads_what_go_reads_and_refuses_what_go_refuses() {
    if !need_programs(&["go"]) {
        return;
    }
    let (count, seed) = (setting("INSCAN_JSON_DOCUMENTS", 20_000), setting("INSCAN_JSON_SEED", 1));
    let inputs = (0..count).map(move |number| document(seed, number));
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/json");
    let mut go = Go::asked(folder, env!("CARGO_TARGET_TMPDIR"), "json-reader", inputs);
    let mut lines = go.lines();
    let mut tally = Tally::default();
    for number in 0..count {
        let text = document(seed, number);
        let theirs = lines.next().expect("a line for each document");
        let theirs = (theirs != "refused").then(|| serde_json::from_str(&theirs).unwrap());
        let ours = parse::<Option<Document>>(&text, &DOCUMENT).map(Option::unwrap_or_default);
        let shown = || format!("document {number} of seed {seed}: {}", text.escape_ascii());
        match (theirs, ours) {
            (Some(theirs), Ok(ours)) => {
                let ours = serde_json::to_value(ours).unwrap();
                assert_eq!(pruned(ours), pruned(theirs), "{}", shown());
                tally.read += 1;
            }
            (None, Err(_)) => tally.refused += 1,
            (Some(_), Err(error)) => {
                let why = error.to_string();
                assert!(STRICTER.iter().any(|it| why.contains(it)), "{why}: {}", shown());
                tally.stricter += 1;
            }
            (None, Ok(_)) => panic!("only Go refuses {}", shown()),
        }
    }
    drop(lines);
    go.ends();
    println!("{count} documents of seed {seed}: {tally:?}");
    let Tally { read, refused, stricter } = tally;
    assert!(read * 3 > count && refused * 10 > count && stricter * 50 > count, "{tally:?}");
}

/// Without what is empty: Go writes `null` or nothing for it.
fn pruned(value: Value) -> Value {
    match value {
        Value::Object(object) => {
            let fields = object.into_iter().map(|(name, value)| (name, pruned(value)));
            Value::Object(fields.filter(|(_, value)| !is_empty(value)).collect())
        }
        Value::Array(items) => Value::Array(items.into_iter().map(pruned).collect()),
        other => other,
    }
}

fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Bool(value) => !value,
        Value::Number(number) => number.as_i64() == Some(0),
        Value::String(text) => text.is_empty(),
        Value::Array(items) => items.is_empty(),
        Value::Object(fields) => fields.is_empty(),
    }
}

/// Numbers that look like chance and are the same in every run (splitmix64).
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, end: usize) -> usize {
        (self.next() % end as u64) as usize
    }

    fn one_in(&mut self, times: usize) -> bool {
        self.below(times) == 0
    }

    fn of<T: Copy>(&mut self, choices: &[T]) -> T {
        choices[self.below(choices.len())]
    }
}

fn document(seed: u64, number: u64) -> Vec<u8> {
    let mut random = Random(seed.wrapping_mul(0x1_0000_0001) ^ number);
    let mut text = String::new();
    write(&DOCUMENT, &mut random, 4, &mut text);
    let mut text = text.into_bytes();
    if random.one_in(20) {
        text.extend(random.of(&[&b" "[..], b"\n", b"{}", b"x", b",", b"\0"]));
    }
    while random.one_in(8) && !text.is_empty() {
        let at = random.below(text.len());
        match random.below(4) {
            0 => text.truncate(at),
            1 => drop(text.remove(at)),
            2 => text.insert(at, random.next() as u8),
            _ => text[at] = random.of(b"\xff\xe2\x80\"\\{}[]:,0u "),
        }
    }
    text
}

/// A value of a form; now and then one of another, or `null`.
fn write(form: &Form, random: &mut Random, depth: usize, out: &mut String) {
    if random.one_in(25) || depth == 0 {
        let other = ["null", "null", "1", "-0", "1e3", "true", "\"text\"", "[]", "{}", "[null]"];
        return out.push_str(random.of(&other));
    }
    match form {
        Form::Any => out.push_str(random.of(&["2", "808", "9223372036854775807", "true", "null"])),
        Form::Text => {
            let texts = ["", "sha256:00", "\\u0041", "\\ud83d\\ude00", "\\ud800", "a\\n", "\u{e4}"];
            out.push_str(&format!("\"{}\"", random.of(&texts)));
        }
        Form::List(item) => {
            out.push('[');
            for at in 0..random.below(3) {
                out.push_str(if at > 0 { ", " } else { "" });
                write(item, random, depth - 1, out);
            }
            out.push(']');
        }
        Form::Map(item) => {
            let names = ["a", "A", "key", "Key"].map(|name| (name, *item));
            object(&names, random, depth, out);
        }
        Form::Object(fields) => {
            let fields: Vec<_> = fields.iter().map(|(name, form)| (*name, form)).collect();
            object(&fields, random, depth, out);
        }
    }
}

fn object(fields: &[(&str, &Form)], random: &mut Random, depth: usize, out: &mut String) {
    out.push('{');
    let mut left = fields.to_vec();
    while !left.is_empty() && !random.one_in(5) {
        let at = random.below(left.len());
        let (name, form) = if random.one_in(30) { left[at] } else { left.swap_remove(at) };
        out.push_str(if out.ends_with('{') { "" } else { "," });
        out.push_str(&format!("\"{}\": ", spelled(name, random)));
        write(form, random, depth - 1, out);
    }
    out.push('}');
}

/// A name as it is, or as Go's folding still finds it, or not any more.
fn spelled(name: &str, random: &mut Random) -> String {
    if random.one_in(2) {
        return name.to_owned();
    }
    let spelled = |char: char| match (char, random.below(6)) {
        (_, 0..3) => char.to_string(),
        ('s' | 'S', 3) => random.of(&["\u{17f}", "\\u017f"]).to_owned(),
        ('k' | 'K', 3) => random.of(&["\u{212a}", "\\u212A"]).to_owned(),
        (_, 3) if random.one_in(8) => random.of(&["\u{131}", "_", "."]).to_owned(),
        _ => char.to_ascii_uppercase().to_string(),
    };
    name.chars().map(spelled).collect()
}
