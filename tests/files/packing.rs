//! Documents and reports in compressed files.

use std::fs;

use inscan_test_support::root;

use crate::inscan;

#[test]
fn a_compressed_document_is_read_like_another() {
    let folder = tempfile::tempdir().unwrap();
    let run = |arguments: &[&str]| {
        let mut inscan = inscan(arguments);
        inscan.current_dir(root()).env("SOURCE_DATE_EPOCH", "1764000000");
        inscan.run()
    };
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let image = "fixtures/images/demo.oci.tar";
    let mut verdicts = Vec::new();
    for name in ["a.json", "a.json.gz", "a.json.zst"] {
        let document = path(name);
        let output = format!("document={document}");
        run(&["analyze", image, "--no-cache", "-q", "-o", &output]).ends(0);
        let gate = ["evaluate", &document, "--db", "fixtures/vulndb/demo.db", "--fail-on", "high"];
        let verdict = run(&[&gate[..], &["-o", "json"]].concat()).ends(1);
        verdicts.push(verdict.stdout);
        let archive = format!("archive={}", path("a.tgz"));
        run(&["archive", &document, "-o", &archive]).ends(0);
        let explain = ["explain", "CVE-2022-3715", &document, "--db", "fixtures/vulndb/demo.db"];
        run(&explain).ends(0);
    }
    assert_eq!(verdicts[0], verdicts[1]);
    assert_eq!(verdicts[0], verdicts[2]);
    let whole = fs::read(path("a.json.zst")).unwrap();
    fs::write(path("cut.json.zst"), &whole[..whole.len() / 2]).unwrap();
    run(&["evaluate", &path("cut.json.zst")]).ends(2).says(&["could not read the document"]);
}
