//! A VEX document of any form, and its statements about a package.
#![no_main]

use inscan_evaluate::vex;

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let Ok(document) = vex::read("fuzz", data) else { return };
    let subject = vex::Subject {
        purl: "pkg:deb/debian/libexpat1@2.5.0-1?arch=amd64",
        owner: Some("pkg:deb/debian/expat@2.5.0-1"),
        image: &["registry.example/app", "app"],
        digests: &["sha256:aa"],
    };
    let names: Vec<String> = document.statements.iter().flat_map(|it| it.names.clone()).collect();
    let _ = document.statement(&names, &subject);
});
