//! The metadata of Maven: `pom.properties` in a jar, which counts where it has all of group,
//! artifact and version, and the `pom.xml` beside it, which has the licences as well.
//! <https://maven.apache.org/pom.html>

use std::collections::BTreeMap;

use bstr::BString;
use quick_xml::Reader;
use quick_xml::escape::resolve_predefined_entity;
use quick_xml::events::Event;

use crate::{Error, Result};

/// Licences that a pom may list; more are no licences but an attack.
const MAX_LICENCES: usize = 50;

/// Group, artifact and version; empty where not stated.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Pom {
    /// `META-INF/maven/org.x/x`
    pub(super) directory: BString,
    pub(super) group: String,
    pub(super) artifact: String,
    pub(super) version: String,
    /// Their names, or else their addresses.
    pub(super) licences: Vec<String>,
    /// Group, artifact and version of the pom that it inherits from.
    pub(super) parent: Option<[String; 3]>,
    /// Text of the properties, for the legacy document; `None` for a `pom.xml`.
    pub(super) properties: Option<Vec<u8>>,
}

impl Pom {
    pub(super) fn from_properties(directory: &[u8], bytes: Vec<u8>) -> Self {
        let text = String::from_utf8_lossy(&bytes);
        let properties: BTreeMap<&str, &str> = text.lines().filter_map(property).collect();
        let get = |key| filled(properties.get(key).copied().unwrap_or_default());
        Pom {
            directory: directory.into(),
            group: get("groupId"),
            artifact: get("artifactId"),
            version: get("version"),
            properties: Some(bytes),
            ..Pom::default()
        }
    }

    pub(super) fn is_complete(&self) -> bool {
        ![&self.group, &self.artifact, &self.version].iter().any(|field| field.is_empty())
    }

    pub(super) fn from_xml(directory: &[u8], bytes: &[u8]) -> Result<Self> {
        let Project { values, licences } = Project::read(bytes)?;
        let value = |key: &str| {
            let own = values.get(&format!("project/{key}"));
            own.or_else(|| values.get(&format!("project/parent/{key}"))).cloned()
        };
        // `${project.version}`, `${revision}`: properties of the pom itself.
        let expanded = |key: &str| {
            let text = value(key).unwrap_or_default();
            match text.strip_prefix("${").and_then(|rest| rest.strip_suffix('}')) {
                Some(name) => {
                    let property = values.get(&format!("project/properties/{name}")).cloned();
                    let own = name.strip_prefix("project.").or_else(|| name.strip_prefix("pom."));
                    property.or_else(|| own.and_then(value)).unwrap_or_default()
                }
                None => text,
            }
        };
        let of_parent = ["groupId", "artifactId", "version"]
            .map(|key| values.get(&format!("project/parent/{key}")).cloned().unwrap_or_default());
        let has_parent = of_parent.iter().all(|part| !part.is_empty());
        Ok(Pom {
            directory: directory.into(),
            group: filled(&expanded("groupId")),
            artifact: filled(&values.get("project/artifactId").cloned().unwrap_or_default()),
            version: filled(&expanded("version")),
            licences,
            parent: has_parent.then_some(of_parent),
            properties: None,
        })
    }
}

/// `key=value`, `key: value` or `key value`.
fn property(line: &str) -> Option<(&str, &str)> {
    let line = line.trim();
    if line.starts_with(['#', '!']) {
        return None;
    }
    let end = line.find(['=', ':', ' ', '\t'])?;
    let value = line[end..].trim_start();
    let value = value.strip_prefix(['=', ':']).unwrap_or(value);
    Some((&line[..end], value.trim()))
}

/// Empty where a template was left as it is.
fn filled(value: &str) -> String {
    if value.contains("${") { String::new() } else { value.trim().to_owned() }
}

/// What a `pom.xml` says of itself.
#[derive(Default)]
struct Project {
    /// Texts by the path of their element, three elements deep.
    values: BTreeMap<String, String>,
    licences: Vec<String>,
}

impl Project {
    fn read(bytes: &[u8]) -> Result<Self> {
        let text = String::from_utf8_lossy(bytes);
        let mut reader = Reader::from_str(&text);
        let mut path: Vec<String> = Vec::new();
        let mut project = Project::default();
        let mut depth = 0usize;
        loop {
            let event = reader.read_event().map_err(|error| {
                Error::at_offset(reader.buffer_position(), format!("pom.xml: {error}"))
            })?;
            match event {
                Event::Start(element) => {
                    depth += 1;
                    if depth <= 4 {
                        path.push(element.local_name().as_ref().to_owned());
                    }
                }
                Event::End(_) => {
                    if depth == path.len() {
                        project.end(&path);
                    }
                    depth = depth.saturating_sub(1);
                    path.truncate(depth);
                }
                Event::Text(text) if depth == path.len() => project.add(&path, &text),
                Event::CData(text) if depth == path.len() => project.add(&path, &text),
                Event::GeneralRef(name) if depth == path.len() => {
                    let known = resolve_predefined_entity(&name);
                    project.add(&path, known.unwrap_or_default());
                }
                Event::Eof => return Ok(project),
                _ => {}
            }
        }
    }

    fn add(&mut self, path: &[String], text: &str) {
        if path.len() <= 3 || path[2] == "license" {
            self.values.entry(path.join("/")).or_default().push_str(text);
        }
    }

    fn end(&mut self, path: &[String]) {
        let path = path.join("/");
        if path == "project/licenses/license" {
            let mut take = |key: &str| {
                let text = self.values.remove(&format!("{path}/{key}")).unwrap_or_default();
                Some(text.split_whitespace().collect::<Vec<_>>().join(" "))
            };
            let (name, address) = (take("name"), take("url"));
            let stated = name.filter(|it| !it.is_empty()).or(address);
            if self.licences.len() < MAX_LICENCES {
                self.licences.extend(stated.map(|it| filled(&it)).filter(|it| !it.is_empty()));
            }
        } else if let Some(value) = self.values.get_mut(&path) {
            *value = value.trim().to_owned();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(pom: Pom, expected: [&str; 3]) {
        assert_eq!([pom.group, pom.artifact, pom.version], expected);
    }

    #[test]
    fn properties_may_be_written_in_every_way_of_java() {
        let text = b"# a: b\n groupId = org.x \nartifactId:x\nversion 1.0=y\nempty=\nalone\n";
        check(Pom::from_properties(b"", text.to_vec()), ["org.x", "x", "1.0=y"]);
        check(Pom::from_properties(b"", b"version=${v}\n\xff\xfe".to_vec()), ["", "", ""]);
    }

    #[test]
    fn a_pom_inherits_from_its_parent_and_uses_its_properties() {
        let pom = b"<?xml version='1.0'?><!-- c --><project>
            <parent><groupId>org.p</groupId><artifactId>p</artifactId><version>9</version></parent>
            <artifactId>x</artifactId><version>${revision}</version>
            <dependencies><dependency><artifactId>no</artifactId></dependency></dependencies>
            <properties><revision>1.5</revision></properties></project>";
        check(Pom::from_xml(b"", pom).expect("well-formed"), ["org.p", "x", "1.5"]);
        let pom = b"<project><artifactId>x</artifactId><version>${missing}</version></project>";
        check(Pom::from_xml(b"", pom).expect("well-formed"), ["", "x", ""]);
    }

    #[test]
    fn each_licence_has_a_name_or_an_address() {
        let pom = b"<project><name>x</name><licenses>
            <license><name>BSD 2-Clause</name><url>https://licence.example/</url></license>
            <license>\n<name> GPL v2\n with CE &amp; more</name></license>
            <license><url>https://licence.example/b</url></license>
            <license><name>${licence}</name></license><license/></licenses>
            <profiles><profile><licenses><license><name>no</name></license></licenses></profile></profiles>
            </project>";
        let found = Pom::from_xml(b"", pom).expect("well-formed");
        let expected = ["BSD 2-Clause", "GPL v2 with CE & more", "https://licence.example/b"];
        assert_eq!(found.licences, expected);
    }

    #[test]
    fn deep_nesting_is_no_danger() {
        let pom = "<a>".repeat(100_000);
        let _ = Pom::from_xml(b"", pom.as_bytes());
    }
}
