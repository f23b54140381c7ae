//! A file of exceptions.
#![no_main]

use inscan_evaluate::Exceptions;

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    if let Ok(text) = std::str::from_utf8(data) {
        let _ = Exceptions::parse("fuzz.yaml", text);
    }
});
