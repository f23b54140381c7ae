use super::*;

const IMAGE: &[&str] = &["registry.example/team/app:1.2"];
const DIGESTS: &[&str] = &["sha256:aaaa", "bbbb"];

fn subject(purl: &str) -> Subject<'_> {
    Subject { purl, owner: None, image: IMAGE, digests: DIGESTS }
}

#[track_caller]
fn check(target: (&str, &str), purl: &str, expected: bool) {
    let named = |text: &str| Some(text.to_owned()).filter(|text| !text.is_empty());
    let target = Target { product: named(target.0), component: named(target.1) };
    assert_eq!(target.is(&subject(purl)), expected, "{target:?} {purl}");
}

/// Of each the names, the status and the justification, where it holds for that package.
fn stated(text: &str, purl: &str) -> Vec<(String, &'static str, Option<String>)> {
    let document = read("v.json", text.as_bytes()).unwrap();
    let of = |it: &Statement| (it.names.join(" "), it.status.name(), it.justification.clone());
    let holds = |it: &&Statement| it.targets.iter().any(|target| target.is(&subject(purl)));
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
        "pkg:docker/team/app@1.2",
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
        "pkg:oci/app?tag=1.3",
        "pkg:oci/app?repository_url=elsewhere.example/team/app",
        "app",
    ] {
        check((product, ""), CURL, false);
        check((product, "pkg:deb/debian/curl"), CURL, false);
    }
}

#[test]
fn a_component_of_a_package_is_meant_where_the_package_brought_it() {
    let target = Target {
        product: Some("pkg:deb/debian/python3-pip".into()),
        component: Some("pkg:pypi/urllib3".into()),
    };
    let purl = "pkg:pypi/urllib3@1.26";
    assert!(!target.is(&subject(purl)));
    let owner = Some("pkg:deb/debian/python3-pip@23.0.1?arch=all");
    assert!(target.is(&Subject { owner, ..subject(purl) }));
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
        {"vulnerability": "CVE-2", "products": ["pkg:deb/debian/curl"], "status": "fixed"}]}"#;
    let document = read("v", text.as_bytes()).unwrap();
    let status = |name: &str| {
        document.statement(&[name.to_owned()], &subject(CURL)).map(|statement| statement.status)
    };
    assert_eq!(status("cve-1"), Some(Status::NotAffected));
    assert_eq!(status("CVE-2"), Some(Status::Fixed));
    assert_eq!(status("CVE-3"), None);
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
