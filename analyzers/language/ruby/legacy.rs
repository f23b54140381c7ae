//! The legacy document's `pkgs.gems`: every gemspec with `specifications`
//! anywhere in its path, read line by line as if values were JSON.

use bstr::ByteSlice;
use serde_json::{Value, json};

pub(super) fn counts(file: &[u8]) -> bool {
    file.strip_suffix(b".gemspec").is_some_and(|rest| rest.contains_str("specifications"))
}

/// `None` where there is no name, or a value is not JSON: such a file is left out.
pub(super) fn entry(text: &str) -> Option<Value> {
    let (mut name, mut source, mut latest) = (Value::Null, Value::Null, Value::Null);
    let mut versions = Vec::new();
    let mut lists: [(&str, Vec<String>); 3] =
        [(".licenses", Vec::new()), (".authors", Vec::new()), (".files", Vec::new())];
    for line in text.lines() {
        let line = with_characters(line.trim().replace(".freeze", ""));
        if let Some(value) = right_of(&line, ".name") {
            name = serde_json::from_str(value).ok()?;
        }
        if let Some(value) = right_of(&line, ".homepage") {
            source = serde_json::from_str(value).ok()?;
        }
        if let Some(value) = right_of(&line, ".version") {
            latest = serde_json::from_str(value).ok()?;
            versions.push(latest.clone());
        }
        for (attribute, list) in &mut lists {
            if let Some(value) = right_of(&line, attribute) {
                list.extend(parts(value));
            }
        }
    }
    let [(_, licenses), (_, authors), (_, files)] = lists;
    name.as_str().filter(|name| !name.is_empty())?;
    Some(json!({
        "name": name,
        "lics": licenses,
        "versions": versions,
        "latest": latest,
        "origins": authors,
        "sourcepkg": source,
        "files": files,
    }))
}

/// What stands right of the last `attribute =`.
fn right_of<'a>(line: &'a str, attribute: &str) -> Option<&'a str> {
    line.rmatch_indices(attribute).find_map(|(at, _)| {
        let rest = line[at + attribute.len()..].trim_start_matches(' ').strip_prefix('=')?;
        Some(rest.trim_start_matches(' '))
    })
}

/// Split at every comma, also one inside quotes.
fn parts(list: &str) -> impl Iterator<Item = String> {
    let list = list.strip_prefix('[').unwrap_or(list);
    let list = list.strip_suffix(']').unwrap_or(list);
    list.split(',').map(|part| part.replace('"', "").trim().to_owned())
}

/// `\u{e9}` becomes its character; `\u00e9` stays as it is.
fn with_characters(line: String) -> String {
    if !line.contains("\\u{") {
        return line;
    }
    let mut result = String::with_capacity(line.len());
    let mut rest = line.as_str();
    while let Some((before, after)) = rest.split_once("\\u{") {
        result.push_str(before);
        let decoded = after.split_once('}').and_then(|(digits, after)| {
            let character = |hex: &str| char::from_u32(u32::from_str_radix(hex, 16).ok()?);
            let decoded: Option<String> = digits.split_whitespace().map(character).collect();
            Some((decoded?, after))
        });
        match decoded {
            Some((decoded, after)) => {
                result.push_str(&decoded);
                rest = after;
            }
            None => {
                result.push_str("\\u{");
                rest = after;
            }
        }
    }
    result + rest
}
