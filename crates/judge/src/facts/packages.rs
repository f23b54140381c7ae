//! Packages: `package_list/pkgs.allinfo`, and one output for each language.

use std::borrow::Cow;

use serde_json::Value;

use super::Lookup;
use super::source::Source;
use inscan_document::LEGACY_LANGUAGES as LANGUAGES;
use inscan_document::section::PackageRow;
use inscan_facts::package_type;

/// A package, with its names and versions as the legacy engine has them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Package {
    /// As the type of a package URL: `deb`, `npm`.
    pub kind: Cow<'static, str>,
    pub name: String,
    /// Without the release that rpm and apk have.
    pub version: String,
    pub release: Option<String>,
    /// Licences between blanks.
    pub licence: String,
    pub is_of_os: bool,
}

impl Package {
    /// With the release.
    pub fn full_version(&self) -> Cow<'_, str> {
        match &self.release {
            Some(release) => Cow::Owned(format!("{}-{release}", self.version)),
            None => Cow::Borrowed(&self.version),
        }
    }
}

const MODULE: &str = "package_list";
const OS: &str = "pkgs.allinfo";

pub(super) fn read(source: &Source<'_>) -> Lookup<Vec<Package>> {
    if let Source::Section(section) = source {
        return Ok(section.packages.iter().map(of_row).collect());
    }
    let mut packages = Vec::new();
    let mut take = |output: &str, of: &dyn Fn(&str, &Value, &mut Vec<Package>)| {
        source.each(MODULE, output, &mut |key, value| {
            let info: Value = serde_json::from_str(value).map_err(|error| {
                format!("`{MODULE}/{output}` in the document cannot be understood: {error}")
            })?;
            of(&key, &info, &mut packages);
            Ok(())
        })
    };
    take(OS, &of_system)?;
    for (output, kind) in LANGUAGES {
        take(output, &|_, info, packages| of_language(Cow::Borrowed(kind), info, packages))?;
    }
    for output in source.outputs(MODULE) {
        let is_known = output == OS || LANGUAGES.iter().any(|(known, _)| *known == output);
        if let Some(kind) = output.strip_prefix("pkgs.").filter(|kind| !is_known && *kind != "all")
        {
            take(&output, &|_, info, packages| {
                of_language(Cow::Owned(kind.to_owned()), info, packages);
            })?;
        }
    }
    Ok(packages)
}

fn of_system(name: &str, info: &Value, packages: &mut Vec<Package>) {
    let text = |key: &str| text(&info[key]);
    packages.push(Package {
        kind: match text("type").as_deref() {
            Some("dpkg") => "deb".into(),
            Some("APKG") => "apk".into(),
            Some(other) => other.to_lowercase().into(),
            None => "unknown".into(),
        },
        name: name.to_owned(),
        version: text("version").unwrap_or_default(),
        release: text("release").filter(|release| release != NOT_KNOWN),
        licence: text("license").unwrap_or_default(),
        is_of_os: true,
    });
}

const NOT_KNOWN: &str = "N/A";

fn of_language(kind: Cow<'static, str>, info: &Value, packages: &mut Vec<Package>) {
    let is_known = |version: &String| version != NOT_KNOWN;
    let mut versions: Vec<String> = texts(&info["versions"]);
    if versions.is_empty() {
        let keys = ["maven-version", "implementation-version", "specification-version", "version"];
        let stated = keys.iter().find_map(|key| text(&info[*key]).filter(is_known));
        versions.push(stated.unwrap_or_else(|| NOT_KNOWN.to_owned()));
    }
    let licence = match &info["lics"] {
        Value::Array(_) => texts(&info["lics"]).join(" "),
        _ => text(&info["license"]).unwrap_or_else(|| NOT_KNOWN.to_owned()),
    };
    let Some(mut name) = text(&info["name"]) else { return };
    // An archive that states no version has one in its file's name.
    if kind == "maven"
        && versions == [NOT_KNOWN]
        && let Some((stem, version)) = name_and_version(&name)
    {
        (versions, name) = (vec![version.to_owned()], stem.to_owned());
    }
    packages.extend(versions.into_iter().map(|version| Package {
        kind: kind.clone(),
        name: name.clone(),
        version,
        release: None,
        licence: licence.clone(),
        is_of_os: false,
    }));
}

/// Of `guava-28.1-jre`: split before the last number with a point in it.
fn name_and_version(text: &str) -> Option<(&str, &str)> {
    let begins_version = |text: &str| {
        let rest = text.trim_start_matches(|char: char| char.is_ascii_digit());
        rest.len() < text.len() && rest.starts_with('.')
    };
    let mut dashes = text.rmatch_indices('-');
    let (at, _) = dashes.find(|(at, _)| begins_version(&text[at + 1..]))?;
    Some((&text[..at], &text[at + 1..]))
}

/// Numbers are texts: some `package.json` has `"version": 1`.
fn text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

fn texts(value: &Value) -> Vec<String> {
    value.as_array().into_iter().flatten().filter_map(text).collect()
}

/// Of an SBOM.
fn of_row(row: &PackageRow) -> Package {
    let (version, release) = match (&*row.kind, row.version.rsplit_once('-')) {
        ("apk" | "rpm", Some((version, release))) => (version, Some(release)),
        _ => (&*row.version, None),
    };
    let name = match &row.namespace {
        Some(namespace) if ["npm", "golang", "composer"].contains(&&*row.kind) => {
            format!("{namespace}/{}", row.name)
        }
        _ => row.name.clone(),
    };
    Package {
        kind: Cow::Owned(row.kind.clone()),
        name,
        version: version.to_owned(),
        release: release.map(str::to_owned),
        licence: row.licences.join(" "),
        is_of_os: package_type::is_system(&row.kind),
    }
}
