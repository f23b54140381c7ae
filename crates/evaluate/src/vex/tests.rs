use inscan_document::Section;
use inscan_document::section::{BomInfo, PackageRow, ReleaseName};

use super::*;

fn section(purl: &str) -> Section {
    let mut section = Section::default();
    section.image.reference = "registry.example/team/app:1.2".into();
    section.image.digest = "sha256:aaaa".into();
    section.image.id = "bbbb".into();
    let bom = BomInfo { serial: "0-0".into(), version: 1, references: vec!["comp-1".into()] };
    section.image.bom = Some(bom);
    let parsed = inscan_facts::purl::parse(purl).unwrap();
    let distribution = inscan_facts::distribution::of_purl(&parsed);
    section.packages = vec![PackageRow {
        distribution: distribution.as_ref().map(ReleaseName::of),
        kind: parsed.kind,
        name: parsed.name,
        version: parsed.version.unwrap_or_default(),
        purl: purl.into(),
        ..PackageRow::default()
    }];
    section
}

#[track_caller]
fn check(target: (&str, &str), purl: &str, expected: bool) {
    let (product, component) = target;
    let some = |text: &str| Some(text.to_owned()).filter(|text| !text.is_empty());
    let target = Target::of(some(product).as_deref(), some(component).as_deref());
    let section = section(purl);
    assert_eq!(target.is(&Subject { section: &section, index: 0 }), expected, "{target:?} {purl}");
}

/// Of each the names, the status and the justification, where it holds for that package.
fn stated(text: &str, purl: &str) -> Vec<(String, &'static str, Option<String>)> {
    let document = read("v.json", text.as_bytes()).unwrap();
    let section = section(purl);
    let subject = Subject { section: &section, index: 0 };
    let of = |it: &Statement| (it.names.join(" "), it.status.name(), it.justification.clone());
    let holds = |it: &&Statement| it.targets.iter().any(|target| target.is(&subject));
    document.statements.iter().filter(holds).map(of).collect()
}

const CURL: &str = "pkg:deb/debian/curl@7.88.1-10?arch=amd64&distro=debian-12";

#[test]
fn what_is_not_stated_is_left_open() {
    check(("pkg:deb/debian/curl", ""), CURL, true);
    check(("pkg:deb/debian/curl@7.88.1-10", ""), CURL, true);
    check(("pkg:deb/debian/curl@7.88.1-10?arch=amd64", ""), CURL, true);
    check(("pkg:deb/debian/curl@7.88.1-11", ""), CURL, false);
    check(("pkg:deb/debian/curl?arch=arm64", ""), CURL, false);
    check(("pkg:deb/ubuntu/curl", ""), CURL, false);
    check(("pkg:deb/curl", ""), CURL, false);
    check(("pkg:rpm/debian/curl", ""), CURL, false);
    let esm = "pkg:deb/ubuntu/curl@7.58.0-2ubuntu3.24%2Besm5?arch=amd64&distro=ubuntu-18.04";
    check(("pkg:deb/ubuntu/curl?distro=esm-infra/bionic", ""), esm, true);
    check(("pkg:deb/ubuntu/curl?distro=bionic", ""), esm, true);
    check(("pkg:deb/ubuntu/curl?distro=fips/bionic", ""), esm, false);
    check(("pkg:deb/ubuntu/curl?distro=esm-infra/xenial", ""), esm, false);
    let plain = "pkg:deb/ubuntu/curl@7.58.0-2ubuntu3.24?arch=amd64&distro=ubuntu-18.04";
    check(("pkg:deb/ubuntu/curl?distro=esm-infra/bionic", ""), plain, false);
    check(("pkg:pypi/Zope_Interface", ""), "pkg:pypi/zope.interface@5", true);
    check(("", ""), CURL, false);
}

#[test]
fn an_image_is_known_by_digest_and_by_name() {
    for product in [
        "pkg:oci/app@sha256:aaaa",
        "pkg:oci/app@sha256%3Abbbb?repository_url=elsewhere.example/app",
        "pkg:oci/app?repository_url=registry.example/team&tag=1.2",
        "pkg:oci/app?repository_url=registry.example/team/app",
        "pkg:docker/team/app@1.2?repository_url=registry.example",
        "pkg:oci/app",
        "registry.example/team/app:1.2",
        "registry.example/team/app@sha256:aaaa",
    ] {
        check((product, ""), CURL, true);
        check((product, "pkg:deb/debian/curl"), CURL, true);
        check((product, "pkg:deb/debian/wget"), CURL, false);
    }
    for product in [
        "pkg:oci/app@sha256:cccc",
        "pkg:oci/other",
        "pkg:oci/pp",
        "pkg:docker/team/app@1.2",
        "pkg:oci/app?arch=arm64",
        "pkg:oci/app?unheard=of",
        "pkg:oci/app?tag=1.3",
        "pkg:oci/app?repository_url=elsewhere.example/team/app",
        "app",
    ] {
        check((product, ""), CURL, false);
        check((product, "pkg:deb/debian/curl"), CURL, false);
    }
}

/// Whether a statement about a component in a product holds for the first of the packages.
#[track_caller]
fn within(product: &str, packages: Vec<PackageRow>, expected: bool) {
    let mut section = section("pkg:pypi/urllib3@1.26");
    let component = section.packages[0].purl.clone();
    section.packages.splice(..1, packages);
    let target = Target::of(Some(product), Some(&component));
    assert_eq!(target.is(&Subject { section: &section, index: 0 }), expected, "{product}");
}

#[test]
fn a_component_of_a_package_is_meant_where_the_package_brought_it() {
    let row = |purl: &str, location: &str, part_of: &[usize]| PackageRow {
        location: location.into(),
        part_of: part_of.to_vec(),
        ..section(purl).packages.remove(0)
    };
    let own = |location: &str, part_of: &[usize]| row("pkg:pypi/urllib3@1.26", location, part_of);
    let pip = || row("pkg:deb/debian/python3-pip@23.0.1?arch=all", "", &[]);
    let product = "pkg:deb/debian/python3-pip";
    within(product, vec![own("", &[]), pip()], false);
    within(product, vec![PackageRow { owned_by: Some(1), ..own("", &[]) }, pip()], true);
    within(product, vec![own("", &[1]), pip()], true);
    let through = row("pkg:pypi/requests@2", "", &[2]);
    within(product, vec![own("", &[1]), through.clone(), pip()], true);
    // Somebody else has it too.
    within(
        product,
        vec![own("", &[1, 3]), through.clone(), pip(), row("pkg:pypi/x@1", "", &[])],
        false,
    );
    let circle = row("pkg:pypi/requests@2", "", &[0]);
    within(product, vec![own("", &[1]), circle, pip()], false);
    let jar = "pkg:maven/com.acme/app@1.0";
    let outer = |location: &str| row(jar, location, &[]);
    within(jar, vec![own("a.jar:lib/b.jar", &[]), outer("a.jar")], true);
    within(jar, vec![own("c.jar:lib/b.jar", &[]), outer("a.jar")], false);
}

#[test]
fn reads_openvex() {
    let text = r#"{"@context": "https://openvex.dev/ns/v0.2.0", "timestamp": "2026-01-01T00:00:00Z",
        "statements": [
            {"vulnerability": {"@id": "https://example.com/CVE-2024-1", "name": "GHSA-1", "aliases": ["PYSEC-1"]},
             "products": [{"@id": "pkg:oci/app", "subcomponents": [{"@id": "pkg:deb/debian/curl"}, {"@id": "libfoo"}]}],
             "status": "not_affected", "justification": "vulnerable_code_not_present"},
            {"vulnerability": "CVE-2024-2", "products": ["pkg:deb/debian/curl@7.88.1-10"], "status": "fixed"},
            {"vulnerability": {"name": "CVE-2024-3"}, "products": [{"hashes": {}}], "status": "affected"}]}"#;
    assert_eq!(
        stated(text, CURL),
        [
            (
                "GHSA-1 PYSEC-1 CVE-2024-1".into(),
                "not_affected",
                Some("vulnerable_code_not_present".into())
            ),
            ("CVE-2024-2".into(), "fixed", None),
        ]
    );
    assert_eq!(read("v", text.as_bytes()).unwrap().unnamed_products, 2);
}

#[test]
fn reads_csaf() {
    let text = r#"{"document": {"csaf_version": "2.0", "tracking": {"current_release_date": "2026-02-01T00:00:00Z"}},
        "product_tree": {
            "branches": [{"category": "vendor", "branches": [
                {"product": {"product_id": "IMG", "product_identification_helper": {"purl": "pkg:oci/app"}}},
                {"product": {"product_id": "OS", "product_identification_helper": {"cpe": "cpe:/o:x:y:9"}}}]}],
            "full_product_names": [
                {"product_id": "CURL", "product_identification_helper": {"purls": ["pkg:deb/debian/curl"]}}],
            "relationships": [
                {"product_reference": "CURL", "relates_to_product_reference": "IMG", "full_product_name": {"product_id": "IMG:CURL"}},
                {"product_reference": "CURL", "relates_to_product_reference": "OS", "full_product_name": {"product_id": "OS:CURL"}}]},
        "vulnerabilities": [{"cve": "CVE-2024-1", "ids": [{"system_name": "x", "text": "X-1"}],
            "product_status": {"known_not_affected": ["IMG:CURL", "OS:CURL"], "known_affected": ["CURL"]},
            "flags": [{"label": "component_not_present", "product_ids": ["IMG:CURL"]}],
            "threats": [{"category": "impact", "details": "never called", "product_ids": ["IMG:CURL"]}]}]}"#;
    assert_eq!(
        stated(text, CURL),
        [
            ("CVE-2024-1 X-1".into(), "not_affected", Some("component_not_present".into())),
            ("CVE-2024-1 X-1".into(), "affected", None),
        ]
    );
    let document = read("v", text.as_bytes()).unwrap();
    assert_eq!(document.unnamed_products, 1, "a package in a product that cannot be told");
    assert_eq!(document.statements[0].note.as_deref(), Some("never called"));
}

#[test]
fn reads_cyclonedx() {
    let text = r#"{"bomFormat": "CycloneDX", "specVersion": "1.6",
        "components": [{"bom-ref": "1", "components": [{"bom-ref": "2", "purl": "pkg:deb/debian/curl@7.88.1-10"}]}],
        "vulnerabilities": [
            {"id": "CVE-2024-1", "references": [{"id": "GHSA-1"}], "affects": [{"ref": "2"}, {"ref": "?"}],
             "analysis": {"state": "not_affected", "justification": "code_not_reachable", "detail": "why"}},
            {"id": "CVE-2024-2", "affects": [{"ref": "urn:cdx:0-0/1#pkg%3Adeb%2Fdebian%2Fcurl%407.88.1-10"}],
             "analysis": {"state": "resolved"}},
            {"id": "CVE-2024-3", "affects": [{"ref": "2"}]}]}"#;
    assert_eq!(
        stated(text, CURL),
        [
            ("CVE-2024-1 GHSA-1".into(), "not_affected", Some("code_not_reachable".into())),
            ("CVE-2024-2".into(), "fixed", None),
        ]
    );
    let elsewhere = text.replace(
        r#""components": [{"bom-ref": "1""#,
        r#""metadata": {"component": {"type": "container", "purl": "pkg:oci/other"}}, "components": [{"bom-ref": "1""#,
    );
    assert_eq!(stated(&elsewhere, CURL), [], "of another image");
}

#[test]
fn the_latest_statement_counts() {
    let text = r#"{"@context": "https://openvex.dev/ns/v0.2.0", "statements": [
        {"vulnerability": "CVE-1", "products": ["pkg:deb/debian/curl"], "status": "not_affected", "timestamp": "2026-03-01T00:00:00Z"},
        {"vulnerability": "CVE-1", "products": ["pkg:deb/debian/curl"], "status": "affected", "timestamp": "2026-01-01T00:00:00Z"},
        {"vulnerability": "CVE-2", "products": ["pkg:deb/debian/curl"], "status": "under_investigation"},
        {"vulnerability": "CVE-2", "products": ["pkg:deb/debian/curl"], "status": "fixed"},
        {"vulnerability": "CVE-4", "products": ["pkg:deb/debian/curl"], "status": "not_affected", "timestamp": "2026-01-02T01:00:00Z"},
        {"vulnerability": "CVE-4", "products": ["pkg:deb/debian/curl"], "status": "affected", "timestamp": "2026-01-01T23:00:00.5-05:00"}]}"#;
    let document = read("v", text.as_bytes()).unwrap();
    let section = section(CURL);
    let subject = Subject { section: &section, index: 0 };
    let status = |name: &str| {
        document.statement(&[name.to_owned()], &subject).map(|(_, statement)| statement.status)
    };
    assert_eq!(status("cve-1"), Some(Status::NotAffected));
    assert_eq!(status("CVE-2"), Some(Status::Fixed));
    assert_eq!(status("CVE-3"), None);
    assert_eq!(status("CVE-4"), Some(Status::Affected), "later, though its text is before");
}

#[test]
fn a_wrong_file_says_what_is_wrong() {
    for (text, expected) in [
        ("nothing", "it is not JSON"),
        ("{}", "it is no VEX"),
        ("[]", "it is no VEX"),
        (
            r#"{"@context": "https://openvex.dev/ns", "statements": [{}]}"#,
            "statement 1: it names no vulnerability",
        ),
        (
            r#"{"@context": "https://openvex.dev/ns", "statements": [{"vulnerability": "CVE-1", "status": "fine"}]}"#,
            "statement 1: `fine` is no status",
        ),
        (
            r#"{"document": {"csaf_version": "2.0"}, "vulnerabilities": [{}]}"#,
            "statement 1: it has neither",
        ),
        (
            r#"{"bomFormat": "CycloneDX", "vulnerabilities": [{"id": "CVE-1", "analysis": {"state": "x"}}]}"#,
            "statement 1: `x` is no state",
        ),
    ] {
        let error = read("v", text.as_bytes()).unwrap_err().to_string();
        assert!(error.contains(expected), "{text}: {error}");
    }
}

/// The statement of the test below, in base64.
const PAYLOAD: &str = "eyJfdHlwZSI6Imh0dHBzOi8vaW4tdG90by5pby9TdGF0ZW1lbnQvdjEiLCJwcmVkaWNhdGVUeXBlIjoiaHR0cHM6\
    Ly9vcGVudmV4LmRldi9ucy92MC4yLjAiLCJzdWJqZWN0IjpbXSwicHJlZGljYXRlIjp7IkBjb250ZXh0IjoiaHR0\
    cHM6Ly9vcGVudmV4LmRldi9ucy92MC4yLjAiLCJzdGF0ZW1lbnRzIjpbeyJ2dWxuZXJhYmlsaXR5IjoiQ1ZFLTEi\
    LCJzdGF0dXMiOiJmaXhlZCIsInByb2R1Y3RzIjpbeyJAaWQiOiJwa2c6ZGViL2RlYmlhbi9jdXJsIn1dfV19fQ==";

#[test]
fn attestations_are_opened() {
    let statement = r#"{"predicateType": "https://openvex.dev/ns/v0.2.0", "predicate": {
        "@context": "https://openvex.dev/ns/v0.2.0", "statements": [{"vulnerability": "CVE-2",
            "status": "fixed", "products": [{"@id": "pkg:deb/debian/curl"}]}]}}"#;
    let other = r#"{"predicateType": "https://slsa.dev/provenance/v1", "predicate": {"x": 1}}"#;
    let envelope =
        format!(r#"{{"payloadType": "application/vnd.in-toto+json", "payload": "{PAYLOAD}"}}"#);
    let bundle = format!(r#"{{"dsseEnvelope": {envelope}}}"#);
    let names = |text: &str| {
        let found = stated(text, CURL);
        found.into_iter().map(|(names, ..)| names).collect::<Vec<_>>().join(" ")
    };
    assert_eq!(names(statement), "CVE-2");
    assert_eq!(names(&envelope), "CVE-1");
    assert_eq!(names(&bundle), "CVE-1");
    let lines = format!("{envelope}\n{}\n{other}\n", statement.replace('\n', ""));
    assert_eq!(names(&lines), "CVE-1 CVE-2");
    assert!(matches!(read("v", other.as_bytes()), Err(Error::Unknown)));
}
