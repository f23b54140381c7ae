//! Reading an analysis document back.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let _ = inscan_document::read(data);
});
