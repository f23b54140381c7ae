//! JSON that steers nothing where it is shown: no terminal, and no log.

use std::io::{self, Write};

use crate::escape;

/// Passes JSON on, with what may steer a terminal or a log written as `\u009b`: it may stand in
/// strings alone, and means the same there.
pub struct Harmless<W> {
    to: W,
    /// The beginning of a character whose end is still to come.
    begun: Vec<u8>,
}

impl<W: Write> Harmless<W> {
    /// What is written to it is JSON in UTF-8.
    pub fn new(to: W) -> Self {
        Harmless { to, begun: Vec::new() }
    }
}

/// The same of a whole text.
pub fn harmless(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    // A vector takes whatever is written.
    let _ = Harmless::new(&mut bytes).write_all(text.as_bytes());
    String::from_utf8(bytes).unwrap_or_default()
}

impl<W: Write> Write for Harmless<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let joined;
        let mut rest = bytes;
        if !self.begun.is_empty() {
            joined = [&self.begun[..], bytes].concat();
            self.begun.clear();
            rest = &joined;
        }
        let whole = rest.len() - unfinished(rest);
        self.begun.extend_from_slice(&rest[whole..]);
        let rest = &rest[..whole];
        // Most of it is plain.
        if rest.is_ascii() && !rest.contains(&0x7f) {
            self.to.write_all(rest)?;
            return Ok(bytes.len());
        }
        for chunk in rest.utf8_chunks() {
            let mut plain = 0;
            for (at, char) in chunk.valid().char_indices() {
                if char >= '\u{7f}' && escape::steers(char) {
                    self.to.write_all(&chunk.valid().as_bytes()[plain..at])?;
                    for unit in char.encode_utf16(&mut [0; 2]) {
                        write!(self.to, "\\u{unit:04x}")?;
                    }
                    plain = at + char.len_utf8();
                }
            }
            self.to.write_all(&chunk.valid().as_bytes()[plain..])?;
            self.to.write_all(chunk.invalid())?;
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.to.flush()
    }
}

/// How many bytes at the end are the beginning of a character.
fn unfinished(bytes: &[u8]) -> usize {
    for back in 1..=bytes.len().min(3) {
        let byte = bytes[bytes.len() - back];
        let length = match byte {
            0x80..=0xbf => continue,
            0xc0..=0xdf => 2,
            0xe0..=0xef => 3,
            0xf0.. => 4,
            _ => 1,
        };
        return if length > back { back } else { 0 };
    }
    0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_steers_is_written_as_an_escape_wherever_the_text_is_cut() {
        let text = "{\"a\": \"b\u{9b}31m\u{202e}é\u{7f}\u{2028}日\u{e0041}\u{1f600}\"}\n";
        let expected = "{\"a\": \"b\\u009b31m\\u202eé\\u007f\\u2028日\\udb40\\udc41\u{1f600}\"}\n";
        assert_eq!(harmless(text), expected);
        for size in 1..8 {
            let mut written = Vec::new();
            let mut to = Harmless::new(&mut written);
            text.as_bytes().chunks(size).for_each(|piece| to.write_all(piece).unwrap());
            assert_eq!(String::from_utf8(written).unwrap(), expected, "{size}");
        }
    }
}
