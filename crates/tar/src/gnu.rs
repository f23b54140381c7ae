//! The map of an old GNU sparse file: four fragments in its header, and 21 in each block that
//! follows it. The sizes of those blocks are in no header.

use crate::BLOCK;
use crate::error::Fault;
use crate::number::number;

/// Bytes of offset and length.
const PAIR: usize = 24;
/// Fragments of a block, and where it says whether another follows.
const IN_BLOCK: usize = 21 * PAIR;

/// Reads fragments up to the first whose offset begins with a NUL.
pub(crate) fn fragments(
    fields: &[u8],
    mut add: impl FnMut((i64, i64)) -> Result<(), Fault>,
) -> Result<(), Fault> {
    for pair in fields.chunks_exact(PAIR).take_while(|pair| pair[0] != 0) {
        let (offset, length) = pair.split_at(PAIR / 2);
        let (Some(offset), Some(length)) = (number(offset), number(length)) else {
            return Err(Fault::Map);
        };
        add((offset, length))?;
    }
    Ok(())
}

/// The fragments in a block behind the header, and whether another block follows.
pub(crate) fn extension(block: &[u8; BLOCK]) -> (&[u8], bool) {
    (&block[..IN_BLOCK], block[IN_BLOCK] != 0)
}
