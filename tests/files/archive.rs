//! Analysis archives beside the legacy scanner's own: what we write for its images is what it
//! wrote, and what it wrote is read.

mod hostile;
mod oracle;
mod parts;
