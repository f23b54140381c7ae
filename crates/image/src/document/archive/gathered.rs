//! What of the legacy part is told again elsewhere in an archive, found in one walk over it.

use std::io::{self, Read};

use serde::de::{Error as _, IgnoredAny, MapAccess};
use serde_json::Value;

use super::Error;
use super::json::{Fields, List, Object};
use super::rows::Rows;
use inscan_document::identity::{self, Identity};

/// Lists of packages: what they are called in `image_content`, and their output in the module
/// `package_list`.
pub(super) const PACKAGES: [(&str, &str); 7] = [
    ("binary", "pkgs.binary"),
    ("gem", "pkgs.gems"),
    ("go", "pkgs.go"),
    ("java", "pkgs.java"),
    ("npm", "pkgs.npms"),
    ("os", "pkgs.allinfo"),
    ("python", "pkgs.python"),
];

/// Larger values than these are of no image.
const MAX_MALWARE: usize = 10_000;

pub(super) struct Gathered {
    pub(super) packages: [Rows; PACKAGES.len()],
    pub(super) files: Rows,
    pub(super) sha256: Rows,
    pub(super) malware: Vec<Value>,
    pub(super) distribution: String,
    pub(super) distribution_version: String,
    pub(super) report: Value,
    image_id: String,
    /// Why a row could not be kept.
    failed: Option<io::Error>,
}

/// Where in the document the walk is.
#[derive(Clone, Debug, PartialEq)]
enum At {
    Entry,
    Image,
    Data,
    Modules,
    Outputs(String),
    Output(Wanted),
    Values(Wanted),
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Wanted {
    Distribution,
    Files,
    Sha256,
    Malware,
    Packages(usize),
}

impl Wanted {
    fn of(module: &str, output: &str) -> Option<Wanted> {
        match (module, output) {
            ("analyzer_meta", "analyzer_meta") => Some(Wanted::Distribution),
            ("file_list", "files.allinfo") => Some(Wanted::Files),
            ("file_checksums", "files.sha256sums") => Some(Wanted::Sha256),
            ("malware", "malware") => Some(Wanted::Malware),
            ("package_list", output) => {
                let at = PACKAGES.iter().position(|(_, of)| *of == output);
                at.map(Wanted::Packages)
            }
            _ => None,
        }
    }
}

struct Walk<'a> {
    found: &'a mut Gathered,
    at: At,
}

impl Walk<'_> {
    fn into<'de, A: MapAccess<'de>>(&mut self, at: At, map: &mut A) -> Result<(), A::Error> {
        map.next_value_seed(Object(&mut Walk { found: self.found, at }))
    }
}

impl Fields for Walk<'_> {
    fn field<'de, A: MapAccess<'de>>(&mut self, key: &str, map: &mut A) -> Result<(), A::Error> {
        match (self.at.clone(), key) {
            (At::Entry, "image") => self.into(At::Image, map),
            (At::Image, "imageId") => {
                self.found.image_id = map.next_value()?;
                Ok(())
            }
            (At::Image, "imagedata") => self.into(At::Data, map),
            (At::Data, "analysis_report") => self.into(At::Modules, map),
            (At::Data, "image_report") => {
                self.found.report = map.next_value()?;
                Ok(())
            }
            (At::Modules, module) => self.into(At::Outputs(module.to_owned()), map),
            (At::Outputs(module), output) => match Wanted::of(&module, output) {
                Some(wanted) => self.into(At::Output(wanted), map),
                None => map.next_value::<IgnoredAny>().map(drop),
            },
            (At::Output(wanted), "base") => self.into(At::Values(wanted), map),
            (At::Values(wanted), key) => {
                let value: String = map.next_value()?;
                self.found.take(wanted, key, value).map_err(A::Error::custom)
            }
            _ => map.next_value::<IgnoredAny>().map(drop),
        }
    }
}

/// The outermost object.
struct Top<'a> {
    found: &'a mut Gathered,
    entries: usize,
}

impl Fields for Top<'_> {
    fn field<'de, A: MapAccess<'de>>(&mut self, key: &str, map: &mut A) -> Result<(), A::Error> {
        if key != "document" {
            return map.next_value::<IgnoredAny>().map(drop);
        }
        self.entries +=
            map.next_value_seed(List(&mut Walk { found: self.found, at: At::Entry }))?;
        Ok(())
    }
}

impl Gathered {
    pub(super) fn read(from: impl Read) -> Result<Self, Error> {
        let mut found = Gathered {
            packages: std::array::from_fn(|_| Rows::new()),
            files: Rows::new(),
            sha256: Rows::new(),
            malware: Vec::new(),
            distribution: "Unknown".to_owned(),
            distribution_version: "0".to_owned(),
            report: Value::Null,
            image_id: String::new(),
            failed: None,
        };
        use serde::de::DeserializeSeed;
        let mut top = Top { found: &mut found, entries: 0 };
        let mut reader = serde_json::Deserializer::from_reader(from);
        let read = Object(&mut top).deserialize(&mut reader).and_then(|()| reader.end());
        let entries = top.entries;
        if let Some(error) = found.failed {
            return Err(error.into());
        }
        read?;
        if entries != 1 {
            return Err(Error::content(format!(
                "the document has {entries} images instead of one"
            )));
        }
        Ok(found)
    }

    fn take(&mut self, wanted: Wanted, key: &str, value: String) -> Result<(), String> {
        let rows = match wanted {
            Wanted::Distribution => {
                match key {
                    "DISTRO" => self.distribution = value,
                    "DISTROVERS" => self.distribution_version = value,
                    _ => {}
                }
                return Ok(());
            }
            Wanted::Malware => {
                let found = serde_json::from_str(&value).map_err(|error| not_json(key, &error))?;
                self.malware.push(found);
                return match self.malware.len() > MAX_MALWARE {
                    true => Err(format!("more than {MAX_MALWARE} malware scanners")),
                    false => Ok(()),
                };
            }
            Wanted::Files => &mut self.files,
            Wanted::Sha256 => &mut self.sha256,
            Wanted::Packages(list) => &mut self.packages[list],
        };
        rows.push(key, &value).map_err(|error| {
            let text = error.to_string();
            self.failed = Some(error);
            text
        })
    }

    /// What the image is called in the document.
    pub(super) fn identity(&self) -> Result<Identity, Error> {
        if !self.report.is_object() {
            return Err(Error::content("the image in the document has no `image_report`"));
        }
        let data = &self.report["docker_data"];
        let text =
            |value: &Value| value.as_str().filter(|text| !text.is_empty()).map(str::to_owned);
        let missing = |what: &str, option: &str| {
            Error::content(format!(
                "the document does not tell the image's {what}: give it with `{option}`"
            ))
        };
        let full_tag = text(&data["RepoTags"][0]).ok_or_else(|| missing("name", "--tag NAME"))?;
        let digest = text(&data["RepoDigests"][0]);
        let digest = digest.as_deref().and_then(|digest| digest.split_once('@')).map(|(_, it)| it);
        let digest = digest.filter(|digest| is_digest(digest));
        let digest = digest.ok_or_else(|| missing("digest", "--image-digest DIGEST"))?;
        if !is_hex(&self.image_id) {
            return Err(missing("id", "--image-id ID"));
        }
        let is_actual = self.report["dockerfile_mode"] == "Actual";
        Ok(Identity {
            full_tag: identity::full_tag(&full_tag),
            image_digest: digest.to_owned(),
            image_id: self.image_id.clone(),
            dockerfile: text(&self.report["dockerfile_contents"]).filter(|_| is_actual),
        })
    }
}

pub(super) fn not_json(key: &str, error: &serde_json::Error) -> String {
    let key: String = key.chars().take(200).collect();
    format!("the document's value of `{key}` is no JSON: {error}")
}

pub(super) fn is_digest(text: &str) -> bool {
    text.strip_prefix("sha256:").is_some_and(is_hex)
}

pub(super) fn is_hex(text: &str) -> bool {
    text.len() == 64 && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}
