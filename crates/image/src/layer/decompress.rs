//! Blob to tar: the compression is seen from the first bytes, whatever the media
//! type claims, and the blob is hashed while it is read.

use std::io::{self, BufRead, Read};
use std::time::{Duration, Instant};

use inscan_tar::Packing;

use super::scan::Compression;
use inscan_facts::digest::{BlobDigest, BlobHash, Digest, Sha256};

const BUFFER: usize = 256 << 10;
/// Windows of zstd up to 512 MiB are read, as engines do, which refuse longer ones
/// (<https://github.com/klauspost/compress/tree/master/zstd>). Only what a layer fills of it is memory.
pub(crate) const MAX_ZSTD_WINDOW_LOG: u32 = 29;

/// What a blob was.
pub(super) struct Finished {
    pub(super) digest: Digest,
    /// Where it was asked for.
    pub(super) sha512: Option<BlobDigest>,
    pub(super) size: u64,
    /// Something follows its end.
    pub(super) remark: Option<String>,
    /// For its bytes.
    pub(super) waited: Duration,
}

/// A blob being read.
pub(super) struct Blob<'a> {
    decoder: Decoder<'a>,
    pub(super) compression: Compression,
}

enum Decoder<'a> {
    None(Box<Stored<'a>>),
    Gzip(Box<Gzip<'a>>),
    Zstd(Box<zstd::stream::read::Decoder<'static, Stored<'a>>>),
}

impl<'a> Blob<'a> {
    /// `advance` is told of every stored byte that is read.
    pub(super) fn new(
        reader: Box<dyn Read + Send + 'a>,
        advance: Box<dyn Fn(u64) + Send + 'a>,
    ) -> io::Result<Self> {
        Self::hashed(reader, None, advance)
    }

    /// The same, with a digest that is taken beside that of sha256.
    pub(super) fn hashed(
        reader: Box<dyn Read + Send + 'a>,
        sha512: Option<BlobHash>,
        advance: Box<dyn Fn(u64) + Send + 'a>,
    ) -> io::Result<Self> {
        let mut stored = Stored { sha512, ..Stored::new(reader, advance) };
        let start = stored.peek(Packing::START_LEN)?;
        let compression = compression(start)?;
        let decoder = match compression {
            Compression::None => Decoder::None(Box::new(stored)),
            Compression::Gzip => {
                Decoder::Gzip(Box::new(Gzip::Member(flate2::bufread::GzDecoder::new(stored))))
            }
            Compression::Zstd => {
                let mut decoder = zstd::stream::read::Decoder::with_buffer(stored)?;
                decoder.window_log_max(MAX_ZSTD_WINDOW_LOG)?;
                Decoder::Zstd(Box::new(decoder))
            }
        };
        Ok(Blob { decoder, compression })
    }

    /// How many stored bytes were read.
    pub(super) fn stored(&self) -> u64 {
        match &self.decoder {
            Decoder::None(stored) => stored.count,
            Decoder::Zstd(decoder) => decoder.get_ref().count,
            Decoder::Gzip(gzip) => match &**gzip {
                Gzip::Member(decoder) => decoder.get_ref().count,
                Gzip::Ended(stored) => stored.count,
                Gzip::Between => 0,
            },
        }
    }

    /// Reads what is left of the blob, and says what it was.
    pub(super) fn finish(self) -> io::Result<Finished> {
        let (mut stored, remark) = match self.decoder {
            Decoder::None(stored) => (*stored, None),
            Decoder::Zstd(decoder) => (decoder.finish(), None),
            Decoder::Gzip(gzip) => match *gzip {
                Gzip::Member(decoder) => (decoder.into_inner(), None),
                Gzip::Ended(mut stored) => {
                    let more = !stored.peek(1)?.is_empty();
                    let remark = "bytes that are not gzip follow its compressed data";
                    (stored, more.then(|| remark.to_owned()))
                }
                Gzip::Between => return Err(io::Error::other("read on after an error")),
            },
        };
        io::copy(&mut stored, &mut io::sink())?;
        let Stored { sha256, sha512, count: size, waited, .. } = stored;
        let sha512 = sha512.map(BlobHash::finish);
        Ok(Finished { digest: sha256.finish(), sha512, size, remark, waited })
    }
}

impl Read for Blob<'_> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        match &mut self.decoder {
            Decoder::None(stored) => stored.read(buf),
            Decoder::Gzip(gzip) => gzip.read(buf),
            Decoder::Zstd(decoder) => decoder.read(buf),
        }
    }
}

pub(super) fn compression(start: &[u8]) -> io::Result<Compression> {
    let unsupported = match Packing::of(start) {
        Packing::Plain => return Ok(Compression::None),
        Packing::Gzip => return Ok(Compression::Gzip),
        Packing::Zstd => return Ok(Compression::Zstd),
        Packing::Bzip2 => "bzip2",
        Packing::Xz => "xz",
    };
    let message = format!(
        "compressed with {unsupported}, which no image specification allows; \
         repack the image with gzip or zstd layers"
    );
    Err(io::Error::new(io::ErrorKind::Unsupported, message))
}

/// A gzip stream of any number of members.
#[expect(clippy::large_enum_variant, reason = "there is one for each layer in flight")]
enum Gzip<'a> {
    Member(flate2::bufread::GzDecoder<Stored<'a>>),
    /// The last member is read; nothing follows, or something else.
    Ended(Stored<'a>),
    Between,
}

impl Read for Gzip<'_> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        loop {
            let Gzip::Member(decoder) = self else { return Ok(0) };
            let count = decoder.read(buf)?;
            if count > 0 || buf.is_empty() {
                return Ok(count);
            }
            let Gzip::Member(decoder) = std::mem::replace(self, Gzip::Between) else {
                return Ok(0);
            };
            let mut stored = decoder.into_inner();
            *self = match Packing::of(stored.peek(2)?) {
                Packing::Gzip => Gzip::Member(flate2::bufread::GzDecoder::new(stored)),
                _ => Gzip::Ended(stored),
            };
        }
    }
}

/// The blob as stored: counted and hashed as it is read from its source.
struct Stored<'a> {
    reader: Box<dyn Read + Send + 'a>,
    advance: Box<dyn Fn(u64) + Send + 'a>,
    buffer: Box<[u8]>,
    start: usize,
    end: usize,
    sha256: Sha256,
    sha512: Option<BlobHash>,
    count: u64,
    waited: Duration,
}

impl<'a> Stored<'a> {
    fn new(reader: Box<dyn Read + Send + 'a>, advance: Box<dyn Fn(u64) + Send + 'a>) -> Self {
        let buffer = vec![0; BUFFER].into_boxed_slice();
        Stored {
            reader,
            advance,
            buffer,
            start: 0,
            end: 0,
            sha256: Sha256::new(),
            sha512: None,
            count: 0,
            waited: Duration::ZERO,
        }
    }

    /// The next bytes, up to `count` of them: fewer only at the end.
    fn peek(&mut self, count: usize) -> io::Result<&[u8]> {
        while self.end - self.start < count {
            self.buffer.copy_within(self.start..self.end, 0);
            self.end -= self.start;
            self.start = 0;
            if !self.fill()? {
                break;
            }
        }
        Ok(&self.buffer[self.start..self.end.min(self.start + count)])
    }

    /// Reads more behind what is there; false at the end.
    fn fill(&mut self) -> io::Result<bool> {
        let begun = Instant::now();
        let count = loop {
            match self.reader.read(&mut self.buffer[self.end..]) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                result => break result?,
            }
        };
        self.waited += begun.elapsed();
        let read = &self.buffer[self.end..self.end + count];
        self.sha256.update(read);
        if let Some(sha512) = &mut self.sha512 {
            sha512.update(read);
        }
        self.end += count;
        self.count += count as u64;
        (self.advance)(count as u64);
        Ok(count > 0)
    }
}

impl BufRead for Stored<'_> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        if self.start == self.end {
            (self.start, self.end) = (0, 0);
            self.fill()?;
        }
        Ok(&self.buffer[self.start..self.end])
    }

    fn consume(&mut self, count: usize) {
        self.start = (self.start + count).min(self.end);
    }
}

impl Read for Stored<'_> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let available = self.fill_buf()?;
        let count = available.len().min(buf.len());
        buf[..count].copy_from_slice(&available[..count]);
        self.consume(count);
        Ok(count)
    }
}
