//! Archives taken apart and put together by another tar than the program's own.

use std::collections::BTreeMap;
use std::io::Read;

use inscan_test_support::Inscan;
use inscan_test_support::oracle::parsed;
use serde_json::Value;

/// Members by name.
pub(super) fn members(archive: &[u8]) -> Vec<(String, Vec<u8>)> {
    let mut tar = tar::Archive::new(flate2::read::MultiGzDecoder::new(archive));
    let entries = tar.entries().unwrap();
    let member = |entry: Result<tar::Entry<'_, _>, _>| {
        let mut entry: tar::Entry<'_, _> = entry.unwrap();
        let name = entry.path().unwrap().to_string_lossy().into_owned();
        let mut content = Vec::new();
        entry.read_to_end(&mut content).unwrap();
        (name, content)
    };
    entries.map(member).collect()
}

pub(super) fn packed(members: &[(&str, &[u8])]) -> Vec<u8> {
    let gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    let mut tar = tar::Builder::new(gzip);
    for (name, content) in members {
        let mut header = tar::Header::new_ustar();
        header.set_size(content.len() as u64);
        header.set_mode(0o644);
        tar.append_data(&mut header, name, *content).unwrap();
    }
    tar.into_inner().unwrap().finish().unwrap()
}

/// All members but `analysis`, each as JSON.
pub(super) fn told(archive: &[u8]) -> BTreeMap<String, Value> {
    let parse = |(name, content): (String, Vec<u8>)| {
        let value =
            serde_json::from_slice(&content).unwrap_or_else(|error| panic!("{name}: {error}"));
        (name, parsed(value))
    };
    members(archive).into_iter().map(parse).collect()
}

pub(super) fn inscan(arguments: &[&str]) -> Inscan {
    let mut inscan = crate::inscan(arguments);
    inscan.env("INSCAN_NO_CACHE", "true").env("SOURCE_DATE_EPOCH", "1795343001");
    inscan
}
