//! Every analyzer, on one file of any content: see `one_file`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    inscan_fuzz::one_file(data);
});
