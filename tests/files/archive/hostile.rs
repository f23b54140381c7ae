//! Archives that are none, or that want to be understood in two ways.

use std::fs;

use inscan_test_support::IMAGE as DEMO;

use super::parts::{inscan, packed};

fn demo() -> Vec<u8> {
    let output = inscan(&["archive", DEMO]).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    output.stdout
}

/// What is said of an archive that must not be evaluated.
fn refused(archive: &[u8]) -> String {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("archive.tgz");
    fs::write(&path, archive).unwrap();
    let output = inscan(&["evaluate", path.to_str().unwrap()]).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(2), "{said}");
    assert!(output.stdout.is_empty() && said.contains("could not read the document"), "{said}");
    said
}

#[test]
fn the_same_image_gives_the_same_archive_and_it_is_evaluated() {
    let archive = demo();
    assert!(archive == demo());
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("archive.tgz");
    fs::write(&path, &archive).unwrap();
    let output = inscan(&["evaluate", path.to_str().unwrap(), "-o", "json"]).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let again = inscan(&["archive", path.to_str().unwrap()]).output().unwrap();
    assert_eq!(again.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&again.stderr).contains("is an archive already"));
}

#[test]
fn a_document_gives_the_archive_that_the_image_gives() {
    let folder = tempfile::tempdir().unwrap();
    let document = folder.path().join("document.json");
    let output = format!("document={}", document.display());
    assert!(inscan(&["analyze", DEMO, "-o", &output]).status().unwrap().success());
    let of_document = inscan(&["archive", document.to_str().unwrap()]).output().unwrap();
    assert!(of_document.stdout == demo(), "{}", String::from_utf8_lossy(&of_document.stderr));
    let names = ["--tag", "other.example/x:2", "--image-id", &"ab".repeat(32)];
    let image = inscan(&["archive", DEMO]).args(names).output().unwrap();
    let of_document =
        inscan(&["archive", document.to_str().unwrap()]).args(names).output().unwrap();
    assert!(image.stdout == of_document.stdout && image.stdout != demo());
}

#[test]
fn archives_that_want_to_be_two_are_refused() {
    let archive = demo();
    let own = super::parts::members(&archive);
    let own: Vec<(&str, &[u8])> = own.iter().map(|(name, content)| (&**name, &**content)).collect();
    assert_eq!(own.len(), 4);
    let with = |more: (&'static str, &[u8])| packed(&[own.as_slice(), &[more]].concat());
    let said = refused(&with(("analysis", br#"{"document": []}"#)));
    assert!(said.contains("two members `analysis`"), "{said}");
    let manifest = String::from_utf8(own[3].1.to_vec()).unwrap();
    let id = manifest.split("\"image_id\":\"").nth(1).unwrap()[..64].to_owned();
    let other = manifest.replace(&id, &"ab".repeat(32));
    let said = refused(&packed(&[own[0], ("archive_manifest", other.as_bytes())]));
    assert!(said.contains("different images"), "{said}");
    for (members, expected) in [
        (&own[..1], "no member `archive_manifest`"),
        (&own[1..], "no member `analysis`"),
        (&[own[0], ("archive_manifest", b"{}")][..], "`archive_manifest`: missing field"),
    ] {
        let said = refused(&packed(members));
        assert!(said.contains(expected), "{said}");
    }
}

#[test]
fn archives_cut_anywhere_are_refused() {
    let archive = demo();
    for cut in (100..archive.len()).step_by(archive.len() / 40) {
        refused(&archive[..cut]);
    }
}

/// 3 MB that would be 3 GB.
#[test]
fn a_member_that_is_too_large_is_refused_before_it_is_read() {
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    let mut header = tar::Header::new_ustar();
    header.set_path("analysis").unwrap();
    header.set_size(3 << 30);
    header.set_mode(0o644);
    header.set_cksum();
    std::io::Write::write_all(&mut gzip, header.as_bytes()).unwrap();
    std::io::copy(&mut std::io::Read::take(std::io::repeat(b' '), 1 << 20), &mut gzip).unwrap();
    let said = refused(&gzip.finish().unwrap());
    assert!(said.contains("at most 1073741824 are read"), "{said}");
}

#[test]
fn what_cannot_be_sent_is_said() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("sbom.json");
    for (text, expected) in [
        (r#"{"bomFormat": "CycloneDX"}"#, "an SBOM cannot be sent"),
        (r#"{"document": []}"#, "0 images instead of one"),
        (r#"{"document": [{"image": {"imageId": "x"}}]}"#, "has no `image_report`"),
        (
            r#"{"document": [{"image": {"imagedata": {"image_report": {}}}}]}"#,
            "give it with `--tag NAME`",
        ),
        ("{", "not an analysis document"),
    ] {
        fs::write(&path, text).unwrap();
        let said = not_packed(&path);
        assert!(said.contains(expected), "{said}");
    }
    for (module, expected) in [
        (r#""package_list": {"pkgs.npms": {"base": {"a": "{"}}}"#, "value of `a` is no JSON"),
        (r#""file_list": {"files.allinfo": {"base": {"a": "[]"}}}"#, "value of `a` is no object"),
        (r#""file_list": {"files.allinfo": {"base": {"a": 1}}}"#, "expected a string"),
    ] {
        let id = "ab".repeat(32);
        let data = format!(
            r#"{{"RepoTags": ["r.example/a:1"], "RepoDigests": ["r.example/a@sha256:{id}"]}}"#
        );
        let text = format!(
            r#"{{"document": [{{"image": {{"imageId": "{id}", "imagedata": {{"analysis_report": {{{module}}}, "image_report": {{"docker_data": {data}}}}}}}}}]}}"#
        );
        fs::write(&path, text).unwrap();
        let said = not_packed(&path);
        assert!(said.contains(expected), "{said}");
    }
}

/// What is said of a document that no archive can be made of.
fn not_packed(path: &std::path::Path) -> String {
    let output = inscan(&["archive", path.to_str().unwrap()]).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(2), "{said}");
    assert!(output.stdout.is_empty(), "{said}");
    said
}
