//! The binary and the project's own pages, with nothing but files: the fixtures, and the material in `../shared`.

mod archive;
mod bundles;
mod cache;
mod cli;
mod documents;
mod facts;
mod house;
mod judging;
mod only;
mod packing;
mod policy;
mod readme;
mod secrets;
mod sources;
mod vulnerabilities;

use inscan_test_support::Inscan;

/// The binary with these arguments, in an environment of its own.
fn inscan(arguments: &[&str]) -> Inscan {
    let mut inscan = Inscan::new(env!("CARGO_BIN_EXE_inscan"));
    inscan.args(arguments);
    inscan
}
