//! A whole image as one archive on standard input, of any form.
#![no_main]

use std::io::Cursor;

use inscan_image::layer::{self, Pass};
use inscan_image::source::{Choice, Stream, read_stream};

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let analyzers = inscan_fuzz::analyzers();
    let pass = Pass::new(analyzers, Vec::new());
    let reader = Box::new(Cursor::new(data.to_vec()));
    let stream = Stream::new("fuzz".to_owned(), reader, Choice::default());
    let read = read_stream(stream, &pass.budget, &mut |_, layer, _| {
        layer::read(&pass, Box::new(layer), Box::new(|_| {}))
    });
    if let Ok((image, layers)) = read {
        inscan_image::analyze::analyze(&image, &layers, analyzers);
    }
});
