use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use inscan_facts::package::{Certainty, Evidence, Role};
use serde_json::json;

use super::*;

/// Each as `type namespace name version`, with the distribution and the source where stated.
fn listed(bytes: &[u8]) -> Vec<String> {
    let sbom = read(bytes).unwrap();
    let line = |component: &Component| {
        let package = &component.package;
        let namespace = package.namespace.as_deref().unwrap_or("-");
        let epoch = package.epoch.map(|epoch| format!("{epoch}:")).unwrap_or_default();
        let mut line =
            format!("{} {namespace} {} {epoch}{}", package.kind, package.name, package.version);
        if let Some(own) = &package.distribution {
            line.push_str(&format!(" on {} {}", own.id, own.version));
        }
        if let Some(source) = &package.source {
            line.push_str(&format!(
                " from {} {}",
                source.name,
                source.version.as_deref().unwrap_or("=")
            ));
        }
        line
    };
    sbom.components.iter().map(line).collect()
}

#[track_caller]
fn check(document: Value, expected: &[&str]) {
    assert_eq!(listed(document.to_string().as_bytes()), expected, "{document}");
}

fn cyclonedx(components: Value) -> Value {
    json!({"bomFormat": "CycloneDX", "components": components})
}

fn spdx(packages: Value) -> Value {
    json!({"spdxVersion": "SPDX-2.3", "name": "x", "packages": packages})
}

fn lodash() -> Value {
    cyclonedx(json!([{"name": "lodash", "purl": "pkg:npm/lodash@4.17.20"}]))
}

const LODASH: &str = "npm - lodash 4.17.20";

#[test]
fn an_sbom_is_read_within_what_it_is_handed_out_in() {
    let statement = json!({"_type": "https://in-toto.io/Statement/v1",
        "predicateType": "https://cyclonedx.org/bom", "predicate": lodash()});
    let older = json!({"predicateType": "x", "predicate": {"Data": lodash()}});
    let as_text = json!({"predicateType": "x", "predicate": {"Data": lodash().to_string()}});
    let envelope = json!({"payloadType": "application/vnd.in-toto+json",
        "payload": STANDARD.encode(statement.to_string()), "signatures": []});
    let bundle = json!({"mediaType": "application/vnd.dev.sigstore.bundle.v0.3+json", "dsseEnvelope": envelope});
    let bom = spdx(json!([{"name": "lodash", "externalRefs": [
        {"referenceType": "purl", "referenceLocator": "pkg:npm/lodash@4.17.20"}]}]));
    for document in [
        lodash(),
        statement,
        older,
        as_text,
        envelope.clone(),
        bundle.clone(),
        json!({"SPDX": bom}),
        json!({"SBOM": {"SPDX": bom}}),
        json!({"linux/amd64": {"SPDX": bom}}),
        json!({"sbom": bom}),
        json!({"attestations": [{"bundle": bundle}]}),
    ] {
        check(document, &[LODASH]);
    }
    // One attestation a line, of an SBOM and of something else.
    let provenance =
        json!({"predicateType": "https://slsa.dev/provenance/v1", "predicate": {"x": 1}});
    let other = json!({"payloadType": "x", "payload": STANDARD.encode(provenance.to_string())});
    assert_eq!(listed(format!("{other}\n{envelope}\n").as_bytes()), [LODASH]);
    assert_eq!(read(other.to_string().as_bytes()).unwrap_err(), Error::None);
    let two = json!({"linux/amd64": {"SPDX": bom}, "linux/arm64": {"SPDX": bom}});
    let error = read(two.to_string().as_bytes()).unwrap_err();
    assert_eq!(error, Error::Several("linux/amd64, linux/arm64".into()));
    for nothing in ["", "{}", "[]", "null", "<html></html>", "PK", "{\"payload\": 1}"] {
        assert_eq!(read(nothing.as_bytes()).unwrap_err(), Error::None, "{nothing}");
    }
}

#[test]
fn what_has_no_package_url_is_listed_as_unidentified() {
    check(
        cyclonedx(json!([
            {"type": "library", "group": "g", "name": "a", "version": "1"},
            {"type": "file", "name": "/usr/bin/tool"},
            {"type": "operating-system", "name": "debian", "version": "12"},
            {"type": "container", "name": "app"},
            {"type": "application", "name": "package-lock.json",
             "properties": [{"name": "aquasecurity:trivy:Class", "value": "lang-pkgs"}]},
        ])),
        &["unidentified g a 1"],
    );
    check(
        spdx(json!([
            {"name": "a", "versionInfo": "1"},
            {"name": "package-lock.json", "primaryPackagePurpose": "APPLICATION"},
            {"name": "app", "primaryPackagePurpose": "CONTAINER"},
            {"name": "b", "externalRefs": [{"referenceType": "http://spdx.org/rdf/references/purl",
                "referenceLocator": "pkg:npm/b@2"}]},
        ])),
        &["unidentified - a 1", "npm - b 2"],
    );
    let syft = json!({"schema": {"version": "16"}, "artifacts": [{"name": "a", "version": "1", "purl": ""}]});
    check(syft, &["unidentified - a 1"]);
}

#[test]
fn what_an_sbom_describes_is_a_component_unless_it_is_a_place() {
    let described = |component: Value| {
        let mut document = lodash();
        document["metadata"] = json!({"component": component});
        document
    };
    let app =
        json!({"type": "application", "bom-ref": "r", "name": "app", "purl": "pkg:npm/app@1.0"});
    check(described(app), &["npm - app 1.0", LODASH]);
    for place in [
        json!({"type": "container", "name": "registry.example/app", "purl": "pkg:oci/app@sha256:0"}),
        json!({"type": "application", "name": "folder", "version": "1"}),
        json!({"type": "application", "name": "x", "purl": "pkg:github/octocat/x@main"}),
    ] {
        check(described(place), &[LODASH]);
    }
    let sbom = read(
        described(json!({"type": "application", "bom-ref": "r", "name": "app",
        "purl": "pkg:npm/app@1.0"}))
        .to_string()
        .as_bytes(),
    )
    .unwrap();
    assert_eq!(sbom.components[1].parents, ["r"], "what it lists is of what it describes");
}

#[test]
fn a_package_keeps_its_distribution_source_epoch_and_stream() {
    let purl = |purl: &str| cyclonedx(json!([{"name": "x", "purl": purl}]));
    check(
        purl("pkg:rpm/rocky/a@1:3-2.el9?epoch=1&upstream=b-3-2.el9.src.rpm&distro=rocky-9.3"),
        &["rpm - a 1:3-2.el9 on rocky 9.3 from b 3-2.el9"],
    );
    check(purl("pkg:rpm/rocky/a@3-2.el9?epoch=1"), &["rpm - a 1:3-2.el9 on rocky "]);
    check(purl("pkg:deb/debian/a@3-2?epoch=1"), &["deb - a 1:3-2 on debian "]);
    let stream =
        read(purl("pkg:rpm/rocky/a@1?rpmmod=nodejs:18:1:x").to_string().as_bytes()).unwrap();
    assert_eq!(stream.components[0].package.attributes["modularity-label"], "nodejs:18:1:x");
    check(
        spdx(json!([{"name": "libssl3", "sourceInfo": "built package from: openssl 3.0.11-1",
            "supplier": "Organization: Debian", "externalRefs": [
            {"referenceType": "purl", "referenceLocator": "pkg:deb/debian/libssl3@3.0.11-1?distro=debian-12.5"}]}])),
        &["deb - libssl3 3.0.11-1 on debian 12.5 from openssl 3.0.11-1"],
    );
}

#[test]
fn a_party_is_named_without_its_kind() {
    for (stated, expected) in [
        ("Organization: Red Hat, Inc.", "Red Hat, Inc."),
        ("Person: Docker (support@docker.com)", "Docker <support@docker.com>"),
        ("Organization: Rocky ()", "Rocky"),
        ("Fedora Project", "Fedora Project"),
    ] {
        let package = json!([{"name": "a", "versionInfo": "1", "supplier": stated}]);
        let sbom = read(spdx(package).to_string().as_bytes()).unwrap();
        assert_eq!(sbom.components[0].package.origin.as_deref(), Some(expected));
    }
}

#[test]
fn a_name_keeps_the_case_that_its_package_url_lost() {
    let component = json!([{"name": "github.com/BurntSushi/toml",
        "purl": "pkg:golang/github.com/burntsushi/toml@v1.3.2"}]);
    check(cyclonedx(component), &["golang github.com/BurntSushi toml v1.3.2"]);
    let component =
        json!([{"name": "toml", "purl": "pkg:golang/github.com/burntsushi/toml@v1.3.2"}]);
    check(cyclonedx(component), &["golang github.com/burntsushi toml v1.3.2"]);
    let component = json!([{"name": "JSONStream", "purl": "pkg:npm/jsonstream@1"}]);
    check(cyclonedx(component), &["npm - JSONStream 1"]);
}

#[test]
fn the_distribution_is_what_is_said_once() {
    let system = |name: &str, version: &str| json!({"type": "operating-system", "name": name, "version": version});
    let deb = |release: &str| json!({"name": "a", "purl": format!("pkg:deb/debian/a@1?distro={release}")});
    let found = |components: Value| {
        let sbom = read(cyclonedx(components).to_string().as_bytes()).unwrap();
        sbom.distribution.map(|found| format!("{} {}", found.id, found.version))
    };
    let twelve = Some("debian 12".to_owned());
    assert_eq!(found(json!([system("debian", "12")])), twelve);
    assert_eq!(
        found(json!([{"type": "container", "name": "c", "components": [system("debian", "12")]}])),
        twelve
    );
    assert_eq!(found(json!([system("debian", ""), deb("debian-12")])), twelve);
    assert_eq!(found(json!([system("debian", "12"), system("rocky", "9.3")])), None);
    assert_eq!(found(json!([deb("bookworm"), deb("debian-12")])), twelve);
    assert_eq!(found(json!([deb("debian-12"), deb("debian-11")])), None);
    assert_eq!(found(json!([system("alma", "9.4")])), Some("almalinux 9.4".to_owned()));
}

#[test]
fn the_other_forms_tell_the_same() {
    let xml = br#"<?xml version="1.0"?>
        <bom xmlns="http://cyclonedx.org/schema/bom/1.5" serialNumber="urn:uuid:AB" version="2">
          <metadata><component type="container" bom-ref="i"><name>app &amp; co</name></component></metadata>
          <components><component type="library" bom-ref="a"><group>@s</group><name>a</name>
            <version>1.0</version><licenses><license><id>MIT</id></license></licenses>
            <purl>pkg:npm/%40s/a@1.0?x=1&amp;y=2</purl>
            <components><component type="library" bom-ref="b"><name>b</name></component></components>
            <properties><property name="syft:location:0:path">/srv/a</property></properties>
          </component></components>
          <dependencies><dependency ref="b"><dependency ref="a"/></dependency></dependencies>
        </bom>"#;
    assert_eq!(listed(xml), ["npm @s a 1.0", "unidentified - b "]);
    let sbom = read(xml).unwrap();
    assert_eq!((&*sbom.image.reference, sbom.serial), ("app & co", Some(("ab".into(), 2))));
    let a = &sbom.components[0];
    assert_eq!((&a.parents, &a.package.licenses), (&vec!["b".to_owned()], &vec!["MIT".to_owned()]));
    assert_eq!(a.package.location, "srv/a");

    let tags = "SPDXVersion: SPDX-2.3\nDocumentName: app\nCreator: Tool: x-1\n\
        ##### Package\nPackageName: a\nSPDXID: SPDXRef-a\nPackageVersion: 1.0\n\
        PackageComment: <text>two\nPackageName: none</text>\n\
        ExternalRef: PACKAGE-MANAGER purl pkg:npm/a@1.0\n\
        FileName: ./x\nSPDXID: SPDXRef-f\n\
        PackageName: b\nSPDXID: SPDXRef-b\nPackageVersion: 2\n\
        Relationship: SPDXRef-b CONTAINS SPDXRef-a\n";
    assert_eq!(listed(tags.as_bytes()), ["npm - a 1.0", "unidentified - b 2"]);
    let sbom = read(tags.as_bytes()).unwrap();
    assert_eq!(sbom.components[0].parents, ["SPDXRef-b"]);
    assert_eq!((sbom.image.reference.as_str(), sbom.tool.as_deref()), ("app", Some("x-1")));

    let three = json!({"@context": "https://spdx.org/rdf/3.0.1/spdx-context.jsonld", "@graph": [
        {"type": "SpdxDocument", "spdxId": "d", "name": "app", "rootElement": ["i"]},
        {"type": "software_Package", "spdxId": "i", "name": "app", "software_primaryPurpose": "container"},
        {"type": "software_Package", "spdxId": "a", "name": "a", "suppliedBy": "o",
         "software_packageUrl": "pkg:npm/a@1.0"},
        {"type": "software_Package", "spdxId": "b", "name": "b", "software_packageVersion": "2",
         "externalIdentifier": [{"externalIdentifierType": "packageUrl", "identifier": "pkg:npm/b@2"}]},
        {"type": "software_Package", "spdxId": "s", "name": "debian", "software_packageVersion": "12",
         "software_primaryPurpose": "operatingSystem"},
        {"type": "Organization", "spdxId": "o", "name": "Acme"},
        {"type": "Relationship", "from": "b", "to": ["a"], "relationshipType": "dependsOn"}]});
    check(three.clone(), &["npm - a 1.0", "npm - b 2"]);
    let sbom = read(three.to_string().as_bytes()).unwrap();
    assert_eq!(sbom.components[0].parents, ["b"]);
    assert_eq!(sbom.components[0].package.origin.as_deref(), Some("Acme"));
    assert_eq!(sbom.distribution.map(|it| it.version), Some("12".into()));
}

#[test]
fn no_cut_makes_it_panic() {
    let xml = "<bom xmlns='http://cyclonedx.org/x'><components><component type='a&#x41;'><name>a<![CDATA[b]]>&amp;\
        </name></component></components></bom>";
    let tags = "SPDXVersion: SPDX-2.3\nPackageName: <text>a\nb</text>\nExternalRef: a b c\nRelationship: a CONTAINS b";
    let envelope =
        json!({"payloadType": "x", "payload": STANDARD.encode(lodash().to_string())}).to_string();
    for whole in [xml, tags, &envelope] {
        for end in 0..whole.len() {
            let _ = read(&whole.as_bytes()[..end]);
        }
    }
}

#[test]
fn what_is_not_in_the_product_is_for_development() {
    let component = |name: &str, scope: &str, own: &str| {
        let own = json!([{"name": "inscan:evidence", "value": own}]);
        let mut component = json!({"name": name, "purl": format!("pkg:cargo/{name}@1.0.0")});
        if !scope.is_empty() {
            component["scope"] = json!(scope);
        }
        if own[0]["value"] != "" {
            component["properties"] = own;
        }
        component
    };
    let document = json!({
        "bomFormat": "CycloneDX",
        "components": [
            component("plain", "", ""),
            component("needed", "required", ""),
            component("built", "excluded", ""),
            component("locked", "excluded", "lockfile"),
        ],
    });
    let found = of(&document).unwrap().components;
    let roles: Vec<_> = found.iter().map(|it| (it.package.role, it.package.evidence)).collect();
    let development = Some(Role::Development);
    let expected = [
        (None, Evidence::Sbom),
        (None, Evidence::Sbom),
        (development, Evidence::Sbom),
        (None, Evidence::Lockfile),
    ];
    assert_eq!(roles, expected);
}

#[test]
fn the_path_of_a_go_module_may_go_on_in_the_subpath() {
    let of =
        |name: &str| json!([{"name": name, "purl": "pkg:golang/github.com/go-chi/chi@v5.0.0#v5"}]);
    let expected = ["golang github.com/go-chi/chi v5 v5.0.0"];
    check(cyclonedx(of("github.com/go-chi/chi/v5")), &expected);
    check(cyclonedx(of("chi")), &expected);
    let is_stated = |name: &str| {
        let sbom = read(cyclonedx(of(name)).to_string().as_bytes()).unwrap();
        sbom.components[0].package.identity.is_stated()
    };
    assert!(is_stated("github.com/go-chi/chi/v5") && !is_stated("chi"));
}

#[test]
fn what_is_listed_twice_is_one() {
    let mut document = lodash();
    document["metadata"] =
        json!({"component": {"name": "lodash", "purl": "pkg:npm/lodash@4.17.20", "bom-ref": "x"}});
    check(document.clone(), &[LODASH]);
    // What is listed is a registry's package, whatever else it is.
    let sbom = read(document.to_string().as_bytes()).unwrap();
    assert_eq!((sbom.components[0].package.role, &*sbom.components[0].reference), (None, "x"));
    let lines = format!("{}\n{}", lodash(), lodash());
    assert_eq!(listed(lines.as_bytes()), [LODASH]);
}

#[test]
fn an_sbom_without_any_source_leaves_them_open() {
    let doubted = |json: Value| -> Vec<bool> {
        let sbom = read(json.to_string().as_bytes()).unwrap();
        sbom.components.iter().map(|it| !it.package.identity.is_stated()).collect()
    };
    let plain = json!({"name": "libssl3", "purl": "pkg:deb/debian/libssl3@3.0?distro=debian-12"});
    let with_source = json!({"name": "libcurl4",
        "purl": "pkg:deb/debian/libcurl4@7.88?distro=debian-12&upstream=curl"});
    let rpm = json!({"name": "zlib", "purl": "pkg:rpm/rocky/zlib@1.2?distro=rocky-9"});
    let library = json!({"name": "a", "purl": "pkg:npm/a@1"});
    assert_eq!(doubted(cyclonedx(json!([plain, library]))), [true, false]);
    assert_eq!(doubted(cyclonedx(json!([plain, with_source, rpm]))), [false, false, true]);
    let mut of_syft = cyclonedx(json!([plain]));
    of_syft["metadata"] = json!({"tools": [{"name": "syft"}]});
    assert_eq!(doubted(of_syft), [false]);
}

#[test]
fn of_merged_images_each_has_the_system_beside_its_packages() {
    let image = |name: &str, version: &str, purl: &str| {
        json!({"type": "container", "name": name, "components": [
            {"type": "operating-system", "name": name, "version": version},
            {"type": "library", "name": "a", "purl": purl}]})
    };
    let debian = image("debian", "12", "pkg:deb/debian/a@1");
    let alpine = image("alpine", "3.19.1", "pkg:apk/alpine/a@1");
    let other = image("alpine", "3.20.0", "pkg:apk/alpine/a@1?distro=alpine-3.18.4");
    check(
        cyclonedx(json!([debian, alpine, other])),
        &["deb - a 1 on debian 12", "apk - a 1 on alpine 3.19.1", "apk - a 1 on alpine 3.18.4"],
    );
}

#[test]
fn a_maven_group_may_be_unknown() {
    for (purl, group, expected) in [
        ("pkg:maven/g/a@1", None, "stated g"),
        ("pkg:maven/a@1", None, "unknown -"),
        ("pkg:maven/a@1", Some("g"), "stated g"),
        ("pkg:maven/a/a@1", None, "derived a"),
    ] {
        let document = cyclonedx(json!([{"name": "a", "group": group, "purl": purl}]));
        let sbom = read(document.to_string().as_bytes()).unwrap();
        let package = &sbom.components[0].package;
        let word = match package.identity.namespace {
            Certainty::Stated => "stated",
            Certainty::Derived(_) => "derived",
            Certainty::Unknown => "unknown",
        };
        let found = format!("{word} {}", package.namespace.as_deref().unwrap_or("-"));
        assert_eq!(found, expected, "{purl} {group:?}");
    }
}
