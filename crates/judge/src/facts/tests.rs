//! Documents that are not as they should be, and SBOMs.

use serde_json::{Value, json};

use super::*;
use inscan_document::section::PackageRow;

/// The facts of a document with this `analysis_report`, and this beside it.
fn with_report<T>(report: Value, ask: impl FnOnce(&DocumentFacts<'_>) -> T) -> T {
    let text = json!({"document": [{"image": {"imageId": "0", "imagedata": {
        "analysis_report": report, "image_report": {"layers": ["a", "b"], "meta": {"sizebytes": 3},
        "docker_data": {"Architecture": "arm64"}, "dockerfile_mode": "Guessed"}}}}]});
    let section = Section::default();
    ask(&DocumentFacts::of_document(text.to_string().as_bytes(), &section).unwrap())
}

fn failure<T>(answer: Result<T, TriggerError>) -> String {
    answer.err().expect("an error").to_string()
}

#[test]
fn an_image_without_files_has_none_and_half_an_analysis_is_no_answer() {
    with_report(json!({}), |facts| {
        assert_eq!(facts.files().unwrap().iter().len(), 0);
        assert!(facts.packages().unwrap().is_empty());
        assert_eq!(facts.image().unwrap().layers, 2);
        assert_eq!(facts.image().unwrap().size, Some(3));
        assert_eq!(facts.image().unwrap().distribution, None);
        assert!(failure(facts.sum("sha1", "/a")).contains("does not tell sha1 sums"));
        assert!(failure(facts.sum("crc", "/a")).contains("crc sums"));
    });
    let half = json!({"file_list": {"files.all": {"base": {"/a": "0o644"}}}});
    with_report(half, |facts| {
        assert!(failure(facts.files()).contains("analyze the image again"));
    });
}

#[test]
fn what_is_no_text_or_no_json_is_told_with_its_place() {
    for (report, expected) in [
        (json!({"/a": 1}), "`file_list/files.allinfo` in the document cannot be understood"),
        (json!({"/a": "{"}), "EOF while parsing"),
        (json!({"/a": r#"{"mode": -1, "size": 0, "type": "file"}"#}), "invalid value"),
        (json!([]), "expected an object of texts"),
    ] {
        with_report(json!({"file_list": {"files.allinfo": {"base": report}}}), |facts| {
            let failure = failure(facts.files());
            assert!(failure.contains(expected), "{failure}");
        });
    }
}

#[test]
fn checksums_are_found_by_path_and_directories_have_none() {
    let sums = json!({"/b": "00ff", "/a": "DIRECTORY_OR_OTHER"});
    with_report(json!({"file_checksums": {"files.md5sums": {"base": sums}}}), |facts| {
        let sum = |path| facts.sum("md5", path).unwrap();
        assert_eq!([sum("/a"), sum("/b"), sum("/c")], [None, Some("00ff".into()), None]);
    });
}

#[test]
fn packages_keep_the_names_and_versions_of_the_legacy_engine() {
    let list = json!({
        "pkgs.all": {"base": {"a": "1"}},
        "pkgs.allinfo": {"base": {
            "a": r#"{"version": "1", "release": "2.el8", "type": "rpm", "license": "MIT BSD"}"#,
            "b": r#"{"version": "1:3", "release": "N/A", "type": "dpkg", "license": "Unknown"}"#}},
        "pkgs.npms": {"base": {"/x": r#"{"name": "n", "versions": [1, "2"], "lics": ["MIT"]}"#}},
        "pkgs.java": {"base": {"/y": r#"{"name": "N/A", "maven-version": "N/A",
            "implementation-version": "9", "specification-version": "8"}"#,
            "/v": r#"{"name": "v-jre-2.10-x", "maven-version": "N/A"}"#}},
        "pkgs.cargo": {"base": {"/z": r#"{"name": "c", "version": "0.1", "license": "MIT"}"#}},
    });
    with_report(json!({"package_list": list}), |facts| {
        let line = |package: &Package| {
            let Package { kind, name, licence, is_of_os, .. } = package;
            format!("{kind} {name} {} {licence} {is_of_os}", package.full_version())
        };
        let told: Vec<_> = facts.packages().unwrap().iter().map(line).collect();
        assert_eq!(
            told,
            [
                "rpm a 1-2.el8 MIT BSD true",
                "deb b 1:3 Unknown true",
                "npm n 1 MIT false",
                "npm n 2 MIT false",
                "maven v-jre 2.10-x N/A false",
                "maven N/A 9 N/A false",
                "cargo c 0.1 MIT false"
            ]
        );
    });
}

#[test]
fn an_sbom_tells_of_packages_and_of_nothing_else() {
    let row = |kind: &str, namespace: Option<&str>, name: &str, version: &str| PackageRow {
        kind: kind.to_owned(),
        namespace: namespace.map(str::to_owned),
        name: name.to_owned(),
        version: version.to_owned(),
        ..PackageRow::default()
    };
    let section = Section {
        packages: vec![row("npm", Some("@s"), "p", "1-x"), row("rpm", Some("rhel"), "q", "2-3")],
        ..Section::default()
    };
    let facts = DocumentFacts::of_document(br#"{"bomFormat": "CycloneDX"}"#, &section).unwrap();
    let [npm, rpm] = facts.packages().unwrap() else { panic!("two packages") };
    assert_eq!((&*npm.name, &*npm.version), ("@s/p", "1-x"));
    assert_eq!((&*rpm.name, &*rpm.version, &*rpm.full_version()), ("q", "2", "2-3"));
    for failure in [
        failure(facts.image()),
        failure(facts.files()),
        failure(facts.sum("md5", "/a")),
        failure(facts.package_files()),
        failure(facts.secrets()),
        failure(facts.content_matches()),
        failure(facts.content("/etc/passwd")),
        failure(facts.accounts()),
        failure(facts.malware()),
    ] {
        assert!(failure.starts_with("an SBOM does not tell"), "{failure}");
    }
}

#[test]
fn an_analyzer_that_did_not_run_is_no_answer() {
    let text = json!({"document": [{"image": {"imagedata": {}}}],
        "inscan": {"tool": {"analyzers": ["content-search"]}, "image": {"os": "linux"}}});
    let (text, section) = (text.to_string(), Section::default());
    let facts = DocumentFacts::of_document(text.as_bytes(), &section).unwrap();
    assert!(failure(facts.secrets()).contains("`secret-search` did not run"));
    assert!(facts.content_matches().unwrap().is_empty());
    assert!(failure(facts.image()).contains("no `image_report`"));
}

#[test]
fn the_engine_s_word_for_nothing_is_no_content() {
    let files = json!({"/a": "none", "/b": "aGk=", "/c": "!"});
    with_report(json!({"retrieve_files": {"file_content.all": {"base": files}}}), |facts| {
        assert_eq!(facts.content("/a").unwrap(), Some(Vec::new()));
        assert_eq!(facts.content("/b").unwrap(), Some(b"hi".to_vec()));
        assert_eq!(facts.content("/d").unwrap(), None);
        assert!(failure(facts.content("/c")).contains("content of `/c`"));
    });
}

#[test]
fn an_expression_has_a_name_or_none() {
    let key = "RVE9YT1iPWM=\n";
    let noname = "XnJvb3Q=\n";
    let base = json!({"/f": json!({key: [1], noname: [2]}).to_string()});
    with_report(json!({"secret_search": {"regexp_matches.all": {"base": base}}}), |facts| {
        let [named, nameless] = facts.secrets().unwrap() else { panic!("two") };
        assert_eq!((named.name(), named.regex(), &*named.key), ("EQ", "a=b=c", key));
        assert_eq!((nameless.name(), nameless.regex()), ("", "^root"));
    });
}
