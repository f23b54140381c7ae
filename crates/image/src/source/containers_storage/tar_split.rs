//! A layer's tar put together again, byte for byte, from its files and from what
//! tar-split kept of the tar when it was unpacked
//! (<https://github.com/vbatts/tar-split>): JSON lines, of which each is either a
//! stretch of the tar itself (headers, padding) or the name of the file that follows.
//!
//! The checksums of single files (crc64) are not looked at: the diff id covers all bytes.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};

use base64::Engine;
use inscan_tar::Packing;
use serde::Deserialize;

use crate::source::beneath::Beneath;
use inscan_facts::error::shown;

/// Padding is written in pieces of 1 MiB; headers with long records are shorter.
const MAX_LINE_LENGTH: u64 = 8 << 20;

const FILE: u8 = 1;
const SEGMENT: u8 = 2;

#[derive(Deserialize)]
struct Line<'a> {
    #[serde(rename = "type")]
    kind: u8,
    #[serde(default, borrow)]
    name: Option<std::borrow::Cow<'a, str>>,
    /// In base64, where the name is no UTF-8.
    #[serde(default, borrow)]
    name_raw: Option<std::borrow::Cow<'a, str>>,
    #[serde(default)]
    size: Option<i64>,
    #[serde(default, borrow)]
    payload: Option<std::borrow::Cow<'a, str>>,
}

/// The tar of one layer.
pub(super) struct Assembled {
    lines: BufReader<Box<dyn Read + Send>>,
    number: usize,
    line: Vec<u8>,
    files: Beneath,
    current: Current,
}

enum Current {
    Segment { bytes: Vec<u8>, at: usize },
    File { file: File, name: Vec<u8>, left: u64 },
    Nothing,
}

impl Assembled {
    /// `kept` is what tar-split kept, `files` where the layer's files are.
    pub(super) fn new(kept: File, files: Beneath) -> io::Result<Self> {
        let mut kept = BufReader::new(kept);
        let is_gzip = Packing::of(kept.fill_buf()?) == Packing::Gzip;
        let lines: Box<dyn Read + Send> = match is_gzip {
            true => Box::new(flate2::bufread::MultiGzDecoder::new(kept)),
            false => Box::new(kept),
        };
        Ok(Assembled {
            lines: BufReader::with_capacity(1 << 16, lines),
            number: 0,
            line: Vec::new(),
            files,
            current: Current::Nothing,
        })
    }

    /// Goes to what the next line says; false at the end.
    fn advance(&mut self) -> io::Result<bool> {
        self.line.clear();
        let read = (&mut self.lines).take(MAX_LINE_LENGTH).read_until(b'\n', &mut self.line)?;
        if read == 0 {
            return Ok(false);
        }
        self.number += 1;
        if self.line.last() != Some(&b'\n') {
            let why = if read as u64 == MAX_LINE_LENGTH { "is too long" } else { "is cut off" };
            return Err(self.wrong(why));
        }
        let Ok(line) = serde_json::from_slice::<Line<'_>>(&self.line) else {
            return Err(self.wrong("is not supported"));
        };
        let base64 = base64::engine::general_purpose::STANDARD;
        self.current = match line.kind {
            SEGMENT => match base64.decode(line.payload.as_deref().unwrap_or_default()) {
                Ok(bytes) => Current::Segment { bytes, at: 0 },
                Err(_) => return Err(self.wrong("is not supported")),
            },
            FILE => {
                let name = match (&line.name_raw, &line.name) {
                    (Some(raw), _) => base64.decode(&**raw).ok(),
                    (None, name) => name.as_ref().map(|name| name.as_bytes().to_vec()),
                };
                let size = u64::try_from(line.size.unwrap_or(0)).ok();
                let (Some(name), Some(size)) = (name, size) else {
                    return Err(self.wrong("has no name, or an impossible size"));
                };
                if size == 0 { Current::Nothing } else { Self::file(&mut self.files, name, size)? }
            }
            _ => return Err(self.wrong("is of an unknown type")),
        };
        Ok(true)
    }

    fn file(files: &mut Beneath, name: Vec<u8>, size: u64) -> io::Result<Current> {
        let problem = |error: io::Error| {
            let hint = match error.kind() {
                io::ErrorKind::PermissionDenied => {
                    "; run as root, or, for your own rootless storage: podman unshare inscan …"
                }
                _ => "; the storage was changed, pull the image again",
            };
            let message =
                format!("could not open the layer's file `{}`: {error}{hint}", shown(&name));
            io::Error::new(error.kind(), message)
        };
        let file = files.open(&name).map_err(problem)?;
        let found = file.metadata()?.len();
        if found != size {
            let message = format!(
                "the layer's file `{}` has {found} bytes, not {size} as when it was stored: the storage was changed, pull the image again",
                shown(&name)
            );
            return Err(io::Error::new(io::ErrorKind::InvalidData, message));
        }
        Ok(Current::File { file, name, left: size })
    }

    fn wrong(&self, why: &str) -> io::Error {
        let message = format!("line {} of the layer's tar-split data {why}", self.number);
        io::Error::new(io::ErrorKind::InvalidData, message)
    }
}

impl Read for Assembled {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if buffer.is_empty() {
            return Ok(0);
        }
        loop {
            let read = self.current.read(buffer)?;
            if read > 0 || !self.advance()? {
                return Ok(read);
            }
        }
    }
}

impl Read for Current {
    /// 0 where the next line is to be read.
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Current::Segment { bytes, at } => {
                let read = (&bytes[*at..]).read(buffer)?;
                *at += read;
                Ok(read)
            }
            Current::File { file, name, left } if *left > 0 => {
                let most = buffer.len().min(usize::try_from(*left).unwrap_or(usize::MAX));
                let read = file.read(&mut buffer[..most])?;
                if read == 0 {
                    let message = format!("`{}` became shorter while it was read", shown(name));
                    return Err(io::Error::new(io::ErrorKind::UnexpectedEof, message));
                }
                *left -= read as u64;
                Ok(read)
            }
            Current::File { .. } | Current::Nothing => Ok(0),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::io::Write;

    use super::*;

    fn assembled(lines: &[u8]) -> io::Result<Vec<u8>> {
        let files = tempfile::tempdir()?;
        fs::write(files.path().join("a"), "content of a")?;
        fs::write(files.path().join("\u{e4}"), "x")?;
        let mut kept = tempfile::NamedTempFile::new()?;
        kept.write_all(lines)?;
        let kept = File::open(kept.path())?;
        let mut tar = Vec::new();
        Assembled::new(kept, Beneath::new(files.path())?)?.read_to_end(&mut tar)?;
        Ok(tar)
    }

    const LINES: &str = concat!(
        r#"{"type":2,"payload":"aGVhZGVyIA==","position":0}"#,
        "\n",
        r#"{"type":1,"name":"./a","size":12,"payload":"AAAA","position":1}"#,
        "\n",
        r#"{"type":1,"name":"gone/","payload":null,"position":2}"#,
        "\n",
        r#"{"type":1,"name_raw":"w6Q=","size":1,"payload":"AAAA","position":3}"#,
        "\n",
        r#"{"type":2,"payload":"IGVuZA==","position":4}"#,
        "\n",
    );

    #[test]
    fn headers_and_files_are_put_together() {
        assert_eq!(assembled(LINES.as_bytes()).unwrap(), b"header content of ax end");
        let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        gzip.write_all(LINES.as_bytes()).unwrap();
        assert_eq!(assembled(&gzip.finish().unwrap()).unwrap(), b"header content of ax end");
    }

    #[test]
    fn data_cut_in_the_middle_of_a_line_is_an_error() {
        for length in 0..LINES.len() {
            let whole = LINES.as_bytes()[..length].ends_with(b"\n") || length == 0;
            assert_eq!(assembled(&LINES.as_bytes()[..length]).is_ok(), whole, "{length}");
        }
    }

    #[test]
    fn files_that_are_gone_or_changed_are_named() {
        let check = |line: &str, expected: &str| {
            let error = assembled(format!("{line}\n").as_bytes()).unwrap_err().to_string();
            assert!(error.contains(expected), "{error}");
        };
        check(r#"{"type":1,"name":"b","size":1}"#, "could not open the layer's file `b`");
        check(r#"{"type":1,"name":"a","size":13}"#, "`a` has 12 bytes, not 13");
        check(r#"{"type":1,"name":"../../etc/passwd","size":1}"#, "`../../etc/passwd`");
        check(r#"{"type":1,"name":"a","size":-1}"#, "impossible size");
        check(r#"{"type":3}"#, "unknown type");
        check(r#"{"type":2,"payload":"?"}"#, "line 1 of the layer's tar-split data");
    }
}
