//! Reading a bundle of policies, in both ways, and holding it against a small image.
#![no_main]

use inscan_document as document;
use inscan_judge::facts::DocumentFacts;
use inscan_judge::{Bundle, Image, Mode, evaluate};

/// Of the legacy engine's form: files, an account, a package, a Dockerfile.
const DOCUMENT: &str = r#"{"document": [{"image": {"imageId": "1d", "imagedata": {
"analysis_report": {
 "file_list": {"files.allinfo": {"base": {
  "/etc/passwd": "{\"fullpath\": \"/etc/passwd\", \"mode\": 33188, \"size\": 3, \"type\": \"file\"}",
  "/bin/su": "{\"fullpath\": \"/bin/su\", \"mode\": 35309, \"size\": 3, \"type\": \"file\"}"}}},
 "retrieve_files": {"file_content.all": {"base": {
  "/etc/passwd": "cm9vdDp4OjA6MDpyb290Oi9yb290Oi9iaW4vc2gK"}}},
 "package_list": {"pkgs.allinfo": {"base": {
  "musl": "{\"version\": \"1\", \"release\": \"r0\", \"type\": \"APKG\", \"license\": \"MIT\"}"}}},
 "secret_search": {"regexp_matches.all": {"base": {"/a": "{\"QVdTPWI=\": [1]}"}}}},
"image_report": {"dockerfile_contents": "FROM scratch\nEXPOSE 22\nUSER root\n",
 "dockerfile_mode": "Actual", "docker_data": {"Architecture": "amd64"}, "layers": [],
 "meta": {"sizebytes": 1}}}}}]}"#;

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let section = document::read(DOCUMENT.as_bytes()).unwrap();
    let facts = DocumentFacts::of_document(DOCUMENT.as_bytes(), &section).unwrap();
    let image = Image { tag: "r.example/a:1".into(), digest: "sha256:d".into(), id: "1d".into() };
    let when = "2026-11-26T12:00:00Z".parse().unwrap();
    for mode in [Mode::Strict, Mode::Tolerant] {
        let Ok(bundle) = Bundle::read(data, mode) else { continue };
        let policies: Vec<_> = bundle.policies.iter().map(|policy| policy.id.as_str()).collect();
        // As its mappings say, and each policy by itself.
        for only in policies.into_iter().take(4).map(Some).chain([None]) {
            let _ = evaluate(&bundle, &facts, &image, when, only);
        }
    }
});
