//! What a statement is about, and whether that is what was found.

use inscan_document::Section;
use inscan_document::section::PackageRow;

use crate::naming::Name;
use crate::versions::{self, vers};

/// A product, a component of any product, or a component of a product.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Target {
    pub product: Option<Name>,
    pub component: Option<Name>,
    /// All of them have to hold.
    pub conditions: Vec<Condition>,
}

/// What else has to be so.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Condition {
    /// The package has one of these versions.
    Versions(Vec<Version>),
    /// The package, or else the image, is made for it.
    Architecture(String),
    /// It is this component of that document: CycloneDX's BOM-Link.
    Bom { serial: String, version: Option<u64>, reference: String },
    /// One of these digests, in hex, is the image's or is stated of the package.
    Digests(Vec<String>),
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Version {
    Exact(String),
    /// `vers:npm/>=1.0|<1.2`.
    Range(String),
}

/// The package in which a vulnerability was found, in what it was found in.
#[derive(Clone, Copy, Debug)]
pub struct Subject<'a> {
    pub section: &'a Section,
    /// Position of the package.
    pub index: usize,
}

impl<'a> Subject<'a> {
    fn package(self) -> Option<&'a PackageRow> {
        self.section.packages.get(self.index)
    }
}

impl Target {
    /// A product, or a component in one.
    pub(super) fn of(product: Option<&str>, component: Option<&str>) -> Target {
        let (product, component) = (product.map(Name::read), component.map(Name::read));
        Target { product, component, conditions: Vec::new() }
    }

    pub(super) fn is(&self, subject: &Subject) -> bool {
        let section = subject.section;
        let Some(package) = subject.package() else { return false };
        let is_package = |name: &Name| name.is_package(section, package);
        let is_named = match (&self.product, &self.component) {
            (Some(product), None) => is_package(product) || product.is_image(&section.image),
            (None, Some(component)) => is_package(component),
            (Some(product), Some(component)) => {
                is_package(component)
                    && (product.is_image(&section.image) || product.holds(section, subject.index))
            }
            (None, None) => self.conditions.iter().any(|it| matches!(it, Condition::Bom { .. })),
        };
        is_named && self.conditions.iter().all(|condition| condition.holds(subject, package))
    }
}

impl Condition {
    fn holds(&self, subject: &Subject, package: &PackageRow) -> bool {
        let image = &subject.section.image;
        match self {
            Condition::Versions(all) => all.iter().any(|version| version.is(package)),
            Condition::Architecture(stated) => {
                let own = package.arch.as_ref().or(image.architecture.as_ref());
                own.is_some_and(|own| Name::is_architecture(own, stated))
            }
            Condition::Bom { serial, version, reference } => {
                let Some(bom) = &image.bom else { return false };
                let own = bom.references.get(subject.index);
                bom.serial == *serial
                    && version.is_none_or(|version| version == bom.version)
                    && (own.is_some_and(|own| own == reference)
                        || Name::read(reference).is_package(subject.section, package))
            }
            Condition::Digests(all) => {
                let of_image = [&image.digest, &image.id];
                let of_package = ["md5", "sha1", "sha256", "sha384", "sha512"];
                let of_package = of_package.iter().filter_map(|name| package.attributes.get(*name));
                let own = of_image.into_iter().chain(of_package);
                let plain = |text: &str| text.trim_start_matches("sha256:").to_ascii_lowercase();
                let own: Vec<String> = own.map(|text| plain(text)).collect();
                all.iter().any(|digest| own.contains(&plain(digest)))
            }
        }
    }
}

impl Version {
    fn is(&self, package: &PackageRow) -> bool {
        let (kind, name) = (package.kind.as_str(), package.name.as_str());
        let installed = match package.epoch.filter(|epoch| kind == "rpm" && *epoch > 0) {
            Some(epoch) => format!("{epoch}:{}", package.version),
            None => package.version.clone(),
        };
        match self {
            Version::Exact(stated) => versions::is_same(kind, name, &installed, stated),
            // One that cannot be read has nothing in it.
            Version::Range(range) => vers::contains(range, kind, name, &installed).unwrap_or(false),
        }
    }
}
