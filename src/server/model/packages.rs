//! What images have in them and what is vulnerable there, as it is asked for across images: each
//! package and each finding once, and which images have it.

use std::collections::BTreeSet;

use inscan_store::{Result, Row, Tx, values};

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

/// An image has exactly these.
pub(crate) fn set_packages(tx: &Tx<'_>, image: i64, packages: &BTreeSet<Package>) -> Result<()> {
    tx.run("DELETE FROM image_package WHERE image = $1", values![image])?;
    for Package { name, version, kind } in packages {
        let found = tx.row(
            "SELECT id FROM package WHERE name = $1 AND version = $2 AND kind = $3",
            values![name, version, kind],
        )?;
        let found = match found {
            Some(found) => found,
            None => insert(tx, name, version, kind)?,
        };
        tx.run(
            "INSERT INTO image_package (package, image) VALUES ($1, $2)",
            values![found.int()?, image],
        )?;
    }
    Ok(())
}

fn insert(tx: &Tx<'_>, name: &str, version: &str, kind: &str) -> Result<Row> {
    let row = tx.row(
        "INSERT INTO package (name, version, kind) VALUES ($1, $2, $3) \
         ON CONFLICT (name, version, kind) DO UPDATE SET name = excluded.name RETURNING id",
        values![name, version, kind],
    )?;
    row.ok_or(inscan_store::Error::Shape { column: 0 })
}

/// An image has exactly these findings.
pub(crate) fn set_findings(tx: &Tx<'_>, image: i64, findings: &BTreeSet<Finding>) -> Result<()> {
    tx.run("DELETE FROM image_finding WHERE image = $1", values![image])?;
    for finding in findings {
        let Finding { vuln, severity, namespace, package, refused } = finding;
        let row = tx.row(
            "INSERT INTO finding (vuln, severity, namespace, name, version, kind, refused) \
             VALUES ($1, $2, $3, $4, $5, $6, $7) \
             ON CONFLICT (vuln, name, version, kind, namespace, severity, refused) \
             DO UPDATE SET vuln = excluded.vuln RETURNING id",
            values![
                vuln,
                severity,
                namespace,
                &package.name,
                &package.version,
                &package.kind,
                *refused
            ],
        )?;
        let id = row.map_or(Err(inscan_store::Error::Shape { column: 0 }), Row::int)?;
        tx.run("INSERT INTO image_finding (finding, image) VALUES ($1, $2)", values![id, image])?;
    }
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
