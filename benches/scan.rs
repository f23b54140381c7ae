//! The parts of a scan, each timed by itself: decompressing the largest layer and walking its tar, reading the layers,
//! flattening them, walking all names, analyzing the flattened image, writing the document, reading it back, and evaluating it.
//! CONTRIBUTING.md says how it is run.

#![allow(clippy::print_stdout)]

use std::hint::black_box;
use std::io::{Read, sink};
use std::time::{Duration, Instant};

use inscan_analyzers::{Analyzer, Config};
use inscan_document::{Overrides, Run};
use inscan_evaluate::{Data, Options, evaluate};
use inscan_image::analyze::analyze;
use inscan_image::document::{identity, section, write};
use inscan_image::flatten::flatten;
use inscan_image::layer::{self, Pass};
use inscan_image::progress::Silent;
use inscan_image::source::{self, Blobs, Image, OpenOptions, Opened, Reference};
use inscan_tar::{Archive, Limits, Packing};
use inscan_vulndb::Database;

/// The image and the database of the documentation's examples.
const IMAGE: &str =
    concat!("oci-archive:", env!("CARGO_MANIFEST_DIR"), "/fixtures/images/demo.oci.tar");
const DATABASE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/vulndb/demo.db");

/// Each part is repeated for so long, and at least so often.
const LEAST_TIME: Duration = Duration::from_secs(2);
const LEAST_TIMES: usize = 5;

/// Of `$INSCAN_BENCH_IMAGE`, which is written as for `inscan scan`.
fn main() -> anyhow::Result<()> {
    let name = std::env::var("INSCAN_BENCH_IMAGE").unwrap_or_else(|_| IMAGE.to_owned());
    let opened = source::open(&Reference::parse(&name)?, &OpenOptions::default(), &Silent)?;
    let Opened::Image { mut image, blobs } = opened else {
        anyhow::bail!("`{name}` is not an image whose layers can be read again");
    };
    let analyzers: Vec<Box<dyn Analyzer>> = inscan_analyzers::all(&Config::default());
    largest_layer(&image, &*blobs)?;
    // One layer after the other, without the cache.
    let read = || {
        let pass = Pass::new(&analyzers, Vec::new());
        layer::read_all(&image, &*blobs, &pass, 1, &Silent)
    };
    let layers = read()?;
    time("read layers", read);
    time("flatten", || flatten(black_box(&layers)));
    let fs = flatten(&layers);
    let visit = |path: &[u8], file| {
        black_box((path.len(), file));
    };
    time("walk names", || fs.walk(visit));
    source::complete(&mut image, &layers)?;
    time("analyze", || analyze(&image, black_box(&layers), &analyzers));
    let analysis = analyze(&image, &layers, &analyzers);
    let identity = identity(&image, Overrides::default());
    let run = Run::default();
    let mut document = Vec::new();
    write(&analysis, &identity, &run, &mut document)?;
    time("write document", || write(&analysis, &identity, &run, sink()));
    time("read document", || inscan_document::read(black_box(&document)));
    let section = section(&analysis, &identity, &run);
    let database = Database::open(DATABASE.as_ref())?;
    let options = Options { today: jiff::civil::date(2026, 1, 2), ..Options::default() };
    let data = Data { database: &database, source: "demo.db" };
    time("evaluate", || evaluate(black_box(&section), Some(data), &options, None));
    Ok(())
}

/// Of the layer that has the most stored bytes, where it is compressed with gzip.
fn largest_layer(image: &Image, blobs: &dyn Blobs) -> anyhow::Result<()> {
    let Some(layer) = image.layers.iter().max_by_key(|layer| layer.size) else { return Ok(()) };
    let mut stored = Vec::new();
    blobs.open(layer)?.read_to_end(&mut stored)?;
    if !matches!(Packing::of(&stored), Packing::Gzip) {
        return Ok(());
    }
    let unpacked = || {
        let mut tar = Vec::new();
        flate2::read::MultiGzDecoder::new(&stored[..]).read_to_end(&mut tar).map(|_| tar)
    };
    let tar = unpacked()?;
    println!("the largest layer: {} bytes, stored as {}", tar.len(), stored.len());
    time("inflate", unpacked);
    time("walk tar", || {
        let mut archive = Archive::new(&tar[..], Limits::GO);
        let mut entries = 0;
        while let Ok(Some(_)) = archive.next_entry() {
            entries += 1;
        }
        entries
    });
    Ok(())
}

/// Prints the median and the fastest; the first run does not count.
fn time<T>(name: &str, part: impl Fn() -> T) {
    drop(part());
    let begun = Instant::now();
    let mut times = Vec::new();
    while times.len() < LEAST_TIMES || begun.elapsed() < LEAST_TIME {
        let begun = Instant::now();
        let result = black_box(part());
        times.push(begun.elapsed());
        drop(result);
    }
    times.sort();
    let (median, fastest) = (times[times.len() / 2], times[0]);
    println!("{name:14} median {median:10.1?}, fastest {fastest:10.1?}, {} times", times.len());
}
