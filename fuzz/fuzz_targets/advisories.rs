//! Building a database of one file: JSON, CSV, gzip, a zip of any of them.
#![no_main]

use inscan_image::progress::Silent;
use inscan_vulndb::Database;
use inscan_vulndb::build::{Dates, build};
use jiff::Timestamp;

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let (from, to) = (inscan_fuzz::scratch("advisories"), inscan_fuzz::scratch("advisories.db"));
    std::fs::write(&from, data).expect("a temporary file");
    let now = Timestamp::from_second(1_767_323_045).expect("a date");
    if build(&[from], &to, Dates { now, built: None }, &Silent).is_ok() {
        // What we write is whole, whatever it was made of.
        Database::open(&to).expect("it was read once").verify().expect("we wrote it");
    }
});
