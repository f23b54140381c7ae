//! Texts behind their length, as Go and .NET write them into programs.

/// A text behind its length, which is written in groups of seven bits, and what follows it.
pub(crate) fn text(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let mut len = 0u64;
    for (at, byte) in bytes.iter().enumerate().take(9) {
        len |= u64::from(byte & 0x7f) << (7 * at);
        if byte & 0x80 == 0 {
            let rest = &bytes[at + 1..];
            return rest.split_at_checked(usize::try_from(len).ok()?);
        }
    }
    None
}
