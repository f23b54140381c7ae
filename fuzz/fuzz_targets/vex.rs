//! A VEX document of any form, and its statements about a package.
#![no_main]

use inscan_document::Section;
use inscan_document::section::PackageRow;
use inscan_evaluate::vex;

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let Ok(document) = vex::read("fuzz", data) else { return };
    let package = |purl: &str| PackageRow { purl: purl.into(), ..PackageRow::default() };
    let mut section = Section::default();
    section.image.reference = "registry.example/app".into();
    section.image.digest = "sha256:aa".into();
    section.packages = vec![
        PackageRow { owned_by: Some(1), ..package("pkg:deb/debian/libexpat1@2.5.0-1?arch=amd64") },
        package("pkg:deb/debian/expat@2.5.0-1"),
    ];
    let subject = vex::Subject { section: &section, index: 0 };
    let names: Vec<String> = document.statements.iter().flat_map(|it| it.names.clone()).collect();
    let _ = document.statement(&names, &subject);
});
