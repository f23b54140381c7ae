//! Documents and reports that are compressed: written so where the file's name ends in `.gz`
//! or `.zst`, and recognised by their first bytes when they are read.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::path::Path;

use flate2::Compression;
use flate2::read::MultiGzDecoder;
use flate2::write::GzEncoder;
use inscan_tar::Packing;

use super::Destination;

/// A document of a million files has less than a gigabyte.
const MAX_UNPACKED: u64 = 8 << 30;
/// A document of 199 MB has 28 MB then.
const ZSTD_LEVEL: i32 = 3;

/// Writes `content`, compressed as the name of the file says.
///
/// # Errors
/// Where `out` or `content` fails.
pub fn write(
    to: &Destination,
    out: &mut dyn Write,
    content: impl FnOnce(&mut dyn Write) -> io::Result<()>,
) -> io::Result<()> {
    let ending = match to {
        Destination::Stdout => None,
        Destination::File(path) => path.extension().and_then(|ending| ending.to_str()),
    };
    match ending {
        Some("gz") => {
            let mut packer = GzEncoder::new(out, Compression::default());
            content(&mut packer)?;
            packer.finish().map(drop)
        }
        Some("zst") => {
            let mut packer = zstd::Encoder::new(out, ZSTD_LEVEL)?;
            packer.include_checksum(true)?;
            content(&mut packer)?;
            packer.finish().map(drop)
        }
        _ => content(out),
    }
}

/// What is in a file, whether it is compressed or not.
///
/// # Errors
/// Where it cannot be read. What is damaged or unpacks to too much is an error of the reader.
pub fn reader<'a>(file: impl Read + 'a) -> io::Result<Box<dyn Read + 'a>> {
    let mut file = BufReader::with_capacity(1 << 16, file);
    let unpacked: Box<dyn Read> = match Packing::of(file.fill_buf()?) {
        Packing::Gzip => Box::new(MultiGzDecoder::new(file)),
        Packing::Zstd => Box::new(zstd::Decoder::with_buffer(file)?),
        _ => return Ok(Box::new(file)),
    };
    Ok(Box::new(Limited { unpacked, left: MAX_UNPACKED }))
}

/// As [`reader`], of a file that is in memory.
///
/// # Errors
/// Where it is damaged or unpacks to too much.
pub fn unpacked(file: Vec<u8>) -> io::Result<Vec<u8>> {
    if !matches!(Packing::of(&file), Packing::Gzip | Packing::Zstd) {
        return Ok(file);
    }
    let mut unpacked = Vec::new();
    reader(&*file)?.read_to_end(&mut unpacked)?;
    Ok(unpacked)
}

/// As [`reader`], of a file by its path.
///
/// # Errors
/// Where it cannot be opened or read.
pub fn open(path: &Path) -> io::Result<Box<dyn Read>> {
    reader(std::fs::File::open(path)?)
}

/// An error in place of more bytes than are left.
struct Limited<R> {
    unpacked: R,
    left: u64,
}

impl<R: Read> Read for Limited<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.unpacked.read(buffer)?;
        self.left = self.left.checked_sub(count as u64).ok_or_else(|| {
            io::Error::other(format!("it unpacks to more than {} GiB", MAX_UNPACKED >> 30))
        })?;
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_again_whatever_its_name_says() {
        for (name, start) in [
            ("a.json", &b"{\"a\""[..]),
            ("a.json.gz", b"\x1f\x8b"),
            ("a.json.zst", b"\x28\xb5\x2f\xfd"),
            ("gz", b"{\"a\""),
        ] {
            let mut file = Vec::new();
            let to = Destination::File(name.into());
            write(&to, &mut file, |out| out.write_all(b"{\"a\": 1}")).unwrap();
            assert!(file.starts_with(start), "{name}");
            let mut text = String::new();
            reader(&*file).unwrap().read_to_string(&mut text).unwrap();
            assert_eq!(text, "{\"a\": 1}", "{name}");
            assert_eq!(unpacked(file.clone()).unwrap(), b"{\"a\": 1}", "{name}");
            let cut = &file[..file.len() - 1];
            let is_whole = reader(cut).unwrap().read_to_end(&mut Vec::new()).is_ok();
            assert_eq!(is_whole, start[0] == b'{', "{name}");
        }
    }

    #[test]
    fn more_than_is_allowed_is_an_error() {
        let mut limited = Limited { unpacked: io::repeat(0), left: 10 };
        assert!(limited.read_exact(&mut [0; 10]).is_ok());
        let error = limited.read_exact(&mut [0; 1]).unwrap_err();
        assert!(error.to_string().contains("more than 8 GiB"));
    }
}
