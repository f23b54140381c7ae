//! Walking a tar.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let mut archive = inscan::layer::tar::Archive::new(data);
    while let Ok(Some(_)) = archive.next_member() {}
});
