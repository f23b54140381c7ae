//! Scans an archive of an image and prints its packages:
//! `cargo run --example scan_archive -- fixtures/images/demo.oci.tar`

#![allow(clippy::print_stdout)]

use inscan_image::progress::Silent;
use inscan_image::source::Reference;
use inscan_image::{Request, scan};

fn main() -> anyhow::Result<()> {
    let archive = std::env::args().nth(1).unwrap_or("fixtures/images/demo.oci.tar".to_owned());
    let request = Request::new(Reference::parse(&archive)?);
    let scan = scan(&request, &Silent)?;
    for found in &scan.analysis().packages {
        println!("{} {} {}", found.package.kind, found.package.name, found.package.version);
    }
    Ok(())
}
