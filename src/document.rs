//! STUB until the document lands.

use std::io::{self, Write};

use crate::analyze::Analysis;
pub use crate::cli::Identity;

pub fn write(_: &Analysis<'_>, _: &Identity, out: &mut dyn Write) -> io::Result<()> {
    writeln!(out, "{{}}")
}
