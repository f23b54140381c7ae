//! What a damaged file of the layer cache makes of itself: nothing, or a scan that is
//! consistent, and that reads back as it is written.
#![no_main]

use inscan_image::layer::cache::read_back;

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    if let Ok(written) = read_back(data, 40) {
        assert!(read_back(&written, 40).expect("we wrote it") == written);
    }
});
