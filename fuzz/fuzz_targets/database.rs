//! A file that is said to be a database, and every question that is asked of one.
#![no_main]

use inscan_vulndb::Database;

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let path = inscan_fuzz::scratch("database");
    std::fs::write(&path, data).expect("a temporary file");
    let Ok(database) = Database::open(&path) else { return };
    // An error is an answer.
    let _ = (database.about(), database.coverages(), database.verify());
    for (ecosystem, name) in
        [("PyPI", "idna"), ("npm", "minimist"), ("Debian:12", "expat"), ("Debian:12", "zlib")]
    {
        let _ = (database.coverage(ecosystem), database.freshness(ecosystem));
        for advisory in database.advisories_for(ecosystem, name).unwrap_or_default() {
            let _ = (database.text_of(&advisory.id), database.aliases(&advisory.id));
        }
    }
    for id in ["CVE-2024-3651", "GHSA-jjg7-2v4v-x38h", "CVE-2099-10001"] {
        let _ = (database.records(id), database.references(id, ""), database.advisory(id));
        let _ = (database.kev(id), database.epss(id), database.rating(id));
    }
    let _ = (database.end_of_life("debian", "12"), database.listed("gem", "rails"));
});
