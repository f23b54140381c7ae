//! What kind of archive a file is, by its first bytes.

use inscan_facts::content::Content;
use inscan_tar::{BLOCK, Packing, is_header};

/// One kind of archive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// Also behind a program or a script.
    Zip,
    /// Not compressed.
    Tar,
    /// One file, which may be a tar.
    Packed(Packing),
    /// PHP's, behind a script.
    Phar,
}

/// By the first [`BLOCK`] bytes, or all that there are. An empty zip is none.
pub fn form_of(start: &[u8]) -> Option<Form> {
    if start.starts_with(b"PK\x03\x04") {
        return Some(Form::Zip);
    }
    let packing = Packing::of(start);
    if packing != Packing::Plain {
        return Some(Form::Packed(packing));
    }
    let block = start.first_chunk::<BLOCK>()?;
    (block[0] != 0 && is_header(block)).then_some(Form::Tar)
}

/// Whether a script has an archive of PHP behind it.
pub fn is_phar(content: &dyn Content) -> bool {
    crate::phar::is_one(content)
}

/// Whether a zip without a remark is at the end of something else.
pub fn is_zip_behind(content: &dyn Content) -> bool {
    const END: u64 = 22;
    let mut end = [0; END as usize];
    let at = content.len().checked_sub(END);
    let read = at.and_then(|at| content.read_at(at, &mut end).ok());
    // With at least one member.
    read == Some(end.len()) && end.starts_with(b"PK\x05\x06") && end[10..12] != [0, 0]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn archives_are_known_by_their_beginning() {
        let tar = inscan_test_support::tar(&[("a", b"x")]);
        assert_eq!(form_of(&tar[..BLOCK]), Some(Form::Tar));
        assert_eq!(form_of(b"PK\x03\x04\x14\0"), Some(Form::Zip));
        assert_eq!(form_of(b"\x1f\x8b\x08\0\0\0"), Some(Form::Packed(Packing::Gzip)));
        for none in [&b""[..], b"PK", b"text", &[0; BLOCK]] {
            assert_eq!(form_of(none), None);
        }
    }

    #[test]
    fn a_zip_is_found_behind_a_script() {
        let zip = inscan_test_support::zip(&[("a", b"x")]);
        let script = [&b"#!/usr/bin/env python3\n"[..], &zip].concat();
        assert!(is_zip_behind(&&script[..]));
        assert!(!is_zip_behind(&&b"#!/bin/sh\n# a script that is longer than the record\n"[..]));
        assert!(!is_zip_behind(&&inscan_test_support::zip(&[])[..]));
    }
}
