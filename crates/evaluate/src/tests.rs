//! Small documents against small databases.

use std::fs;

use inscan_facts::package::{Certainty, Evidence};
use jiff::Timestamp;
use serde_json::{Value, json};
use tempfile::TempDir;

mod feeds;

use super::*;
use inscan_document::section::{DistributionInfo, HistoryRow, Layer, PackageRow, SourcePackage};
use inscan_facts::progress::Silent;
use inscan_vulndb::build::{Dates, build};

/// A database of these records; the folder has to live as long.
fn database(records: &[Value]) -> (TempDir, VulnDb) {
    let folder = TempDir::new().unwrap();
    for (number, record) in records.iter().enumerate() {
        let mut record = record.clone();
        let defaults = json!({"modified": "2026-11-20T00:00:00Z", "schema_version": "1.7.0"});
        for (key, value) in defaults.as_object().unwrap() {
            record.as_object_mut().unwrap().entry(key).or_insert(value.clone());
        }
        fs::write(folder.path().join(format!("{number}.json")), record.to_string()).unwrap();
    }
    let file = folder.path().join("vulnerabilities.db");
    let dates = Dates { now: Timestamp::from_second(1_795_000_000).unwrap(), built: None };
    build(&[folder.path().to_owned()], &file, dates, &Silent).unwrap();
    let database = VulnDb::open(&file).unwrap();
    (folder, database)
}

/// `name` is affected below `fixed`; as it is written in OSV.
fn affected(ecosystem: &str, name: &str, fixed: &[(&str, &str)]) -> Value {
    let pairs =
        fixed.iter().flat_map(|(from, to)| [json!({"introduced": from}), json!({"fixed": to})]);
    let events: Vec<Value> = pairs.collect();
    json!({
        "package": {"ecosystem": ecosystem, "name": name},
        "ranges": [{"type": "ECOSYSTEM", "events": events}],
    })
}

fn package(kind: &str, name: &str, version: &str) -> PackageRow {
    let os = matches!(kind, "deb" | "apk" | "rpm");
    PackageRow {
        kind: kind.into(),
        name: name.into(),
        version: version.into(),
        purl: format!("pkg:{kind}/{name}@{version}"),
        evidence: if os { Evidence::InstalledDb } else { Evidence::InstalledPackage },
        location: format!("opt/{name}"),
        layer: Some(0),
        ..Default::default()
    }
}

fn debian(packages: Vec<PackageRow>) -> Section {
    let layer = |index, created_by: &str| Layer {
        index,
        diff_id: format!("sha256:{index:064}"),
        created_by: created_by.into(),
        ..Default::default()
    };
    let mut section = Section {
        distribution: Some(DistributionInfo {
            id: "debian".into(),
            version: "12".into(),
            ..Default::default()
        }),
        layers: vec![layer(0, "ADD rootfs"), layer(1, "RUN pip install")],
        packages,
        ..Default::default()
    };
    let line = |created_by: &str, layer| HistoryRow {
        created_by: created_by.into(),
        layer,
        ..Default::default()
    };
    section.image.history = vec![
        line("ADD rootfs", Some(0)),
        line(r#"CMD ["sh"]"#, None),
        line("RUN pip install", Some(1)),
    ];
    section
}

fn options() -> Options {
    Options { today: "2026-11-25".parse().unwrap(), ..Options::default() }
}

fn judged(section: &Section, records: &[Value], options: &Options) -> Evaluation {
    let (_folder, database) = database(records);
    let data = Data { database: &database, source: "test.db" };
    let evaluation = evaluate(section, Some(data), options, None).unwrap();
    check_schema(&evaluation);
    evaluation
}

/// Every evaluation of these tests is as the published schema says, and says nothing else.
#[track_caller]
fn check_schema(evaluation: &Evaluation) {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/evaluation.schema.json");
    let mut schema: Value = serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap();
    schema["additionalProperties"] = Value::Bool(false);
    for part in schema["$defs"].as_object_mut().unwrap().values_mut() {
        if part.get("properties").is_some() {
            part["additionalProperties"] = Value::Bool(false);
        }
    }
    let validator = jsonschema::validator_for(&schema).unwrap();
    let value = serde_json::to_value(evaluation).unwrap();
    let errors: Vec<String> =
        validator.iter_errors(&value).map(|error| error.to_string()).collect();
    assert!(errors.is_empty(), "{errors:#?}");
    let back: Evaluation = serde_json::from_value(value).unwrap();
    assert_eq!(&back, evaluation);
}

/// `id package status upgrade severity`, one finding a line.
fn lines(findings: &[Finding]) -> Vec<String> {
    let line = |finding: &Finding| {
        format!(
            "{} {} {} {}",
            finding.id,
            finding.package.name,
            finding.upgrade.as_deref().unwrap_or("-"),
            finding.severity.level.name()
        )
    };
    findings.iter().map(line).collect()
}

const V3_HIGH: &str = "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:N/A:N";

#[test]
fn a_source_package_stands_for_its_binaries() {
    let mut libssl = package("deb", "libssl3", "3.0.11-1~deb12u2");
    libssl.source = Some(SourcePackage { name: "openssl".into(), version: None });
    let records = [json!({
        "id": "DEBIAN-CVE-2023-1", "upstream": ["CVE-2023-1"],
        "affected": [affected("Debian:12", "openssl", &[("0", "3.0.13-1~deb12u1")])],
    })];
    let found = judged(&debian(vec![libssl.clone()]), &records, &options());
    assert_eq!(lines(&found.findings), ["CVE-2023-1 libssl3 3.0.13-1~deb12u1 unknown"]);
    let finding = &found.findings[0];
    assert_eq!(finding.aliases, ["CVE-2023-1", "DEBIAN-CVE-2023-1"]);
    assert_eq!(finding.package.source.as_deref(), Some("openssl"));
    assert_eq!(finding.layer.as_ref().unwrap().created_by, "ADD rootfs");
    assert_eq!(finding.layer.as_ref().unwrap().base, Some(true));
    let detail = &finding.matches[0];
    assert_eq!(
        (&*detail.name, detail.name_of, &*detail.range, &*detail.ecosystem),
        ("openssl", NameOf::Source, "< 3.0.13-1~deb12u1", "Debian:12")
    );
    assert_eq!((found.counts.judged_packages, found.counts.fixable), (1, 1));
    assert_eq!(found.upgrades[0].package, "openssl");

    libssl.version = "3.0.13-1~deb12u1".into();
    assert!(judged(&debian(vec![libssl]), &records, &options()).findings.is_empty());
}

#[test]
fn what_several_sources_say_of_one_vulnerability_is_one_finding() {
    let records = [
        json!({
            "id": "PYSEC-2021-1", "aliases": ["CVE-2021-1"], "summary": "",
            "details": "It breaks. Badly.",
            "affected": [affected("PyPI", "sample", &[("0", "2.0")])],
            "references": [{"type": "ADVISORY", "url": "https://registry.example/PYSEC-2021-1"}],
        }),
        json!({
            "id": "GHSA-aaaa-bbbb-cccc", "aliases": ["CVE-2021-1"],
            "severity": [{"type": "CVSS_V3", "score": V3_HIGH}],
            "affected": [affected("PyPI", "Sample", &[("0", "2.0.1")])],
        }),
        json!({
            "id": "PYSEC-2021-2", "withdrawn": "2022-01-01T00:00:00Z",
            "affected": [affected("PyPI", "sample", &[("0", "9")])],
        }),
        json!({
            "id": "PYSEC-2021-3", "aliases": ["CVE-2021-3"], "related": ["CVE-2021-1"],
            "affected": [affected("PyPI", "sample", &[("0", "1.5")])],
        }),
    ];
    let found = judged(&debian(vec![package("pypi", "sample", "1.0")]), &records, &options());
    assert_eq!(
        lines(&found.findings),
        ["CVE-2021-1 sample 2.0.1 high", "CVE-2021-3 sample 1.5 unknown"]
    );
    let finding = &found.findings[0];
    assert_eq!(finding.aliases, ["CVE-2021-1", "GHSA-aaaa-bbbb-cccc", "PYSEC-2021-1"]);
    assert_eq!(finding.fixed_versions, ["2.0", "2.0.1"]);
    assert_eq!(finding.summary, "It breaks.");
    assert_eq!(finding.severity.source, "GHSA-aaaa-bbbb-cccc (CVSS 3.1)");
    let urls: Vec<_> = finding.advisories.iter().filter_map(|it| it.url.as_deref()).collect();
    assert_eq!(urls, ["https://registry.example/PYSEC-2021-1"]);
    assert_eq!(finding.matches.len(), 2);
    assert_eq!(found.counts.vulnerabilities, 2);
}

#[test]
fn an_erratum_gives_each_of_its_cves_its_own_finding() {
    let mut section = debian(vec![package("rpm", "sample-libs", "1.0-1.el9")]);
    section.packages[0].source =
        Some(SourcePackage { name: "sample".into(), version: Some("1.0-1.el9".into()) });
    section.packages[0].origin = Some("AlmaLinux".into());
    section.distribution = Some(DistributionInfo {
        id: "almalinux".into(),
        version: "9.3".into(),
        ..Default::default()
    });
    let erratum = |id: &str, title: &str, cves: &[&str]| {
        json!({
            "id": id, "summary": title, "related": cves,
            "affected": [affected("AlmaLinux:9", "sample-libs", &[("0", "1.0-2.el9")])],
        })
    };
    let records = [
        erratum("ALSA-2023:1", "Important: sample security update", &["CVE-2023-1", "CVE-2023-2"]),
        erratum("ALBA-2023:2", "sample bug fix update", &[]),
        json!({
            "id": "GHSA-aaaa-bbbb-cccc", "aliases": ["CVE-2023-2"],
            "severity": [{"type": "CVSS_V3", "score": V3_HIGH}],
            "affected": [affected("npm", "other", &[("0", "1.0.0")])],
        }),
    ];
    let found = judged(&section, &records, &options());
    assert_eq!(
        lines(&found.findings),
        ["CVE-2023-2 sample-libs 1.0-2.el9 high", "CVE-2023-1 sample-libs 1.0-2.el9 high"]
    );
    assert_eq!(found.findings[0].severity.source, "ALSA-2023:1 (title)");
    assert_eq!(found.findings[0].severity.score, Some(7.5));
    assert_eq!(found.findings[1].advisories[0].id, "ALSA-2023:1");
    let codes: Vec<_> = found.suppressed.iter().map(|one| one.by.code).collect();
    assert_eq!(codes, [SuppressionCode::NotSecurity]);
    assert_eq!(found.suppressed[0].by.reason, "ALBA-2023:2 announces a bug fix");
}

#[test]
fn what_is_unimportant_is_kept_back_and_can_be_asked_for() {
    let records = [json!({
        "id": "DEBIAN-CVE-2010-1", "upstream": ["CVE-2010-1"],
        "affected": [{
            "package": {"ecosystem": "Debian:12", "name": "bash"},
            "ranges": [{"type": "ECOSYSTEM", "events": [{"introduced": "0"}]}],
            "ecosystem_specific": {"urgency": "unimportant"},
        }],
    })];
    let section = debian(vec![package("deb", "bash", "5.2-1")]);
    let found = judged(&section, &records, &options());
    assert!(found.findings.is_empty());
    assert_eq!(found.suppressed[0].by.code, SuppressionCode::Unimportant);
    assert_eq!(found.counts.suppressed[&SuppressionCode::Unimportant], 1);
    let asked = Options { unimportant: true, ..options() };
    let found = judged(&section, &records, &asked);
    assert_eq!(lines(&found.findings), ["CVE-2010-1 bash - negligible"]);
    assert_eq!(found.findings[0].status, Status::Affected);
}

#[test]
fn a_language_package_of_an_os_package_is_judged_by_the_distribution() {
    let mut section =
        debian(vec![package("deb", "python3-sample", "1.0-1"), package("pypi", "sample", "1.0")]);
    section.packages[0].origin = Some("Team <team+python@tracker.debian.org>".into());
    section.packages[1].owned_by = Some(0);
    let records = [
        json!({
            "id": "PYSEC-2021-1", "affected": [affected("PyPI", "sample", &[("0", "2.0")])],
        }),
        json!({
            "id": "DEBIAN-CVE-2021-9", "affected": [affected("Debian:12", "x", &[("0", "2")])],
        }),
    ];
    let found = judged(&section, &records, &options());
    assert!(found.findings.is_empty());
    assert_eq!(
        found.suppressed[0].by.reason,
        "/opt/sample belongs to the package python3-sample 1.0-1, \
         which is evaluated by its distribution's advisories"
    );
    let keep = Options { keep_owned: true, ..options() };
    assert_eq!(judged(&section, &records, &keep).findings.len(), 1);
    // Without advisories of the distribution, nobody else judges it.
    assert_eq!(judged(&section, &records[..1], &options()).findings.len(), 1);
}

#[test]
fn a_source_package_that_is_not_stated_is_told_by_the_advisories() {
    let mut section = debian(vec![package("deb", "libssl3t64", "3.0.13-0ubuntu3")]);
    section.distribution = Some(DistributionInfo {
        id: "ubuntu".into(),
        version: "24.04".into(),
        ..DistributionInfo::default()
    });
    section.packages[0].identity.source = Certainty::Unknown;
    let record = |id: &str, name: &str, binaries: &[&str]| {
        let mut affected = affected("Ubuntu:24.04:LTS", name, &[("0", "3.0.13-0ubuntu3.4")]);
        let binaries: Vec<_> = binaries.iter().map(|name| json!({"binary_name": name})).collect();
        affected["ecosystem_specific"] = json!({"binaries": binaries});
        json!({"id": id, "affected": [affected]})
    };
    let openssl = record("UBUNTU-CVE-2024-1", "openssl", &["openssl", "libssl3t64"]);
    let other = record("UBUNTU-CVE-2024-2", "zlib", &["zlib1g"]);
    let silent = record("UBUNTU-CVE-2024-3", "gzip", &[]);
    let found = judged(&section, &[openssl.clone(), silent.clone()], &options());
    assert_eq!(lines(&found.findings), ["UBUNTU-CVE-2024-1 libssl3t64 3.0.13-0ubuntu3.4 unknown"]);
    // Every entry says what it is about, and none is about this one.
    let found = judged(&section, std::slice::from_ref(&other), &options());
    assert_eq!((found.findings.len(), found.uncovered.len()), (0, 0));
    let found = judged(&section, &[other, silent], &options());
    assert_eq!(found.uncovered[0].subject, "packages without their source package");
    // A dpkg database states that it has the same name.
    section.packages[0].identity.source = Certainty::Stated;
    let found = judged(&section, &[openssl], &options());
    assert_eq!((found.findings.len(), found.uncovered.len()), (0, 0));
}

#[test]
fn nobody_answers_for_what_a_package_of_an_unknown_maker_carries() {
    let mut section =
        debian(vec![package("deb", "agent", "1.0-1"), package("pypi", "sample", "1.0")]);
    section.packages[0].origin = Some("Ops <ops@acme.example>".into());
    section.packages[1].owned_by = Some(0);
    let records = |known: &str| {
        let python = json!({
            "id": "PYSEC-2021-1", "affected": [affected("PyPI", "sample", &[("0", "2.0")])],
        });
        let debians = json!({
            "id": "DEBIAN-CVE-2021-9", "affected": [affected("Debian:12", known, &[("0", "0.9")])],
        });
        [python, debians]
    };
    let ids = |found: &Evaluation| lines(&found.findings);
    let found = judged(&section, &records("other"), &options());
    assert_eq!(ids(&found), ["PYSEC-2021-1 sample 2.0 unknown"]);
    // Debian's list has the name: it is Debian's package, whoever maintains it.
    assert!(judged(&section, &records("agent"), &options()).findings.is_empty());
    section.packages[0].attributes.insert("vendor".into(), "Acme".into());
    let found = judged(&section, &records("agent"), &options());
    assert_eq!(ids(&found), ["PYSEC-2021-1 sample 2.0 unknown"]);
    assert_eq!(found.uncovered[0].code, UncoveredCode::ThirdParty);
}

#[test]
fn an_upgrade_mends_all_that_can_be_mended() {
    let records = [
        json!({
            "id": "PYSEC-1", "affected": [affected("PyPI", "web", &[("3.2", "3.2.4"), ("4.0", "4.0.3")])],
        }),
        json!({
            "id": "PYSEC-2", "affected": [affected("PyPI", "web", &[("0", "4.0.1")])],
        }),
        json!({
            "id": "PYSEC-3", "affected": [{
                "package": {"ecosystem": "PyPI", "name": "web"},
                "ranges": [{"type": "ECOSYSTEM", "events": [{"introduced": "0"}]}],
            }],
        }),
    ];
    let found = judged(&debian(vec![package("pypi", "web", "3.2.0")]), &records, &options());
    assert_eq!(
        lines(&found.findings),
        ["PYSEC-1 web 3.2.4 unknown", "PYSEC-2 web 4.0.1 unknown", "PYSEC-3 web - unknown"]
    );
    assert_eq!(found.findings[0].fixed_versions, ["3.2.4", "4.0.3"]);
    assert_eq!(found.upgrades.len(), 1);
    assert_eq!((&*found.upgrades[0].from, &*found.upgrades[0].to), ("3.2.0", "4.0.3"));
    assert_eq!(found.upgrades[0].findings, [0, 1]);
}

#[test]
fn what_cannot_be_judged_is_said() {
    let records = [json!({
        "id": "PYSEC-1", "affected": [affected("PyPI", "a", &[("0", "1")])],
    })];
    let section = debian(vec![
        package("deb", "bash", "1-1"),
        package("conda", "c", "1"),
        package("pypi", "b", "not a version"),
    ]);
    let found = judged(&section, &records, &options());
    let said: Vec<_> = found.uncovered.iter().map(|one| (one.code, one.packages.clone())).collect();
    assert_eq!(
        said,
        [
            (UncoveredCode::NoDataForDistribution, vec![0]),
            (UncoveredCode::NoDataForEcosystem, vec![1]),
            (UncoveredCode::VersionNotComparable, vec![2]),
        ]
    );
    assert_eq!((found.counts.judged_packages, found.counts.uncovered_packages), (0, 3));
    assert_eq!(found.verdict.outcome, Outcome::NoGate);
    let gate = Gate { on_uncovered: OnUncovered::Fail, ..Gate::default() };
    let found = judged(&section, &records, &Options { gate, ..options() });
    assert_eq!(found.verdict.outcome, Outcome::Fail);
}

#[test]
fn without_a_database_nothing_passes() {
    let section = debian(vec![package("deb", "bash", "1-1")]);
    let found = evaluate(&section, None, &options(), None).unwrap();
    check_schema(&found);
    assert_eq!(found.database, None);
    assert_eq!(found.uncovered[0].code, UncoveredCode::NoDatabase);
    let gate = Gate { fail_on: Some(Severity::High), ..Gate::default() };
    let found = evaluate(&section, None, &Options { gate, ..options() }, None).unwrap();
    assert_eq!(found.verdict.outcome, Outcome::NotJudged);
}

#[test]
fn only_what_is_new_fails_with_a_baseline() {
    let records = [json!({
        "id": "PYSEC-1", "affected": [
            affected("PyPI", "old", &[("0", "2")]), affected("PyPI", "new", &[("0", "2")]),
        ],
    })];
    let (_folder, database) = database(&records);
    let data = Data { database: &database, source: "test.db" };
    let section = debian(vec![package("pypi", "new", "1"), package("pypi", "old", "1.1")]);
    let before = debian(vec![package("pypi", "old", "1.0")]);
    let gate = Gate {
        fail_on: Some(Severity::Unknown),
        baseline: Some("before.json".into()),
        ..Gate::default()
    };
    let options = Options { gate, ..options() };
    let found = evaluate(&section, Some(data), &options, Some(&before)).unwrap();
    check_schema(&found);
    let new: Vec<_> =
        found.findings.iter().map(|one| (&*one.package.name, one.new, one.fails)).collect();
    assert_eq!(new, [("new", Some(true), true), ("old", Some(false), false)]);
    assert_eq!((found.counts.new, found.counts.failing), (Some(1), 1));
    let same = evaluate(&before, Some(data), &options, Some(&before)).unwrap();
    assert_eq!(same.verdict.outcome, Outcome::Pass);
}

#[test]
fn what_is_reported_and_what_fails_are_two_questions() {
    let with = |id: &str, name: &str, score: &str| {
        json!({
            "id": id, "severity": [{"type": "CVSS_V3", "score": score}],
            "affected": [affected("PyPI", name, &[("0", "2")])],
        })
    };
    let low = "CVSS:3.1/AV:L/AC:H/PR:H/UI:R/S:U/C:L/I:N/A:N";
    let records = [with("PYSEC-1", "a", V3_HIGH), with("PYSEC-2", "a", low)];
    let section = debian(vec![package("pypi", "a", "1")]);
    let only_critical = Options { severity: Severity::Critical, ..options() };
    let found = judged(&section, &records, &only_critical);
    assert_eq!((found.findings.len(), found.counts.not_shown), (0, 2));
    let gate = Gate { fail_on: Some(Severity::High), ..Gate::default() };
    let found = judged(&section, &records, &Options { gate, ..only_critical });
    assert_eq!(lines(&found.findings), ["PYSEC-1 a 2 high"]);
    assert_eq!(found.verdict.reasons[0].message, "1 finding of severity high or worse");
    assert_eq!(found.verdict.reasons[0].findings, [0]);
}

#[test]
fn an_exception_holds_until_its_last_day() {
    let records = [json!({
        "id": "PYSEC-1", "aliases": ["CVE-2021-1"],
        "affected": [affected("PyPI", "a", &[("0", "2")])],
    })];
    let section = debian(vec![package("pypi", "a", "1")]);
    let text = "ignore: [{id: CVE-2021-1, reason: not reachable, expires: 2026-11-25}]";
    let exceptions = vec![Exceptions::parse("ours.yaml", text).unwrap()];
    let mut with = Options { exceptions, ..options() };
    let found = judged(&section, &records, &with);
    assert_eq!(found.suppressed[0].by.note.as_deref(), Some("not reachable"));
    assert!(found.findings.is_empty() && found.warnings.is_empty());
    with.today = "2026-11-26".parse().unwrap();
    let found = judged(&section, &records, &with);
    assert_eq!((found.findings.len(), &*found.warnings[0].code), (1, "exception-expired"));
}

#[test]
fn the_same_gives_the_same_bytes() {
    let records = [json!({
        "id": "PYSEC-1", "aliases": ["CVE-2021-1"],
        "affected": [affected("PyPI", "a", &[("0", "2")]), affected("PyPI", "b", &[("0", "2")])],
    })];
    let section = debian(vec![package("pypi", "a", "1"), package("pypi", "b", "1")]);
    let text = || serde_json::to_string(&judged(&section, &records, &options())).unwrap();
    assert_eq!(text(), text());
}

#[test]
fn explains_what_was_compared_and_what_was_not() {
    let records = [json!({
        "id": "PYSEC-1", "aliases": ["CVE-2021-1"],
        "affected": [affected("PyPI", "a", &[("0", "2")])],
    })];
    let (_folder, database) = database(&records);
    let data = Data { database: &database, source: "test.db" };
    let section = debian(vec![
        package("pypi", "a", "1"),
        package("pypi", "a", "2"),
        package("pypi", "b", "1"),
    ]);
    let told = explain(&section, data, &options(), "cve-2021-1", None).unwrap();
    assert_eq!(told.names, ["CVE-2021-1", "PYSEC-1"]);
    assert_eq!(told.concerned, [("PyPI".to_owned(), "a".to_owned())]);
    let results: Vec<_> = told.comparisons.iter().map(|one| &one.result).collect();
    assert!(
        matches!(results[..], [Compared::Affected(_), Compared::NotAffected(_)]),
        "{results:?}"
    );
    let unknown = explain(&section, data, &options(), "CVE-2099-1", None).unwrap();
    assert!(unknown.names.is_empty() && unknown.advisories.is_empty());
}
