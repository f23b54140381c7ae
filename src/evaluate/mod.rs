//! Judges a document: which packages are vulnerable by which advisory, since
//! which layer, what mends it, and whether the gate lets the image pass.
//!
//! It sees the document and the vulnerability database, and neither the image
//! nor the clock: the same document, database, day and options give the same
//! [`Evaluation`].

mod evaluation;
pub mod osv;
mod severity;

pub use evaluation::*;
pub use severity::Severity;
