//! What images have in them and what is vulnerable there, as it is asked for across images: each
//! package and each finding once, and which images have it.

use std::collections::BTreeSet;

use inscan_store::{Result, Row, Store, Tx, values};
use serde_json::json;

/// A package as it is asked for.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Package {
    pub(crate) name: String,
    pub(crate) version: String,
    /// `APKG`, `dpkg`, `rpm`, `npm`, `java` …
    pub(crate) kind: String,
}

/// A vulnerability of a package.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Finding {
    pub(crate) vuln: String,
    /// `High`.
    pub(crate) severity: String,
    /// `debian:10`, `github:python`, `nvdv2:cves`.
    pub(crate) namespace: String,
    pub(crate) package: Package,
    pub(crate) refused: bool,
}

/// As rows of a question. PostgreSQL reads no NUL in JSON either.
fn rows<'a>(rows: impl Iterator<Item = Vec<&'a str>>) -> String {
    let plain = |text: &str| text.replace('\0', "\u{fffd}");
    let rows = rows.map(|row| row.into_iter().map(plain).collect::<Vec<_>>());
    json!(rows.collect::<Vec<_>>()).to_string()
}

fn package_rows(packages: &BTreeSet<Package>) -> String {
    rows(packages.iter().map(|it| vec![it.name.as_str(), &it.version, &it.kind]))
}

fn finding_rows(findings: &BTreeSet<Finding>) -> String {
    rows(findings.iter().map(|it| {
        let package = &it.package;
        let refused = if it.refused { "1" } else { "0" };
        let Finding { vuln, severity, namespace, .. } = it;
        vec![vuln, severity, namespace, &package.name, &package.version, &package.kind, refused]
    }))
}

const ADD_PACKAGES: &str = "INSERT INTO package (name, version, kind) \
    SELECT (value ->> 0), (value ->> 1), (value ->> 2) FROM {rows:$1} WHERE true \
    ON CONFLICT (name, version, kind) DO NOTHING";
const ADD_FINDINGS: &str = "INSERT INTO finding (vuln, severity, namespace, name, version, kind, refused) \
    SELECT (value ->> 0), (value ->> 1), (value ->> 2), (value ->> 3), (value ->> 4), (value ->> 5), \
      CAST((value ->> 6) AS BIGINT) FROM {rows:$1} WHERE true \
    ON CONFLICT (vuln, name, version, kind, namespace, severity, refused) DO NOTHING";

/// Adds what is not there yet: before the unit of work that needs them, so that two images with the
/// same packages do not wait for each other.
pub(crate) fn add_packages(store: &Store, packages: &BTreeSet<Package>) -> Result<()> {
    let rows = package_rows(packages);
    store.add(|tx| tx.run(ADD_PACKAGES, values![&rows]).map(drop))
}

/// The same for findings.
pub(crate) fn add_findings(store: &Store, findings: &BTreeSet<Finding>) -> Result<()> {
    let rows = finding_rows(findings);
    store.add(|tx| tx.run(ADD_FINDINGS, values![&rows]).map(drop))
}

/// An image has exactly these.
pub(crate) fn set_packages(tx: &Tx<'_>, image: i64, packages: &BTreeSet<Package>) -> Result<()> {
    let rows = package_rows(packages);
    tx.run("DELETE FROM image_package WHERE image = $1", values![image])?;
    tx.run(ADD_PACKAGES, values![&rows])?;
    tx.run(
        "INSERT INTO image_package (package, image) SELECT package.id, CAST($2 AS BIGINT) FROM {rows:$1} \
         JOIN package ON package.name = (value ->> 0) AND package.version = (value ->> 1) \
           AND package.kind = (value ->> 2)",
        values![&rows, image],
    )?;
    Ok(())
}

/// An image has exactly these findings.
pub(crate) fn set_findings(tx: &Tx<'_>, image: i64, findings: &BTreeSet<Finding>) -> Result<()> {
    let rows = finding_rows(findings);
    tx.run("DELETE FROM image_finding WHERE image = $1", values![image])?;
    tx.run(ADD_FINDINGS, values![&rows])?;
    tx.run(
        "INSERT INTO image_finding (finding, image) SELECT finding.id, CAST($2 AS BIGINT) FROM {rows:$1} \
         JOIN finding ON finding.vuln = (value ->> 0) AND finding.severity = (value ->> 1) \
           AND finding.namespace = (value ->> 2) AND finding.name = (value ->> 3) \
           AND finding.version = (value ->> 4) AND finding.kind = (value ->> 5) \
           AND finding.refused = CAST((value ->> 6) AS BIGINT)",
        values![&rows, image],
    )?;
    Ok(())
}

/// Which packages are asked for; empty: any.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct ByPackage<'a> {
    pub(crate) name: &'a str,
    pub(crate) version: &'a str,
    pub(crate) kind: &'a str,
}

/// Rows of image and package, in the order of images.
pub(crate) fn with_package(
    tx: &Tx<'_>,
    account: &str,
    by: ByPackage<'_>,
) -> Result<Vec<(i64, Package)>> {
    let rows = tx.rows(
        "SELECT image.id, package.name, package.version, package.kind FROM package \
         JOIN image_package ON image_package.package = package.id \
         JOIN image ON image.id = image_package.image \
         WHERE package.name = $2 AND ($3 = '' OR package.version = $3) AND ($4 = '' OR lower(package.kind) = lower($4)) \
           AND image.account = $1 \
         ORDER BY image.id, package.version, package.kind",
        values![account, by.name, by.version, by.kind],
    )?;
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

/// Rows of image and finding, in the order of images.
pub(crate) fn with_vulnerability(
    tx: &Tx<'_>,
    account: &str,
    by: ByVulnerability<'_>,
) -> Result<Vec<(i64, Finding)>> {
    let rows = tx.rows(
        "SELECT image.id, finding.vuln, finding.severity, finding.namespace, finding.name, finding.version, \
           finding.kind, finding.refused FROM finding \
         JOIN image_finding ON image_finding.finding = finding.id \
         JOIN image ON image.id = image_finding.image \
         WHERE finding.vuln = $2 AND ($3 = '' OR finding.namespace = $3) AND ($4 = '' OR finding.name = $4) \
           AND ($5 = '' OR lower(finding.severity) = lower($5)) AND ($6 = 0 OR finding.refused = 0) \
           AND image.account = $1 \
         ORDER BY image.id, finding.name, finding.version",
        values![account, by.vuln, by.namespace, by.package, by.severity, by.vendor_only],
    )?;
    let read = |row: Row| {
        let mut fields = row.fields();
        let image = fields.int()?;
        let (vuln, severity, namespace) = (fields.text()?, fields.text()?, fields.text()?);
        let package =
            Package { name: fields.text()?, version: fields.text()?, kind: fields.text()? };
        let refused = fields.bool()?;
        Ok((image, Finding { vuln, severity, namespace, package, refused }))
    };
    rows.into_iter().map(read).collect()
}
