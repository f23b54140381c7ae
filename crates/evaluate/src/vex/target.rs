//! What a statement is about, and whether that is what was found.

use inscan_facts::purl::{self, Purl};

/// A product, a component of any product, or a component of a product.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Target {
    /// A package URL, or the name of an image.
    pub product: Option<String>,
    /// A package URL.
    pub component: Option<String>,
}

/// The package in which a vulnerability was found, and the image it is in.
#[derive(Clone, Copy, Debug, Default)]
pub struct Subject<'a> {
    pub purl: &'a str,
    /// Of the package that brought it.
    pub owner: Option<&'a str>,
    /// Names of the image: its reference, and others it carries.
    pub image: &'a [&'a str],
    /// Digests of its manifest and of its configuration, with or without `sha256:`.
    pub digests: &'a [&'a str],
}

impl Target {
    pub(super) fn is(&self, subject: &Subject) -> bool {
        let is_package =
            |named: &str| purl::parse(named).is_some_and(|named| fits(&named, subject.purl));
        match (&self.product, &self.component) {
            (Some(product), None) => is_package(product) || is_image(product, subject),
            (None, Some(component)) => is_package(component),
            (Some(product), Some(component)) => {
                let owner = subject.owner.zip(purl::parse(product));
                let is_owner = owner.is_some_and(|(owner, product)| fits(&product, owner));
                is_package(component) && (is_owner || is_image(product, subject))
            }
            (None, None) => false,
        }
    }
}

/// A version or a qualifier that is not stated leaves it open.
fn fits(named: &Purl, found: &str) -> bool {
    let Some(found) = purl::parse(found) else { return false };
    let same_name = match named.kind.as_str() {
        "pypi" => python(&named.name) == python(&found.name),
        _ => named.name.eq_ignore_ascii_case(&found.name),
    };
    named.kind == found.kind
        && same_name
        && named.has_namespace_of(&found)
        && named.version.as_ref().is_none_or(|version| found.version.as_ref() == Some(version))
        && named.qualifiers.iter().all(|(key, value)| found.qualifiers.get(key) == Some(value))
}

fn python(name: &str) -> String {
    name.to_lowercase().replace(['_', '.'], "-")
}

/// `pkg:oci/app@sha256:…?repository_url=registry.example/team/app`, or the image's name as it is.
fn is_image(product: &str, subject: &Subject) -> bool {
    let plain = |digest: &str| digest.trim_start_matches("sha256:").to_ascii_lowercase();
    let has_digest = |digest: &str| {
        subject.digests.iter().any(|own| !own.is_empty() && plain(own) == plain(digest))
    };
    let Some(purl) = purl::parse(product) else {
        return subject.image.contains(&product)
            || product.rsplit_once('@').is_some_and(|(_, digest)| has_digest(digest));
    };
    if !matches!(purl.kind.as_str(), "oci" | "docker") {
        return false;
    }
    let is_digest = |version: &&String| version.starts_with("sha256:");
    if let Some(digest) = purl.version.as_ref().filter(is_digest) {
        return has_digest(digest);
    }
    let repository = match (purl.qualifiers.get("repository_url"), &purl.namespace) {
        (Some(url), _) => url.trim_start_matches("https://").trim_end_matches('/').to_owned(),
        (None, Some(namespace)) => format!("{namespace}/{}", purl.name),
        (None, None) => purl.name.clone(),
    };
    // An oci type may state the repository without its last part, the name.
    let with_name = format!("{repository}/{}", purl.name);
    let tag = purl.qualifiers.get("tag").or(purl.version.as_ref());
    subject.image.iter().any(|image| {
        let (name, own_tag) = split_tag(image);
        let ends = |wanted: &str| {
            name.strip_suffix(wanted).is_some_and(|rest| rest.is_empty() || rest.ends_with('/'))
        };
        (ends(&repository) || ends(&with_name)) && tag.is_none_or(|tag| own_tag == Some(tag))
    })
}

/// A colon behind the last slash begins a tag; a digest is cut off.
fn split_tag(image: &str) -> (&str, Option<&str>) {
    let image = image.split_once('@').map_or(image, |(image, _digest)| image);
    match image.rsplit_once(':') {
        Some((name, tag)) if !tag.contains('/') => (name, Some(tag)),
        _ => (image, None),
    }
}
