//! A document or an SBOM, judged with the demonstration's database, and all reports of it.
#![no_main]

use std::path::Path;

use inscan_evaluate::{Data, Options, evaluate};
use inscan_report::Style;
use inscan_report::report::{Format, Report, write};
use inscan_vulndb::Database;

thread_local! {
    static DATABASE: Database = {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fixtures/vulndb/demo.db");
        Database::open(&path).expect("the demonstration's database")
    };
}

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let Ok(section) = inscan_document::read(data) else { return };
    DATABASE.with(|database| {
        let options = Options { lockfiles: true, keep_owned: true, ..Options::default() };
        let judged = evaluate(&section, Some(Data { database, source: "demo" }), &options, None);
        let evaluation = judged.expect("the database is whole");
        let style = Style::plain();
        let report = Report {
            evaluation: &evaluation,
            section: &section,
            style: &style,
            show_suppressed: true,
            every_match: true,
            template: None,
            policy: None,
        };
        for format in Format::ALL {
            // These say what somebody's own files make of it.
            if format != Format::Template && !format.needs_policy() {
                write(format, &report, &mut Vec::new()).expect("memory takes it");
            }
        }
    });
});
