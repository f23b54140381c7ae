//! Packages that an SBOM lists: CycloneDX in JSON and XML, SPDX 2 in JSON and tag-value,
//! SPDX 3, and Syft's own form; also within what registries and CI hand them out in.
//!
//! Every form is read into CycloneDX's, SPDX 2's or Syft's JSON first. A package is identified
//! by its package URL; a component that has none is of the type `unidentified`, so that nobody
//! takes it for clean.
//! <https://spdx.github.io/spdx-spec/v2.3/>, <https://cyclonedx.org/docs/1.6/json/>

mod cyclonedx;
mod described;
mod spdx;
mod spdx3;
mod syft;
mod tag_value;
mod wrapped;
mod xml;

pub use wrapped::attested;

use std::collections::HashSet;

use bstr::BString;
use inscan_facts::encoding;
use inscan_facts::package::{Distribution, Package};
use inscan_facts::problem::Hides;
use inscan_facts::purl;
use serde::Deserialize;
use serde_json::Value;

/// Components of CycloneDX hold components. serde_json goes no deeper than 128.
pub const MAX_DEPTH: usize = 40;

/// The type of a component that no package URL identifies.
pub const UNIDENTIFIED: &str = "unidentified";

/// What an SBOM tells.
#[derive(Debug)]
pub struct Sbom {
    /// In the order of the document.
    pub components: Vec<Component>,
    /// Of what it describes, where that is said once; `None` also where it names several.
    pub distribution: Option<Distribution>,
    pub image: Image,
    /// Who wrote it.
    pub tool: Option<String>,
    /// CycloneDX's serial number without `urn:uuid:`, and the document's version.
    pub serial: Option<(String, u64)>,
    /// False if some components are nested too deeply and left out.
    pub is_whole: bool,
    /// What it says itself that it does not list.
    pub gaps: Vec<Gap>,
}

impl Default for Sbom {
    fn default() -> Self {
        Sbom {
            components: Vec::new(),
            distribution: None,
            image: Image::default(),
            tool: None,
            serial: None,
            is_whole: true,
            gaps: Vec::new(),
        }
    }
}

/// The rule by which a Maven group is the artifact's name: it may be, or not be known.
pub const ARTIFACT_AS_GROUP: &str = "artifact-as-group";

/// A package that it lists.
#[derive(Clone, Debug, Default)]
pub struct Component {
    /// Its `location` is what the SBOM states, or empty.
    pub package: Package,
    /// How the SBOM calls it; empty where it does not.
    pub reference: String,
    /// What it is a part or a dependency of, by reference.
    pub parents: Vec<String>,
    /// The OS package that brought it, by reference.
    pub owner: Option<String>,
}

/// Which packages are listed. One is the same as another as far as both tell: by its package URL,
/// and by its place where both state one.
#[derive(Default)]
struct Listed {
    urls: HashSet<String>,
    placed: HashSet<(String, BString)>,
    without_place: HashSet<String>,
}

impl Listed {
    fn add(&mut self, component: &Component) {
        let (url, place) = (purl::written(&component.package, None), &component.package.location);
        if place.is_empty() {
            self.without_place.insert(url.clone());
        }
        self.placed.insert((url.clone(), place.clone()));
        self.urls.insert(url);
    }

    fn has(&self, component: &Component) -> bool {
        let (url, place) = (purl::written(&component.package, None), &component.package.location);
        self.without_place.contains(&url)
            || place.is_empty() && self.urls.contains(&url)
            || self.placed.contains(&(url, place.clone()))
    }
}

/// What it describes; each is empty where it is not told.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Image {
    pub reference: String,
    /// Of the manifest: `sha256:…`.
    pub digest: String,
    /// Of the configuration, 64 hex digits.
    pub id: String,
    pub os: Option<String>,
    pub architecture: Option<String>,
}

/// What could not be read when the SBOM was made, in the words of inscan's problems.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct Gap {
    pub code: String,
    pub hides: Hides,
    pub path: Option<String>,
    pub message: String,
}

impl Gap {
    /// As inscan's own SBOMs have it. `None` for anything else.
    fn read(text: &str) -> Option<Gap> {
        serde_json::from_str(text).ok().filter(|gap: &Gap| !gap.message.is_empty())
    }
}

/// Why a file that is an SBOM, or holds one, is not read.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// No form that is read.
    #[error("it is no SBOM")]
    None,
    #[error("it holds the SBOMs of several images ({0}): take out the one that is meant")]
    Several(String),
    #[error("{0}")]
    Broken(String),
}

/// Reads an SBOM in any of the forms.
///
/// # Errors
/// [`Error::None`] where the file is something else.
pub fn read(bytes: &[u8]) -> Result<Sbom, Error> {
    let bytes = encoding::in_utf8(bytes);
    let start = bytes.trim_ascii_start();
    if start.starts_with(b"<") {
        return of(&xml::as_json(start)?);
    }
    if !start.starts_with(b"{") && !start.starts_with(b"[") {
        return of(&tag_value::as_json(&bytes).ok_or(Error::None)?);
    }
    let documents = wrapped::documents(start).ok_or(Error::None)?;
    merged(documents.iter().map(of).collect::<Result<_, _>>()?)
}

/// Reads one document in JSON.
///
/// # Errors
/// As [`read`].
pub fn of(document: &Value) -> Result<Sbom, Error> {
    let inner = wrapped::unwrapped(document)?;
    if inner.is_empty() {
        return Err(Error::None);
    }
    merged(
        inner
            .iter()
            .map(|document| plain(document).ok_or(Error::None))
            .collect::<Result<_, _>>()?,
    )
}

fn plain(document: &Value) -> Option<Sbom> {
    let mut sbom = if document.get("spdxVersion").is_some() {
        spdx::read(document)
    } else if document["bomFormat"] == "CycloneDX" {
        cyclonedx::read(document)
    } else if document["artifacts"].is_array() && document["schema"].is_object() {
        syft::read(document)
    } else if spdx3::is(document) {
        spdx::read(&spdx3::as_spdx2(document))
    } else {
        return None;
    };
    if sbom.distribution.is_none() {
        sbom.distribution = described::common_distribution(&sbom.components);
    }
    described::doubt_sources(&mut sbom);
    Some(sbom)
}

/// Several attestations of one image: what one of them lists, it has.
fn merged(all: Vec<Sbom>) -> Result<Sbom, Error> {
    let mut all = all.into_iter();
    let mut first = all.next().ok_or(Error::None)?;
    let mut listed = Listed::default();
    // One document alone may list a package several times.
    if all.len() > 0 {
        first.components.iter().for_each(|it| listed.add(it));
    }
    for (number, mut next) in all.enumerate() {
        let names = [&first.image.reference, &next.image.reference].map(|name| name.as_str());
        if names[0] != names[1] && names.iter().all(|name| !name.is_empty()) {
            return Err(Error::Several(names.join(", ")));
        }
        next.components.retain(|it| !listed.has(it));
        next.components.iter().for_each(|it| listed.add(it));
        for component in &mut next.components {
            let apart = |reference: &mut String| *reference = format!("{number}/{reference}");
            apart(&mut component.reference);
            component.parents.iter_mut().for_each(apart);
            component.owner.iter_mut().for_each(apart);
        }
        first.components.append(&mut next.components);
        first.distribution = first.distribution.or(next.distribution);
        first.is_whole &= next.is_whole;
        first.gaps.append(&mut next.gaps);
    }
    Ok(first)
}

fn array<'a>(value: &'a Value, key: &str) -> impl Iterator<Item = &'a Value> {
    value.get(key).and_then(Value::as_array).into_iter().flatten()
}

/// Absent where it is no text, or empty.
fn text(value: &Value, key: &str) -> Option<String> {
    value.get(key).and_then(Value::as_str).filter(|text| !text.is_empty()).map(str::to_owned)
}

#[cfg(test)]
mod tests;
