//! Numbers, texts and lists in a stream of bytes. What is read may be damaged: every
//! length has a limit, and memory grows with the bytes that are there, not with those
//! that are promised.

use std::io::{self, BufRead, Read, Write};

/// Memory for a list or text before its first byte is there.
const AHEAD: usize = 64 << 10;

/// It is not what we wrote.
pub(super) fn corrupt(what: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what)
}

/// Numbers are written seven bits a byte, the lowest first (LEB128).
pub(super) fn put_number(to: &mut impl Write, number: impl Into<u64>) -> io::Result<()> {
    let mut rest = number.into();
    let mut bytes = [0; 10];
    let mut len = 0;
    loop {
        bytes[len] = rest as u8 & 0x7f;
        rest >>= 7;
        len += 1;
        if rest == 0 {
            return to.write_all(&bytes[..len]);
        }
        bytes[len - 1] |= 0x80;
    }
}

pub(super) fn put_count(to: &mut impl Write, count: usize) -> io::Result<()> {
    put_number(to, count as u64)
}

pub(super) fn put_bytes(to: &mut impl Write, bytes: &[u8]) -> io::Result<()> {
    put_count(to, bytes.len())?;
    to.write_all(bytes)
}

/// A number that fits into its type.
pub(super) fn number<N: TryFrom<u64>>(from: &mut impl BufRead) -> io::Result<N> {
    let mut number = 0u64;
    for shift in (0..64).step_by(7) {
        let [byte] = array(from)?;
        let bits = u64::from(byte & 0x7f);
        if bits << shift >> shift != bits {
            break;
        }
        number |= bits << shift;
        if byte & 0x80 == 0 {
            return N::try_from(number).map_err(|_| corrupt("a number is too large"));
        }
    }
    Err(corrupt("a number is too large"))
}

/// A count of at most so many.
pub(super) fn count(from: &mut impl BufRead, most: usize) -> io::Result<usize> {
    number(from).and_then(|count| match count <= most {
        true => Ok(count),
        false => Err(corrupt("there are too many of something")),
    })
}

pub(super) fn array<const N: usize>(from: &mut impl BufRead) -> io::Result<[u8; N]> {
    let mut bytes = [0; N];
    from.read_exact(&mut bytes)?;
    Ok(bytes)
}

/// As many bytes as are said to follow.
pub(super) fn exactly(from: &mut impl BufRead, len: usize) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::with_capacity(len.min(AHEAD));
    from.by_ref().take(len as u64).read_to_end(&mut bytes)?;
    match bytes.len() == len {
        true => Ok(bytes),
        false => Err(io::ErrorKind::UnexpectedEof.into()),
    }
}

pub(super) fn bytes(from: &mut impl BufRead, most: usize) -> io::Result<Vec<u8>> {
    let len = count(from, most)?;
    exactly(from, len)
}

pub(super) fn text(from: &mut impl BufRead, most: usize) -> io::Result<String> {
    String::from_utf8(bytes(from, most)?).map_err(|_| corrupt("a text is not UTF-8"))
}

/// A list whose memory is taken as it fills.
pub(super) fn list<R: BufRead, T>(
    from: &mut R,
    count: usize,
    mut item: impl FnMut(&mut R) -> io::Result<T>,
) -> io::Result<Vec<T>> {
    let mut list = Vec::with_capacity(count.min(AHEAD / size_of::<T>().max(1)));
    for _ in 0..count {
        list.push(item(from)?);
    }
    // Lists live as long as the scan: what doubling took too much goes back.
    list.shrink_to_fit();
    Ok(list)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_read_back_and_larger_ones_are_refused() {
        for expected in [0, 1, 127, 128, 300, u64::from(u32::MAX), u64::MAX - 1, u64::MAX] {
            let mut written = Vec::new();
            put_number(&mut written, expected).unwrap();
            assert_eq!(number::<u64>(&mut &written[..]).unwrap(), expected);
            let fits = u32::try_from(expected).is_ok();
            assert_eq!(number::<u32>(&mut &written[..]).is_ok(), fits);
            let cut = &written[..written.len() - 1];
            assert!(number::<u64>(&mut &cut[..]).is_err());
        }
        assert!(number::<u64>(&mut &[0xff; 20][..]).is_err());
        assert!(
            number::<u64>(&mut &[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 2][..])
                .is_err()
        );
    }

    #[test]
    fn a_promised_length_takes_no_memory() {
        let mut written = Vec::new();
        put_count(&mut written, usize::MAX).unwrap();
        assert!(bytes(&mut &written[..], usize::MAX).is_err());
        assert!(list(&mut &b"ab"[..], usize::MAX, array::<1>).is_err());
    }
}
