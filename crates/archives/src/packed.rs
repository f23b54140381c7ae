//! Compressed bytes, decompressed as they are read, and counted.

use std::cell::Cell;
use std::io::{self, BufRead, Read};

use inscan_tar::Packing;

/// Windows of zstd and dictionaries of xz: a hostile file may ask for gigabytes.
const MAX_WINDOW_LOG: u32 = 27;
const MAX_XZ_KIB: u32 = 128 << 10;

/// What was compressed, from its beginning.
pub(crate) fn unpacked<'a>(
    packing: Packing,
    reader: Box<dyn BufRead + 'a>,
) -> io::Result<Box<dyn Read + 'a>> {
    Ok(match packing {
        Packing::Plain => Box::new(reader),
        Packing::Gzip => Box::new(flate2::bufread::MultiGzDecoder::new(reader)),
        Packing::Bzip2 => Box::new(bzip2::bufread::MultiBzDecoder::new(reader)),
        Packing::Xz => Box::new(lzma_rust2::XzReader::new_mem_limit(reader, true, MAX_XZ_KIB)),
        Packing::Zstd => {
            let mut decoder = zstd::stream::read::Decoder::with_buffer(reader)?;
            decoder.window_log_max(MAX_WINDOW_LOG)?;
            Box::new(decoder)
        }
    })
}

/// Takes what is read from an allowance that all have together.
pub(crate) struct Counted<'a, R> {
    pub(crate) reader: R,
    pub(crate) left: &'a Cell<u64>,
}

impl<R: Read> Read for Counted<'_, R> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let left = self.left.get();
        if left == 0 && !buf.is_empty() {
            return Err(io::Error::new(io::ErrorKind::QuotaExceeded, TOO_MUCH));
        }
        let most = buf.len().min(usize::try_from(left).unwrap_or(usize::MAX));
        let count = self.reader.read(&mut buf[..most])?;
        self.left.set(left - count as u64);
        Ok(count)
    }
}

/// Of an archive whose members are more than is read.
pub(crate) const TOO_MUCH: &str = "what is in it is more than is read";
