//! Content encodings of responses
//! (<https://www.rfc-editor.org/rfc/rfc9110#field.content-encoding>). None is asked for. Servers
//! in front of registries compress all the same; others say `gzip` of files that are gzip, and send
//! them as they are. Whoever reads finds out which it is.

use std::io::{self, Read};

use reqwest::header::{CONTENT_ENCODING, HeaderMap};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Encoding {
    Gzip,
    Zlib,
    Zstd,
}

/// `None` where there is none, or one that is not known.
pub(crate) fn of(headers: &HeaderMap) -> Option<Encoding> {
    match headers.get(CONTENT_ENCODING)?.to_str().ok()?.trim().to_ascii_lowercase().as_str() {
        "gzip" | "x-gzip" => Some(Encoding::Gzip),
        "deflate" => Some(Encoding::Zlib),
        "zstd" => Some(Encoding::Zstd),
        _ => None,
    }
}

impl Encoding {
    pub(crate) fn decoded<'r>(
        self,
        from: impl Read + Send + 'r,
    ) -> io::Result<Box<dyn Read + Send + 'r>> {
        Ok(match self {
            Encoding::Gzip => Box::new(flate2::read::MultiGzDecoder::new(from)),
            Encoding::Zlib => Box::new(flate2::read::ZlibDecoder::new(from)),
            Encoding::Zstd => Box::new(zstd::Decoder::new(from)?),
        })
    }

    /// A text, which never begins as compressed bytes do: it is decoded where it does. At most so
    /// many bytes, and one more where there are more.
    pub(crate) fn text(self, bytes: Vec<u8>, most: u64) -> io::Result<Vec<u8>> {
        let magic: &[u8] = match self {
            Encoding::Gzip => b"\x1f\x8b",
            Encoding::Zlib => b"\x78",
            Encoding::Zstd => b"\x28\xb5\x2f\xfd",
        };
        if !bytes.starts_with(magic) {
            return Ok(bytes);
        }
        let mut text = Vec::new();
        self.decoded(&*bytes)?.take(most.saturating_add(1)).read_to_end(&mut text)?;
        Ok(text)
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    #[test]
    fn a_text_is_decoded_where_it_is_encoded() {
        let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        gzip.write_all(b"{}").unwrap();
        let mut zlib = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::fast());
        zlib.write_all(b"{}").unwrap();
        let zstd = zstd::encode_all(&b"{}"[..], 1).unwrap();
        for (encoding, bytes) in [
            (Encoding::Gzip, gzip.finish().unwrap()),
            (Encoding::Zlib, zlib.finish().unwrap()),
            (Encoding::Zstd, zstd),
            (Encoding::Gzip, b"{}".to_vec()),
        ] {
            assert_eq!(encoding.text(bytes, 10).unwrap(), b"{}", "{encoding:?}");
        }
    }

    #[test]
    fn what_is_encoded_is_never_decoded_without_end() {
        let long = zstd::encode_all(&vec![b' '; 1 << 20][..], 1).unwrap();
        assert_eq!(Encoding::Zstd.text(long, 100).unwrap().len(), 101);
    }
}
