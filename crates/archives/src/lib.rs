//! Members of archives that lie in an image: zip, tar, and what is compressed.
//!
//! [`walk`] shows a [`Visitor`] the name of each member, and the content of those that it wants.
//! Archives within archives are walked as well. Tars are read as they come; what a zip has is read
//! where it lies; nothing is unpacked to disk. Whatever cannot be read is a [`Fault`]: there may be
//! anything in it.

mod form;
mod packed;
mod phar;
mod walk;

pub use form::{Form, form_of, is_phar, is_zip_behind};
pub use walk::{Fault, Limits, Visitor, walk};
