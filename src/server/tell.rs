//! The log: a line of JSON for each event, on stderr.

use std::io::{self, Write};

use serde_json::{Value as Json, json};

use super::clock;

pub(crate) fn line(level: &str, message: &str, more: Json) {
    let mut line =
        json!({"time": clock::iso_millis(clock::now()), "level": level, "message": message});
    if let (Some(line), Json::Object(more)) = (line.as_object_mut(), more) {
        line.extend(more);
    }
    let _ = writeln!(io::stderr(), "{line}");
}

pub(crate) fn info(message: &str, more: Json) {
    line("info", message, more);
}

pub(crate) fn error(message: &str) {
    line("error", message, Json::Null);
}
