//! Analysis archives beside the legacy scanner's own: what we write for its images is what it
//! wrote, and what it wrote is read.

mod hostile;
mod oracle;
#[path = "../oracle_data/mod.rs"]
mod oracle_data;
mod parts;
