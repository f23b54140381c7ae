//! Texts of a version resource: `ProductVersion`, `CompanyName` and so on.
//!
//! Resources are a tree of three levels (type, name, language); a version
//! resource is again a tree, of blocks with a length, a UTF-16 name and a value.
//! <https://learn.microsoft.com/windows/win32/menurc/vs-versioninfo>

use std::collections::BTreeMap;

use crate::parse::executable::Fields;
use crate::parse::executable::pe::Pe;
use crate::{Error, Result};

const VERSION: u64 = 16;
const MAX_RESOURCES: u64 = 1 << 20;
const MAX_TEXTS: usize = 1000;

/// `None` where there is no version resource.
pub(super) fn texts(pe: &Pe<'_>, resources: u64) -> Result<Option<BTreeMap<String, String>>> {
    let tree = pe.read(resources, MAX_RESOURCES)?;
    let tree = Fields { bytes: &tree, is_big_endian: false, is_wide: false };
    let Some(by_name) = child(tree, 0, Some(VERSION)) else { return Ok(None) };
    let entry = child(tree, by_name, None).and_then(|by_language| child(tree, by_language, None));
    let entry = entry.and_then(|at| Some((tree.number(at, 4)?, tree.number(at + 4, 4)?)));
    let Some((address, size)) = entry else {
        return Err(Error::new("version resource is damaged"));
    };
    let block = pe.read(address, size.min(MAX_RESOURCES))?;
    let mut texts = BTreeMap::new();
    blocks(&block, 0, &mut texts);
    Ok(Some(texts))
}

/// Where in the tree the first entry, or the one of an id, leads to.
fn child(tree: Fields<'_>, at: usize, id: Option<u64>) -> Option<usize> {
    let named = tree.number(at + 12, 2)?;
    let count = named + tree.number(at + 14, 2)?;
    for entry in 0..usize::try_from(count).ok()? {
        let entry = at + 16 + entry * 8;
        let (key, target) = (tree.number(entry, 4)?, tree.number(entry + 4, 4)?);
        if id.is_none_or(|id| id == key) {
            return usize::try_from(target & 0x7fff_ffff).ok();
        }
    }
    None
}

/// A block is length, length of the value, kind, name, value, and blocks within
/// it, all aligned to 4 bytes: `VS_VERSION_INFO` / `StringFileInfo` / language / text.
fn blocks(mut bytes: &[u8], depth: usize, texts: &mut BTreeMap<String, String>) {
    while bytes.len() >= 6 && texts.len() < MAX_TEXTS {
        let field = |at: usize| usize::from(u16::from_le_bytes([bytes[at], bytes[at + 1]]));
        let (len, value_len) = (field(0), field(2));
        let Some(block) = bytes.get(..len).filter(|block| block.len() >= 6) else { return };
        let (name, name_len) = utf16(&block[6..]);
        let value = block.get(aligned(6 + name_len)..).unwrap_or_default();
        match depth {
            0 => blocks(value.get(aligned(value_len)..).unwrap_or_default(), 1, texts),
            1 if name == "StringFileInfo" => blocks(value, 2, texts),
            2 => blocks(value, 3, texts),
            3 => {
                texts.entry(name).or_insert_with(|| utf16(value).0);
            }
            _ => {}
        }
        bytes = bytes.get(aligned(len)..).unwrap_or_default();
    }
}

fn aligned(len: usize) -> usize {
    len.next_multiple_of(4)
}

/// A text up to its NUL, and how many bytes both take.
fn utf16(bytes: &[u8]) -> (String, usize) {
    let units = bytes.chunks_exact(2).map(|unit| u16::from_le_bytes([unit[0], unit[1]]));
    let units: Vec<u16> = units.take_while(|&unit| unit != 0).collect();
    (String::from_utf16_lossy(&units), (units.len() + 1) * 2)
}

/// Makes small assemblies for tests.
#[cfg(test)]
pub(super) mod made {
    use crate::parse::executable::made::pe;

    fn block(name: &str, value: &[u8], value_len: usize) -> Vec<u8> {
        let mut block = vec![0, 0, value_len as u8, 0, 1, 0];
        block.extend(name.encode_utf16().chain([0]).flat_map(u16::to_le_bytes));
        block.resize(block.len().next_multiple_of(4), 0);
        block.extend(value);
        let len = block.len() as u16;
        block[..2].copy_from_slice(&len.to_le_bytes());
        block.resize(block.len().next_multiple_of(4), 0);
        block
    }

    pub(in crate::language::dotnet) fn assembly(
        texts: &[(&str, &str)],
        is_managed: bool,
    ) -> Vec<u8> {
        let texts: Vec<u8> = texts
            .iter()
            .flat_map(|(name, value)| {
                let value: Vec<u8> =
                    value.encode_utf16().chain([0]).flat_map(u16::to_le_bytes).collect();
                block(name, &value, value.len() / 2)
            })
            .collect();
        let table = block("000004b0", &texts, 0);
        let info = [vec![0; 52], block("StringFileInfo", &table, 0)].concat();
        let info = block("VS_VERSION_INFO", &info, 52);

        let directory = |id: u8, target: u32| {
            let mut level = vec![0; 14];
            level.extend([1, 0, id, 0, 0, 0]);
            level.extend(target.to_le_bytes());
            level
        };
        let mut tree = directory(16, 0x8000_0018);
        tree.extend(directory(1, 0x8000_0030));
        tree.extend(directory(0, 0x48));
        tree.extend(0x1058u32.to_le_bytes());
        tree.extend((info.len() as u32).to_le_bytes());
        tree.extend([0; 8]);
        tree.extend(info);

        let mut file = pe(&[(".rsrc", &tree)]);
        let directories = 0x40 + 24 + 112;
        let mut set = |directory: usize, address: u32| {
            let at = directories + directory * 8;
            file[at..at + 4].copy_from_slice(&address.to_le_bytes());
            file[at + 4] = 1;
        };
        set(2, 0x1000);
        if is_managed {
            set(14, 0x1000);
        }
        file
    }
}
