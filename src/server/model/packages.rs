//! What images have in them and what is vulnerable there, as it is asked for across images: each
//! package once, with what is vulnerable in it, and which images have it.

use std::collections::{BTreeMap, BTreeSet};

use inscan_judge::subjects::Subject;
use inscan_store::{Result, Row, Store, Tx, values};
use serde_json::{Value as Json, json};

use crate::server::ids::hash_of;

/// The form of an image's rows here; images whose rows are of another are listed anew.
pub(crate) const FORM: i64 = 1;

/// A package as it is asked for.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Package {
    pub(crate) name: String,
    pub(crate) version: String,
    /// `APKG`, `dpkg`, `rpm`, `npm`, `java` …
    pub(crate) kind: String,
}

/// All packages of an image, by their hash: each with what it is matched by.
pub(crate) type Packages = BTreeMap<String, (Package, String)>;

/// A vulnerability as packages have it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Finding {
    pub(crate) vuln: String,
    /// `High`.
    pub(crate) severity: String,
    /// `debian:10`, `github:python`, `nvdv2:cves`.
    pub(crate) namespace: String,
    pub(crate) refused: bool,
    /// Where it is found under another name and version than the package's own; else empty.
    pub(crate) name: String,
    pub(crate) version: String,
}

/// PostgreSQL reads no NUL, neither in texts nor in JSON.
pub(crate) fn without_nul(text: &str) -> String {
    text.replace('\0', "\u{fffd}")
}

/// Those that a document has and are matched, and those that are listed beside them.
pub(crate) fn packages(subjects: &[Subject], listed: BTreeSet<Package>) -> Packages {
    let mut all = Packages::new();
    let mut named = BTreeSet::new();
    let mut add = |package: Package, subject: String| {
        let Package { name, version, kind } = &package;
        // Half of a sha256 is enough to tell them apart.
        let mut hash = hash_of(&[name, version, kind, &subject]);
        hash.truncate(32);
        all.insert(hash, (package, subject));
    };
    for subject in subjects {
        let found = subject.package();
        let package = Package {
            name: without_nul(&found.name),
            version: without_nul(&found.version),
            kind: without_nul(&found.kind),
        };
        named.insert(package.clone());
        add(package, json!(subject).to_string());
    }
    for package in listed {
        let package = Package {
            name: without_nul(&package.name),
            version: without_nul(&package.version),
            kind: without_nul(&package.kind),
        };
        if !named.contains(&package) {
            add(package, String::new());
        }
    }
    all
}

fn hashes(packages: &Packages) -> String {
    json!(packages.keys().collect::<Vec<_>>()).to_string()
}

fn add(tx: &Tx<'_>, packages: &Packages) -> Result<()> {
    let known =
        tx.rows("SELECT hash FROM package WHERE hash IN {list:$1}", values![hashes(packages)])?;
    let known: BTreeSet<String> = known.into_iter().map(Row::text).collect::<Result<_>>()?;
    let new: Vec<Json> = packages
        .iter()
        .filter(|(hash, _)| !known.contains(*hash))
        .map(|(hash, (package, subject))| {
            json!([hash, package.name, package.version, package.kind, subject])
        })
        .collect();
    if new.is_empty() {
        return Ok(());
    }
    tx.run(
        "INSERT INTO package (hash, name, version, kind, subject, generation, critical, high, medium, low, \
           negligible, unknown, critical_told, high_told, medium_told, low_told, negligible_told, unknown_told, pending) \
         SELECT (value ->> 0), (value ->> 1), (value ->> 2), (value ->> 3), (value ->> 4), \
           0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0 FROM {rows:$1} WHERE true \
         ON CONFLICT (hash) DO NOTHING",
        values![json!(new).to_string()],
    )?;
    Ok(())
}

/// Adds what is not there yet: before the unit of work that needs them, so that two images with the
/// same packages do not wait for each other.
pub(crate) fn add_packages(store: &Store, packages: &Packages) -> Result<()> {
    store.add(|tx| add(tx, packages))
}

/// An image has exactly these. What they sum up to is counted later.
pub(crate) fn set_packages(tx: &Tx<'_>, image: i64, packages: &Packages) -> Result<()> {
    tx.run("DELETE FROM image_package WHERE image = $1", values![image])?;
    add(tx, packages)?;
    tx.run(
        "INSERT INTO image_package (package, image) SELECT id, CAST($2 AS BIGINT) FROM package WHERE hash IN {list:$1}",
        values![hashes(packages), image],
    )?;
    tx.run("UPDATE image SET listed = $2, counted = 0 WHERE id = $1", values![image, FORM])?;
    Ok(())
}

/// Which packages are asked for; empty: any.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct ByPackage<'a> {
    pub(crate) name: &'a str,
    pub(crate) version: &'a str,
    pub(crate) kind: &'a str,
}

/// A piece of a list of images, in the order of their rows.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Piece {
    pub(crate) skipped: i64,
    pub(crate) most: i64,
}

const OF_PACKAGE: &str = "package.name = $1 AND ($2 = '' OR package.version = $2) AND ($3 = '' OR lower(package.kind) = lower($3))";
const OF_FINDING: &str = "finding.vuln = $1 AND ($2 = '' OR finding.namespace = $2) \
    AND ($3 = '' OR package.name = $3 OR finding.name = $3) \
    AND ($4 = '' OR lower(finding.severity) = lower($4)) AND ($5 = 0 OR finding.refused = 0)";

/// The images that have a package, and how many there are.
pub(crate) fn images_with_package(
    tx: &Tx<'_>,
    account: &str,
    by: ByPackage<'_>,
    piece: Piece,
) -> Result<(Vec<i64>, i64)> {
    let ByPackage { name, version, kind } = by;
    let sql = format!("SELECT package.id FROM package WHERE {OF_PACKAGE}");
    let ids = numbers(tx, &sql, values![name, version, kind])?;
    images_of(tx, account, &ids, piece)
}

/// The images that have a vulnerability, and how many there are.
pub(crate) fn images_with_vulnerability(
    tx: &Tx<'_>,
    account: &str,
    by: ByVulnerability<'_>,
    piece: Piece,
) -> Result<(Vec<i64>, i64)> {
    let sql = format!(
        "SELECT DISTINCT package.id FROM finding JOIN package_finding ON package_finding.finding = finding.id \
         JOIN package ON package.id = package_finding.package WHERE {OF_FINDING}"
    );
    let ByVulnerability { vuln, namespace, package, severity, vendor_only } = by;
    let ids = numbers(tx, &sql, values![vuln, namespace, package, severity, vendor_only])?;
    images_of(tx, account, &ids, piece)
}

fn numbers(tx: &Tx<'_>, sql: &str, values: &[inscan_store::Value]) -> Result<Vec<i64>> {
    tx.rows(sql, values)?.into_iter().map(Row::int).collect()
}

fn images_of(
    tx: &Tx<'_>,
    account: &str,
    packages: &[i64],
    piece: Piece,
) -> Result<(Vec<i64>, i64)> {
    let ids = json!(packages).to_string();
    // Their tables are joined only where another account has images: one look-up for each of thousands.
    let others = "SELECT 1 FROM image WHERE account < $1 UNION ALL SELECT 1 FROM image WHERE account > $1 LIMIT 1";
    let mut all = match tx.row(others, values![account])? {
        None => {
            let sql = "SELECT image FROM image_package WHERE package IN {numbers:$1}";
            numbers(tx, sql, values![&ids])?
        }
        // `CROSS JOIN`: SQLite then begins with the packages, and not with all images of the account.
        Some(_) => numbers(
            tx,
            "SELECT image.id FROM image_package CROSS JOIN image \
             WHERE image.id = image_package.image AND image_package.package IN {numbers:$1} AND image.account = $2",
            values![&ids, account],
        )?,
    };
    all.sort_unstable();
    all.dedup();
    let number = |number: i64| usize::try_from(number).unwrap_or_default();
    let found = all.iter().skip(number(piece.skipped)).take(number(piece.most));
    Ok((found.copied().collect(), i64::try_from(all.len()).unwrap_or(i64::MAX)))
}

/// Rows of image and package, of some images, in their order.
pub(crate) fn with_package(
    tx: &Tx<'_>,
    images: &[i64],
    by: ByPackage<'_>,
) -> Result<Vec<(i64, Package)>> {
    let sql = format!(
        "SELECT DISTINCT image_package.image, package.name, package.version, package.kind FROM package \
         CROSS JOIN image_package \
         WHERE image_package.package = package.id AND {OF_PACKAGE} AND image_package.image IN {{numbers:$4}} \
         ORDER BY image_package.image, package.version, package.kind"
    );
    let rows = tx.rows(&sql, values![by.name, by.version, by.kind, json!(images).to_string()])?;
    let read = |row: Row| {
        let mut fields = row.fields();
        let image = fields.int()?;
        let package =
            Package { name: fields.text()?, version: fields.text()?, kind: fields.text()? };
        Ok((image, package))
    };
    rows.into_iter().map(read).collect()
}

/// Which findings are asked for; empty: any.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct ByVulnerability<'a> {
    pub(crate) vuln: &'a str,
    pub(crate) namespace: &'a str,
    pub(crate) package: &'a str,
    pub(crate) severity: &'a str,
    /// Without what its vendor will not fix.
    pub(crate) vendor_only: bool,
}

/// A package of an image with a vulnerability of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Found {
    pub(crate) image: i64,
    /// Under the name by which it was found.
    pub(crate) package: Package,
    pub(crate) vuln: String,
    pub(crate) severity: String,
    pub(crate) namespace: String,
    pub(crate) fix: Option<String>,
}

/// The columns of a [`Found`], to be read by [`found`].
pub(crate) const FOUND: &str = "image_package.image, \
    CASE WHEN finding.name = '' THEN package.name ELSE finding.name END AS called, \
    CASE WHEN finding.name = '' THEN package.version ELSE finding.version END AS of_version, \
    package.kind, finding.vuln, finding.severity, finding.namespace, package_finding.fix";

pub(crate) fn found(row: Row) -> Result<Found> {
    let mut fields = row.fields();
    Ok(Found {
        image: fields.int()?,
        package: Package { name: fields.text()?, version: fields.text()?, kind: fields.text()? },
        vuln: fields.text()?,
        severity: fields.text()?,
        namespace: fields.text()?,
        fix: fields.text_or_none()?,
    })
}

/// Rows of image and finding, of some images, in their order.
pub(crate) fn with_vulnerability(
    tx: &Tx<'_>,
    images: &[i64],
    by: ByVulnerability<'_>,
) -> Result<Vec<Found>> {
    let sql = format!(
        "SELECT DISTINCT {FOUND} FROM finding \
         JOIN package_finding ON package_finding.finding = finding.id \
         JOIN package ON package.id = package_finding.package \
         JOIN image_package ON image_package.package = package.id \
         WHERE {OF_FINDING} AND image_package.image IN {{numbers:$6}} \
         ORDER BY image_package.image, called, of_version"
    );
    let ByVulnerability { vuln, namespace, package, severity, vendor_only } = by;
    let values =
        values![vuln, namespace, package, severity, vendor_only, json!(images).to_string()];
    tx.rows(&sql, values)?.into_iter().map(found).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_listed_and_matched_stands_once() {
        let package =
            |name: &str| Package { name: name.into(), version: "1".into(), kind: "npm".into() };
        let section: inscan_document::Section = inscan_document::Section {
            packages: vec![inscan_document::section::PackageRow {
                kind: "npm".into(),
                name: "a".into(),
                version: "1".into(),
                ..Default::default()
            }],
            ..Default::default()
        };
        let subjects = inscan_judge::subjects::of_document(&section);
        let all = packages(&subjects, BTreeSet::from([package("a"), package("b\0")]));
        let found: Vec<(&str, bool)> = all
            .values()
            .map(|(package, subject)| (package.name.as_str(), subject.is_empty()))
            .collect();
        assert_eq!(found.len(), 2);
        assert!(found.contains(&("a", false)) && found.contains(&("b\u{fffd}", true)), "{found:?}");
    }
}
