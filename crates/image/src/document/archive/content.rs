//! The member `image_content`: lists for people and queries, derived from the legacy part.

use std::io::{self, Write};

use serde_json::{Map, Value};

use super::Error;
use super::gathered::{Gathered, PACKAGES, not_json};

impl Gathered {
    /// Writes it, with its keys in order.
    pub(super) fn write_content(self, to: &mut impl Write) -> Result<(), Error> {
        let Gathered { packages, files, sha256, malware, report, .. } = self;
        let mut lists = PACKAGES.iter().map(|(name, _)| *name).zip(packages).peekable();
        let is_actual = report["dockerfile_mode"] == "Actual";
        let dockerfile = if is_actual { report["dockerfile_contents"].clone() } else { "".into() };
        let history = match &report["docker_history"] {
            Value::Array(history) => Value::from(history.clone()),
            _ => Value::Array(Vec::new()),
        };
        let (mut files, mut sha256) = (Some(files), Some(sha256));
        to.write_all(b"{\"document\":{")?;
        let mut first = true;
        for (name, value) in [
            ("docker_history", Some(history)),
            ("dockerfile", Some(dockerfile)),
            ("files", None),
            ("malware", Some(malware.into())),
            ("manifest", Some(Map::new().into())),
            // Behind all others.
            ("~", None),
        ] {
            while let Some((list, rows)) = lists.next_if(|(list, _)| *list < name) {
                comma(&mut first, to)?;
                write!(to, "\"{list}\":{{")?;
                let mut none = true;
                rows.each(|key, value| -> Result<(), Error> {
                    comma(&mut none, to)?;
                    Ok(entry(key, &parsed(key, value)?, to)?)
                })?;
                to.write_all(b"}")?;
            }
            if let Some(value) = value {
                comma(&mut first, to)?;
                entry(name, &value, to)?;
            } else if let (Some(files), Some(sha256)) = (files.take(), sha256.take()) {
                comma(&mut first, to)?;
                to.write_all(b"\"files\":{")?;
                let mut none = true;
                files.each_with(sha256, |key, value, sha256| -> Result<(), Error> {
                    let mut value = parsed(key, value)?;
                    let row = value.as_object_mut().ok_or_else(|| {
                        Error::content(format!("the document's value of `{key}` is no object"))
                    })?;
                    row.insert("sha256".to_owned(), sha256.into());
                    comma(&mut none, to)?;
                    Ok(entry(key, &value, to)?)
                })?;
                to.write_all(b"}")?;
            }
        }
        to.write_all(b"}}")?;
        Ok(())
    }
}

fn parsed(key: &str, text: &str) -> Result<Value, Error> {
    serde_json::from_str(text).map_err(|error| Error::content(not_json(key, &error)))
}

fn comma(first: &mut bool, to: &mut impl Write) -> io::Result<()> {
    match std::mem::replace(first, false) {
        true => Ok(()),
        false => to.write_all(b","),
    }
}

fn entry(key: &str, value: &Value, to: &mut impl Write) -> io::Result<()> {
    serde_json::to_writer(&mut *to, key)?;
    to.write_all(b":")?;
    serde_json::to_writer(&mut *to, value)?;
    Ok(())
}
