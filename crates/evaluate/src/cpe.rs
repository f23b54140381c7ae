//! Products and versions of CPE names by which a package may be called in NVD's
//! records: guesses, since nobody says who is the vendor and what the product is
//! called there. They are those of the legacy engine.
//!
//! Vendors play no part, so what is found by such a name alone may be about
//! something else of the same name. <https://nvd.nist.gov/products/cpe>

use std::collections::BTreeSet;

use super::names;
use inscan_document::section::PackageRow;

/// The list of NVD's records in the legacy engine's feeds.
pub(super) const LIST: &str = "nvdv2:cves";

/// Products that are called otherwise than the package, by its type.
const ALIASES: &[(&str, &str, &str)] = &[
    ("gem", "Arabic-Prawn", "arabic_prawn"),
    ("gem", "RedCloth", "redcloth_library"),
    ("gem", "VladTheEnterprising", "vladtheenterprising"),
    ("gem", "bio-basespace-sdk", "basespace_ruby_sdk"),
    ("gem", "cremefraiche", "creme_fraiche"),
    ("gem", "html-sanitizer", "html_sanitizer"),
    ("gem", "sentry-raven", "raven-ruby"),
    ("gem", "yajl-ruby", "yajl-ruby_gem"),
    ("maven", "spring-core", "spring_framework"),
    ("maven", "springframework", "spring_framework"),
    ("maven", "springsource_spring_framework", "spring_framework"),
    ("npm", "handlebars.js", "handlebars"),
    ("npm", "hapi", "hapi_server_framework"),
    ("npm", "is-my-json-valid", "is_my_json_valid"),
    ("npm", "mustache", "mustache.js"),
    ("pypi", "python-rrdtool", "rrdtool"),
];

/// Product and version, in order, each pair once; none for a package of a distribution, whose
/// versions are not those of whom NVD speaks of.
pub(super) fn names(package: &PackageRow) -> BTreeSet<(String, String)> {
    let (mut products, versions) = match package.kind.as_str() {
        "maven" => of_archive(package),
        "gem" | "generic" | "golang" | "npm" | "pypi" => {
            (BTreeSet::from([names::full_name(package)]), BTreeSet::from([package.version.clone()]))
        }
        _ => return BTreeSet::new(),
    };
    let aliases = ALIASES.iter().filter(|(kind, ..)| *kind == package.kind);
    let called: Vec<String> = aliases
        .filter(|(_, name, _)| products.contains(*name))
        .map(|(.., product)| (*product).to_owned())
        .collect();
    products.extend(called);
    let pairs = products
        .iter()
        .flat_map(|product| versions.iter().map(move |version| (product.clone(), version.clone())));
    pairs.filter(|(product, version)| !product.is_empty() && !version.is_empty()).collect()
}

/// Of a Java archive: the parts of its file's name, and the versions that it, its manifest and
/// its Maven properties state.
fn of_archive(package: &PackageRow) -> (BTreeSet<String>, BTreeSet<String>) {
    let stem = stem(package);
    let parts: Vec<&str> = stem.split('-').collect();
    let is_number = |part: &&str| part.starts_with(|char: char| char.is_ascii_digit());
    let end = parts.iter().position(is_number).unwrap_or(parts.len());
    let mut products = BTreeSet::new();
    for length in 1..=end {
        let name = parts[..length].join("-");
        let name = name.trim_end_matches(|char: char| char.is_ascii_digit());
        products.insert(name.to_owned());
        products.insert(name.replace('-', "_"));
    }
    // The last part of the name that all its Java packages begin with.
    let exported = package.attributes.get("exports").and_then(|name| name.rsplit('.').next());
    products.extend(exported.filter(|name| is_like(name, &products)).map(str::to_owned));

    let stated = ["implementation-version", "specification-version", "maven-version"];
    let stated = stated.iter().filter_map(|key| package.attributes.get(*key)).cloned();
    let mut versions: BTreeSet<String> = stated.chain([package.version.clone()]).collect();
    versions.insert(parts[end..].join("-"));
    let shorter: Vec<String> = versions.iter().filter_map(|text| without_mark(text)).collect();
    versions.extend(shorter);
    (products, versions)
}

fn is_like(name: &str, products: &BTreeSet<String>) -> bool {
    products.iter().any(|product| !product.is_empty() && name.contains(product.as_str()))
}

/// `inner-lib-3.2.1` of `app.war:WEB-INF/lib/inner-lib-3.2.1.jar`; the artifact where it was
/// merged into an archive of another name.
fn stem(package: &PackageRow) -> &str {
    let last = package.location.rsplit([':', '/']).next().unwrap_or_default();
    let is_merged = package.analyzer == "java" && !package.attributes.contains_key("identified-by");
    match last.rsplit_once('.') {
        _ if is_merged => &package.name,
        Some((stem, extension)) if extension.len() == 3 && extension.ends_with("ar") => stem,
        Some((stem, "hpi" | "jpi")) => stem,
        _ => last,
    }
}

/// `5.1.3` of `5.1.3.RELEASE`.
fn without_mark(version: &str) -> Option<String> {
    let (before, mark) = version.rsplit_once('.')?;
    let is_mark = matches!(mark, "RELEASE" | "GA") || mark.starts_with("SEC");
    (is_mark && !before.is_empty()).then(|| before.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(package: &PackageRow, expected: &[&str]) {
        let found: Vec<String> =
            names(package).into_iter().map(|(name, version)| format!("{name} {version}")).collect();
        assert_eq!(found, expected);
    }

    fn package(kind: &str, name: &str, version: &str) -> PackageRow {
        PackageRow {
            kind: kind.into(),
            name: name.into(),
            version: version.into(),
            ..PackageRow::default()
        }
    }

    #[test]
    fn a_package_is_called_as_it_is_called_or_by_an_alias() {
        check(&package("pypi", "Jinja2", "3.0.3"), &["Jinja2 3.0.3"]);
        check(&package("npm", "hapi", "1.0.0"), &["hapi 1.0.0", "hapi_server_framework 1.0.0"]);
        check(&package("deb", "openssl", "3.0.1-1"), &[]);
        check(&package("npm", "x", ""), &[]);
    }

    #[test]
    fn an_archive_is_called_by_the_parts_of_its_file_s_name() {
        let mut spring = package("maven", "spring-core", "5.1.3.RELEASE");
        spring.location = "opt/app.war:WEB-INF/lib/spring-core-5.1.3.RELEASE.jar".into();
        check(
            &spring,
            &[
                "spring 5.1.3",
                "spring 5.1.3.RELEASE",
                "spring-core 5.1.3",
                "spring-core 5.1.3.RELEASE",
                "spring_core 5.1.3",
                "spring_core 5.1.3.RELEASE",
                "spring_framework 5.1.3",
                "spring_framework 5.1.3.RELEASE",
            ],
        );
        let mut plugin = package("maven", "plugin2", "1.0");
        plugin.location = "opt/plugin2.hpi".into();
        plugin.attributes.insert("implementation-version".into(), "1.0.1".into());
        plugin.attributes.insert("exports".into(), "org.x.myplugin".into());
        check(&plugin, &["myplugin 1.0", "myplugin 1.0.1", "plugin 1.0", "plugin 1.0.1"]);
    }

    #[test]
    fn what_was_merged_into_an_archive_is_called_by_its_own_name() {
        let mut guava = package("maven", "guava", "28.1-jre");
        guava.location = "opt/shaded-1.0.jar".into();
        guava.analyzer = "java".into();
        check(&guava, &["guava 28.1-jre"]);
        guava.analyzer = "legacy".into();
        guava.location = "opt/shaded-1.0.jar:guava".into();
        check(&guava, &["guava 28.1-jre"]);
    }

    #[test]
    fn the_aliases_are_in_order() {
        assert!(ALIASES.is_sorted());
    }
}
