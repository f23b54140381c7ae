//! `pom.xml` of Maven: XML, with an element `dependency` for each library asked
//! for. Versions may be properties of the same file; those that a parent or a
//! managed list states are not in it and stay empty.
//! <https://maven.apache.org/pom.html#dependencies>

use std::collections::BTreeMap;

use quick_xml::Reader;
use quick_xml::events::Event;

use super::Locked;
use crate::{Error, Result};

/// Elements deeper than a dependency's own are of no interest.
const DEPTH: usize = 4;

pub(super) fn read(text: &str, out: &mut Locked<'_>) -> Result<()> {
    let mut pom = Pom::default();
    let outcome = pom.read(text);
    for dependency in &pom.dependencies {
        let field = |name: &str| pom.expanded(dependency.get(name).map_or("", String::as_str));
        let (group, artifact) = (field("groupId"), field("artifactId"));
        if group.is_empty() || artifact.is_empty() {
            continue;
        }
        let name = format!("{group}:{artifact}");
        let stated = dependency.get("version").map_or("", String::as_str);
        match field("scope").as_str() {
            "test" => out.add_for_development(&name, &field("version")),
            _ if is_range(stated) => out.add_range(&name, stated),
            _ => out.add(&name, &field("version")),
        }
    }
    outcome
}

#[derive(Default)]
struct Pom {
    /// Texts by the path of their element, for properties and the project's own names.
    values: BTreeMap<String, String>,
    dependencies: Vec<BTreeMap<String, String>>,
}

impl Pom {
    fn read(&mut self, text: &str) -> Result<()> {
        let mut reader = Reader::from_str(text);
        let mut path: Vec<String> = Vec::new();
        let mut depth = 0usize;
        loop {
            let event = reader.read_event().map_err(|error| {
                Error::at_offset(reader.buffer_position(), format!("not valid XML: {error}"))
            })?;
            match event {
                Event::Start(element) => {
                    depth += 1;
                    if depth <= DEPTH {
                        path.push(element.local_name().as_ref().to_owned());
                    }
                    if is_dependency(&path) && depth == 3 {
                        self.dependencies.push(BTreeMap::new());
                    }
                }
                Event::End(_) => {
                    depth = depth.saturating_sub(1);
                    path.truncate(depth);
                }
                Event::Text(text) if depth == path.len() => self.text(&path, text.trim()),
                Event::Eof => return Ok(()),
                _ => {}
            }
        }
    }

    fn text(&mut self, path: &[String], text: &str) {
        match path {
            [.., field] if path.len() == DEPTH && is_dependency(&path[..3]) => {
                if let Some(dependency) = self.dependencies.last_mut() {
                    dependency.entry(field.clone()).or_default().push_str(text);
                }
            }
            _ => self.values.entry(path.join("/")).or_default().push_str(text),
        }
    }

    /// The text, or the property it stands for; empty where that is unknown, and
    /// where it is a range: `[1.0,2.0)`.
    fn expanded(&self, text: &str) -> String {
        if is_range(text) {
            return String::new();
        }
        let Some(name) = text.strip_prefix("${").and_then(|rest| rest.strip_suffix('}')) else {
            return if text.contains("${") { String::new() } else { text.to_owned() };
        };
        let own = name.strip_prefix("project.").or_else(|| name.strip_prefix("pom."));
        let value = match own {
            Some(field) => self
                .values
                .get(&format!("project/{field}"))
                .or_else(|| self.values.get(&format!("project/parent/{field}"))),
            None => self.values.get(&format!("project/properties/{name}")),
        };
        value.filter(|value| !value.contains("${")).cloned().unwrap_or_default()
    }
}

/// `[1.0,2.0)`
fn is_range(version: &str) -> bool {
    version.starts_with(['[', '('])
}

fn is_dependency(path: &[String]) -> bool {
    path.iter().map(String::as_str).eq(["project", "dependencies", "dependency"])
}
