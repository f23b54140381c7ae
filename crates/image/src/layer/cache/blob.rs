//! What is known of a blob, a layer as it is stored: enough to answer for it without
//! having a byte of it.

use std::io::{self, BufRead, Write};

use super::coding::{array, corrupt, count, number, put_bytes, put_count, put_number, text};
use crate::layer::Compression;
use crate::layer::scan::LayerScan;
use inscan_facts::digest::Digest;

const MAX_REMARK_LENGTH: usize = 4096;
const COMPRESSIONS: [Compression; 3] = [Compression::None, Compression::Gzip, Compression::Zstd];

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Blob {
    pub(super) size: u64,
    pub(super) compression: Compression,
    pub(super) diff_id: Digest,
    pub(super) remark: Option<String>,
}

impl Blob {
    pub(super) fn of(scan: &LayerScan) -> Self {
        Blob {
            size: scan.blob_size,
            compression: scan.compression,
            diff_id: scan.diff_id,
            remark: scan.blob_remark.clone(),
        }
    }

    pub(super) fn write(&self, to: &mut impl Write) -> io::Result<()> {
        let Blob { size, compression, diff_id, remark } = self;
        put_number(to, *size)?;
        put_count(to, COMPRESSIONS.iter().position(|it| it == compression).unwrap_or_default())?;
        to.write_all(&diff_id.0)?;
        put_count(to, usize::from(remark.is_some()))?;
        remark.iter().try_for_each(|remark| put_bytes(to, remark.as_bytes()))
    }

    pub(super) fn read(from: &mut impl BufRead) -> io::Result<Self> {
        let size = number(from)?;
        let compression = COMPRESSIONS.get(count(from, COMPRESSIONS.len())?);
        let compression = *compression.ok_or_else(|| corrupt("there is no such compression"))?;
        let diff_id = Digest(array(from)?);
        let remark = match count(from, 1)? {
            0 => None,
            _ => Some(text(from, MAX_REMARK_LENGTH)?),
        };
        match from.fill_buf()? {
            [] => Ok(Blob { size, compression, diff_id, remark }),
            _ => Err(corrupt("there is more than there should be")),
        }
    }
}
