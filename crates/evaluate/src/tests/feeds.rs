//! Databases of the legacy engine's feeds.

use super::*;
use inscan_facts::progress::Silent;

/// Pages of records, by the group they are of.
fn judged(section: &Section, groups: &[(&str, Value)], options: &Options) -> Evaluation {
    let folder = TempDir::new().unwrap();
    for (group, records) in groups {
        let page = json!({"data": records, "next_token": null});
        fs::write(folder.path().join(format!("{group}.json")), page.to_string()).unwrap();
    }
    let file = folder.path().join("vulnerabilities.db");
    let dates = Dates { now: Timestamp::from_second(1_795_000_000).unwrap(), built: None };
    build(&[folder.path().to_owned()], &file, dates, &Silent).unwrap();
    let database = VulnDb::open(&file).unwrap();
    let data = Data { database: &database, source: "test.db" };
    let evaluation = evaluate(section, Some(data), options, None).unwrap();
    check_schema(&evaluation);
    evaluation
}

fn of_distribution(id: &str, group: &str, fixed: &[(&str, &str)]) -> Value {
    let fixed = fixed.iter().map(|(name, version)| {
        json!({"Name": name, "Version": version, "VendorAdvisory": {"NoAdvisory": false}})
    });
    json!({"Vulnerability": {"Name": id, "NamespaceName": group, "Severity": "High",
        "FixedIn": fixed.collect::<Vec<_>>()}})
}

fn of_nvd(id: &str, cpes: &[&str]) -> Value {
    json!({"cve": {"CVE_data_meta": {"ID": id}}, "severity": "Medium", "vulnerable_cpes": cpes})
}

#[test]
fn groups_name_binary_packages_and_source_packages() {
    let mut lib = package("deb", "libfoo1", "1:2.3-4+b1");
    lib.source = Some(SourcePackage { name: "foo".into(), version: None });
    let records = json!([
        of_distribution("CVE-2020-1", "debian:12", &[("foo", "1:2.3-5")]),
        of_distribution("CVE-2020-2", "debian:12", &[("libfoo1", "None")]),
        of_distribution("CVE-2020-3", "debian:12", &[("foo", "1:2.3-4")]),
        of_distribution("CVE-2020-4", "debian:12", &[("foo", "0")]),
    ]);
    let found = judged(&debian(vec![lib]), &[("debian:12", records)], &options());
    assert_eq!(
        lines(&found.findings),
        ["CVE-2020-1 libfoo1 1:2.3-5 high", "CVE-2020-2 libfoo1 - high"]
    );
}

#[test]
fn a_package_listed_twice_is_mended_by_the_version_that_mends_both() {
    let fixed = [("a", "2.0-1"), ("a", "3.0-1")];
    let records = json!([of_distribution("CVE-2020-1", "debian:12", &fixed)]);
    let section = debian(vec![package("deb", "a", "1.0-1")]);
    let found = judged(&section, &[("debian:12", records)], &options());
    assert_eq!(lines(&found.findings), ["CVE-2020-1 a 3.0-1 high"]);
    assert_eq!(found.upgrades[0].to, "3.0-1");
}

#[test]
fn an_rpm_without_its_epoch_is_compared_without_epochs() {
    let mut section = debian(vec![package("rpm", "a", "1.0-1.el8"), package("rpm", "b", "1.0-9")]);
    section.distribution =
        Some(DistributionInfo { id: "rhel".into(), version: "8.4".into(), ..Default::default() });
    let fixed = [("a", "2:1.0-1.el8"), ("b", "0:1.0-10")];
    let groups = [("rhel:8", json!([of_distribution("RHSA-2020:1", "rhel:8", &fixed)]))];
    let names = |section: &Section| lines(&judged(section, &groups, &options()).findings);
    let both = ["RHSA-2020:1 a 2:1.0-1.el8 high", "RHSA-2020:1 b 0:1.0-10 high"];
    assert_eq!(names(&section), both);
    for package in &mut section.packages {
        package.analyzer = "legacy".into();
    }
    assert_eq!(names(&section), both[1..]);
}

#[test]
fn a_cpe_name_alone_is_a_guess_and_marked() {
    let github = json!([{"Advisory": {"ghsaId": "GHSA-aaaa-bbbb-cccc", "namespace": "github:python",
        "Severity": "Low", "CVE": ["CVE-2020-1"],
        "FixedIn": [{"name": "sample", "range": "< 2.0", "identifier": "2.0"}]}}]);
    let nvd = json!([
        of_nvd("CVE-2020-1", &["cpe:2.3:a:x:sample:1.0:*:*:*:*:*:*:*"]),
        of_nvd("CVE-2020-2", &["cpe:2.3:a:other:Sample:1.0:*:*:*:*:*:*:*"]),
        of_nvd("CVE-2020-3", &["cpe:2.3:a:x:sample:1.0.0:*:*:*:*:*:*:*"]),
        of_nvd("CVE-2020-4", &["cpe:2.3:a:x:sample:*:*:*:*:*:*:*:*"]),
        of_nvd("CVE-2020-5", &["cpe:2.3:a:x:go:1.13.4:*:*:*:*:*:*:*"]),
    ]);
    let groups = [("github:python", github), ("nvdv2:cves", nvd)];
    let mut go = package("generic", "go", "1.13.4");
    go.evidence = Evidence::Binary;
    let section = debian(vec![package("pypi", "sample", "1.0"), go]);
    let found = judged(&section, &groups, &options());
    let marked: Vec<_> = found.findings.iter().map(|it| (&*it.id, it.cpe_only)).collect();
    assert_eq!(marked, [("CVE-2020-2", true), ("CVE-2020-5", true), ("CVE-2020-1", false)]);
    assert_eq!(found.findings[2].upgrade.as_deref(), Some("2.0"));
    assert_eq!(found.upgrades[0].to, "2.0");
    let detail = &found.findings[0].matches[0];
    assert_eq!((detail.name_of, &*detail.scheme), (NameOf::Cpe, "exact"));
    assert_eq!(detail.range, "cpe:2.3:a:other:Sample:1.0:*:*:*:*:*:*:*");
    let uncovered: Vec<_> = found.uncovered.iter().map(|it| it.code).collect();
    assert_eq!(uncovered, [UncoveredCode::NoDataForEcosystem], "a guess covers nothing");

    let found = judged(&section, &groups, &Options { without_cpe: true, ..options() });
    assert_eq!(lines(&found.findings), ["CVE-2020-1 sample 2.0 low"]);
    let codes: Vec<_> = found.suppressed.iter().map(|it| it.by.code).collect();
    assert_eq!(codes, [SuppressionCode::CpeOnly; 2]);
}

#[test]
fn a_list_of_all_packages_is_no_list_of_advisories() {
    let npm = json!([{"sample": {"versions": ["1.0.0"], "latest": "1.0.0"}}]);
    let github = json!([{"Advisory": {"ghsaId": "GHSA-aaaa-bbbb-cccc", "namespace": "github:npm",
        "Severity": "Low", "FixedIn": [{"name": "sample", "range": "< 2.0.0"}]}}]);
    let section = debian(vec![package("npm", "sample", "1.0.0")]);
    let found = judged(&section, &[("npm", npm), ("github:npm", github)], &options());
    assert_eq!(lines(&found.findings), ["GHSA-aaaa-bbbb-cccc sample - low"]);
}
