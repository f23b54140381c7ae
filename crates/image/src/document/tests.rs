//! Whole documents, from layers made by hand.

use std::borrow::Cow;

use inscan_analyzers::{
    Distribution, Evidence, Hides, Legacy, Package, PackageFile, Secret, Severity,
};
use serde_json::{Value, json};

use inscan_document::{Overrides, read};

use super::*;
use crate::analyze::{
    FoundMalware, FoundPackage, FoundProblem, FoundSecret, FoundSkip, Malware, analyze,
};
use crate::layer::{Entry, EntryKind, LayerScan};
use crate::source::Image;

/// The document of two layers, with what `change` adds to the analysis.
fn document(change: impl FnOnce(&mut Analysis<'_>)) -> String {
    both(change).0
}

/// The document, and our own part of it as it is made without writing.
fn both(change: impl FnOnce(&mut Analysis<'_>)) -> (String, Section) {
    let mut base = LayerScan::default();
    base.push(b"usr/bin", b"", Entry::of(EntryKind::Directory));
    base.push(b"bin", b"usr/bin", Entry::of(EntryKind::Symlink));
    base.push_file("usr/bin/ping", 0o755, 9, 1);
    base.capabilities.insert(
        2,
        [1u32, 1 << 13, 0, 0, 0]
            .iter()
            .enumerate()
            .flat_map(
                |(number, word)| {
                    if number == 0 { 0x0200_0001u32.to_le_bytes() } else { word.to_le_bytes() }
                },
            )
            .collect(),
    );
    let mut top = LayerScan::default();
    top.push_file("usr/bin/su", 0o4755, 5, 2);
    top.push(b"odd\xff", b"", Entry::of(EntryKind::File));
    let layers = [base, top];
    let image = Image {
        source: "oci:/tmp/app".into(),
        config: br#"{"os": "linux", "architecture": "arm64", "config": {"User": "app"},
            "history": [{"created_by": "ADD /"}, {"created_by": "ENV", "empty_layer": true}, {"created_by": "RUN su"}]}"#
            .to_vec(),
        ..Image::default()
    };
    let analyzers = [];
    let mut analysis = analyze(&image, &layers, &analyzers);
    change(&mut analysis);
    let mut text = Vec::new();
    let identity = identity(&image, Overrides::default());
    write(&analysis, &identity, &Run::default(), &mut text).unwrap();
    let section = section(&analysis, &identity, &Run::default());
    (String::from_utf8(text).unwrap(), section)
}

#[test]
fn our_part_is_the_same_whether_it_is_read_or_made() {
    let changes: [fn(&mut Analysis<'_>); 3] = [|_| (), with_package, with_all];
    for change in changes {
        let (text, made) = both(change);
        let mut read = read(text.as_bytes()).unwrap();
        let locations: Vec<String> = made
            .packages
            .iter()
            .filter(|row| matches!(row.evidence, Evidence::Archive | Evidence::Binary))
            .map(|row| row.location.clone())
            .collect();
        read.files.retain(|file| locations.contains(&file.path));
        assert_eq!(made, read);
    }
}

/// Something in each of the lists.
fn with_all(analysis: &mut Analysis<'_>) {
    with_package(analysis);
    let secret = Secret {
        rule: "token".into(),
        severity: Severity::High,
        by_name: true,
        line: 1,
        column: 2,
        excerpt: "***".into(),
        member: None,
        fingerprint: "1f3a9".into(),
    };
    let path = Some(b"odd\xff".to_vec());
    for (path, layer) in [(path, Some(1)), (None, None)] {
        let secret = secret.clone();
        analysis.secrets.push(FoundSecret {
            analyzer: "test",
            layer,
            path,
            visible: false,
            origin: None,
            secret,
        });
    }
    let findings =
        vec![FoundMalware { path: b"x".to_vec(), layer: 0, visible: true, signature: "S".into() }];
    analysis.malware =
        Some(Malware { version: "1".into(), daily: None, db_update_enabled: false, findings });
    analysis.problems.push(FoundProblem {
        analyzer: None,
        layer: Some(0),
        path: Some(b"a\xff".to_vec()),
        message: "odd".into(),
        code: "unreadable".into(),
        hides: Hides::Packages,
    });
    analysis.skipped.push(FoundSkip {
        analyzer: "test",
        layer: 0,
        path: b"b".to_vec(),
        reason: "large".into(),
        code: "over-limit".into(),
        hides: Hides::Packages,
    });
    analysis.legacy.push(Cow::Owned(Legacy {
        module: "retrieve_files".into(),
        output: "file_content.all".into(),
        key: "/etc/x".into(),
        value: Value::from("eA==").into(),
    }));
}

fn with_package(analysis: &mut Analysis<'_>) {
    analysis.distribution =
        Some(Distribution { id: "debian".into(), version: "12".into(), ..Distribution::default() });
    let file = |path: &str| PackageFile {
        path: path.into(),
        digest: Some("00".into()),
        algorithm: Some("md5".into()),
        ..PackageFile::default()
    };
    let package = |kind: &'static str, name: &str, evidence| Package {
        kind: Cow::Borrowed(kind),
        name: name.into(),
        version: "1".into(),
        location: "usr/bin/ping".into(),
        evidence,
        ..Package::default()
    };
    let mut owner = package("deb", "iputils", Evidence::InstalledDb);
    owner.files = vec![file("bin/ping"), file("usr/bin")];
    for package in [package("cargo", "crate", Evidence::Binary), owner] {
        let package = Cow::Owned(Box::new(package));
        analysis.packages.push(FoundPackage {
            analyzer: "test",
            layer: Some(0),
            order: 0,
            package,
        });
    }
}

#[test]
fn a_claim_holds_with_the_recorded_digest_and_where_distributions_put_files() {
    let owned_by = |location: &'static str, digest: Option<&str>| {
        let text = document(|analysis| {
            with_package(analysis);
            for found in &mut analysis.packages {
                let package = found.package.to_mut();
                package.location = location.into();
                for file in &mut package.files {
                    file.path = location.into();
                    file.digest = digest.map(str::to_owned);
                }
            }
        });
        read(text.as_bytes()).unwrap().packages[0].owned_by
    };
    let (right, wrong) = ("01".repeat(16), "02".repeat(16));
    assert_eq!(owned_by("usr/bin/ping", Some(&right)), Some(1));
    assert_eq!(owned_by("usr/bin/ping", Some(&wrong)), None);
    // Nothing was recorded, and `iputils` is no packaging of `crate`.
    assert_eq!(owned_by("usr/bin/ping", None), None);
    assert_eq!(owned_by("opt/ping", Some(&"03".repeat(16))), None);
}

#[test]
fn our_part_reads_back_as_it_is_written() {
    let text = document(with_package);
    let section = read(text.as_bytes()).unwrap();
    let written: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(serde_json::to_value(&section).unwrap(), written["inscan"]);
    assert_eq!(section.packages[1].purl, "pkg:deb/debian/iputils@1?distro=debian-12");
    // Another content than was recorded.
    assert_eq!(section.packages[0].owned_by, None);
    assert_eq!(section.layers[1].created_by, "RUN su");
    assert_eq!(section.image.history[2].layer, Some(1));
}

#[test]
fn a_file_names_its_layer_its_package_and_its_capabilities() {
    let section = read(document(with_package).as_bytes()).unwrap();
    let ping = section.files.iter().find(|file| file.path == "usr/bin/ping").unwrap();
    assert_eq!(
        (ping.layer, ping.package, ping.capabilities.as_deref()),
        (Some(0), Some(1), Some("cap_net_raw+ep"))
    );
    assert_eq!(ping.md5.as_deref(), Some("01".repeat(16).as_str()));
    let odd = &section.files[1];
    assert_eq!((odd.path.as_str(), odd.path_bytes.as_deref()), ("odd\\xff", Some("6f6464ff")));
    let usr = section.files.iter().find(|file| file.path == "usr").unwrap();
    assert_eq!((usr.layer, &*usr.mode), (None, "755"));
    let set_id: Vec<_> =
        section.set_id_files.iter().map(|file| (&*file.path, &*file.mode)).collect();
    assert_eq!(set_id, [("usr/bin/su", "4755")]);
}

#[test]
fn the_legacy_part_has_sorted_keys_and_no_empty_outputs() {
    let text = document(|_| ());
    let keys: Vec<_> = text.match_indices("\"files.").map(|(at, _)| &text[at..at + 11]).collect();
    assert!(
        keys.is_sorted_by_key(|key| *key) || text.find("file_checksums") < text.find("file_list")
    );
    let value: Value = serde_json::from_str(&text).unwrap();
    let report = &value["document"][0]["image"]["imagedata"]["analysis_report"];
    assert_eq!(report["file_suids"], json!({"files.suids": {"base": {"/usr/bin/su": "0o4755"}}}));
    for absent in ["package_list", "secret_search", "content_search", "file_package_verify"] {
        assert!(report.get(absent).is_none(), "{absent}");
    }
    let text = document(with_package);
    let value: Value = serde_json::from_str(&text).unwrap();
    let list = &value["document"][0]["image"]["imagedata"]["analysis_report"]["package_list"];
    assert_eq!(
        list["pkgfiles.all"]["base"],
        json!({"/bin/ping": "DPKGFILE", "/usr/bin": "DPKGFILE"})
    );
    assert!(list["pkgs.cargo"]["base"]["/usr/bin/ping:crate@1"].is_string());
}

#[test]
fn documents_hold_against_the_published_schema() {
    let schema = include_str!("../../../../docs/analysis-document.schema.json");
    let schema = serde_json::from_str(schema).unwrap();
    let validator = jsonschema::validator_for(&schema).unwrap();
    for text in [document(|_| ()), document(with_package)] {
        let mut value: Value = serde_json::from_str(&text).unwrap();
        let errors: Vec<_> = validator.iter_errors(&value).map(|error| error.to_string()).collect();
        assert!(errors.is_empty(), "{errors:?}");
        value["inscan"]["files"][0]["mode"] = json!(755);
        assert!(!validator.is_valid(&value));
    }
}
