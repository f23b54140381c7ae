//! The public sources of data, which an update asks where none is named. Their addresses and
//! licences are data: `public-sources.json`.

use serde::Deserialize;

/// A public source.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Public {
    pub name: String,
    pub address: String,
    /// What it has.
    pub holds: String,
    /// As its publisher states it.
    pub licence: String,
}

#[derive(Deserialize)]
struct File {
    sources: Vec<Public>,
}

/// All of them, in order.
pub fn sources() -> Vec<Public> {
    let file: File = serde_json::from_str(include_str!("../public-sources.json"))
        .expect("the file is a part of the program, and a test reads it");
    file.sources
}

/// The addresses to ask. Of a bucket only these ecosystems, where some are named; all of them
/// below `mirror`, where one is named, each at its host and path.
pub fn addresses(ecosystems: &[String], mirror: Option<&str>) -> Vec<String> {
    let all = sources().into_iter().flat_map(|source| {
        let address = source.address;
        match address.ends_with('/') && !ecosystems.is_empty() {
            true => ecosystems.iter().map(|name| format!("{address}{name}/all.zip")).collect(),
            false => vec![address],
        }
    });
    all.map(|address| match mirror {
        Some(mirror) => {
            let place = address.strip_prefix("https://").unwrap_or(&address);
            format!("{}/{place}", mirror.trim_end_matches('/'))
        }
        None => address,
    })
    .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_source_is_safe_to_ask_and_states_its_licence() {
        let all = sources();
        assert!(all.len() > 5);
        for source in &all {
            assert!(source.address.starts_with("https://"), "{source:?}");
            assert!(!source.licence.is_empty() && !source.holds.is_empty(), "{source:?}");
        }
    }

    #[test]
    fn ecosystems_and_a_mirror_change_what_is_asked() {
        let some =
            addresses(&["PyPI".to_owned(), "npm".to_owned()], Some("http://mirror.example/"));
        let bucket = "http://mirror.example/storage.googleapis.com/osv-vulnerabilities";
        assert_eq!(some[..2], [format!("{bucket}/PyPI/all.zip"), format!("{bucket}/npm/all.zip")]);
        assert!(some[2].starts_with("http://mirror.example/www.cisa.gov/"));
        assert_eq!(addresses(&[], None)[0], sources()[0].address);
    }
}
