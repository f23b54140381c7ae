//! One layer, compressed or not, through all analyzers and into a flattened image.
#![no_main]

use inscan_image::flatten::flatten;
use inscan_image::layer::{self, Pass};

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let analyzers = inscan_fuzz::analyzers();
    let pass = Pass::new(analyzers, Vec::new());
    if let Ok(scan) = layer::read(&pass, Box::new(data), Box::new(|_| {})) {
        // Twice: the second layer meets what the first one made.
        let second = layer::read(&pass, Box::new(data), Box::new(|_| {})).expect("as before");
        let layers = [scan, second];
        flatten(&layers).walk(|_, file| {
            file.size();
        });
    }
});
