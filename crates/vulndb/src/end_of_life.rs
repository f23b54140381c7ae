//! Until when releases are cared for: endoflife.date's JSON (all products in
//! one object, or one product a file), and Debian's distro-info tables.

use jiff::civil::Date;
use serde_json::Value;

use super::facts::EndOfLife;
use super::json::{day, list, text_of};

/// A product (as os-release names distributions), and one release of it.
pub(super) type Entry = (String, EndOfLife);

/// endoflife.date's names that are others in os-release:
/// <https://endoflife.date/tags/os>, <https://www.freedesktop.org/software/systemd/man/latest/os-release.html>.
const OS_RELEASE_IDS: &[(&str, &str)] = &[
    ("alpine-linux", "alpine"),
    ("amazon-linux", "amzn"),
    ("azure-linux", "azurelinux"),
    ("opensuse", "opensuse-leap"),
    ("oracle-linux", "ol"),
    ("rocky-linux", "rocky"),
];

pub(super) fn is_products(value: &Value) -> bool {
    let holds_releases = |value: &Value| {
        value.as_array().is_some_and(|list| list.iter().any(|entry| cycle(entry).is_some()))
    };
    holds_releases(value)
        || value.as_object().is_some_and(|map| map.values().any(holds_releases))
        || value.get("result").is_some_and(|result| result.get("releases").is_some())
        || is_full(value)
}

/// All products in one list, as version 1 of the API has it.
fn is_full(value: &Value) -> bool {
    list(value, "result").iter().any(|product| product.get("releases").is_some())
}

/// `file` is the file's name without its ending: a product where the content does not say it.
pub(super) fn entries(value: &Value, file: &str) -> Vec<Entry> {
    if let Some(result) = value.get("result").filter(|result| result.get("releases").is_some()) {
        let product = text_of(result, "name").unwrap_or_else(|| file.to_owned());
        return product_entries(&product, list(result, "releases"));
    }
    if is_full(value) {
        let products = list(value, "result").iter();
        let named = products.filter_map(|product| Some((text_of(product, "name")?, product)));
        return named
            .flat_map(|(name, product)| product_entries(&name, list(product, "releases")))
            .collect();
    }
    match value {
        Value::Array(releases) => product_entries(file, releases),
        Value::Object(products) => products
            .iter()
            .filter_map(|(product, releases)| Some(product_entries(product, releases.as_array()?)))
            .flatten()
            .collect(),
        _ => Vec::new(),
    }
}

fn cycle(entry: &Value) -> Option<String> {
    let dated =
        ["eol", "eolFrom", "isEol", "releaseDate"].iter().any(|field| entry.get(field).is_some());
    let name = ["releaseCycle", "cycle", "name"].iter().find_map(|field| text_of(entry, field))?;
    dated.then_some(name)
}

fn product_entries(product: &str, releases: &[Value]) -> Vec<Entry> {
    let known = OS_RELEASE_IDS.iter().find(|(theirs, _)| *theirs == product);
    let product = known.map_or(product, |(_, ours)| ours);
    let release = |entry: &Value| {
        let date = |field: &str| entry.get(field)?.as_str().and_then(day);
        let flag = |field: &str| entry.get(field).and_then(Value::as_bool);
        let release = EndOfLife {
            release: cycle(entry)?,
            codename: text_of(entry, "codename"),
            released: date("releaseDate"),
            ends: date("eol").or_else(|| date("eolFrom")),
            ended: flag("eol").or_else(|| flag("isEol")),
            extended: date("eoes").or_else(|| date("extendedSupport")).or_else(|| date("eoesFrom")),
        };
        Some((product.to_owned(), release))
    };
    releases.iter().filter_map(release).collect()
}

pub(super) fn is_distro_info(text: &str) -> bool {
    text.lines().next().is_some_and(|line| {
        ["version,", ",series,", ",release,", ",eol"].iter().all(|part| line.contains(part))
    })
}

/// A table of distro-info-data. Which distribution it is of, its columns tell.
pub(super) fn distro_info(text: &str) -> Vec<Entry> {
    let mut lines = text.lines();
    let columns: Vec<&str> = lines.next().unwrap_or_default().trim().split(',').collect();
    let at = |name: &str| columns.iter().position(|column| *column == name);
    let is_ubuntu = at("eol-server").or_else(|| at("eol-esm")).is_some();
    let product = if is_ubuntu { "ubuntu" } else { "debian" };
    let extended = if is_ubuntu { at("eol-esm") } else { at("eol-lts") };
    let entry = |line: &str| {
        let cells: Vec<&str> = line.trim().split(',').collect();
        let cell = |at: Option<usize>| cells.get(at?).copied().filter(|cell| !cell.is_empty());
        let date = |at: Option<usize>| -> Option<Date> { cell(at).and_then(day) };
        // `26.04 LTS`; what has no version yet, or never, goes by its series.
        let version = cell(at("version")).map(|version| version.trim_end_matches(" LTS"));
        let release = EndOfLife {
            release: version.or_else(|| cell(at("series")))?.to_owned(),
            codename: cell(at("codename")).map(str::to_owned),
            released: date(at("release")),
            ends: date(at("eol")),
            ended: None,
            extended: date(extended),
        };
        Some((product.to_owned(), release))
    };
    lines.filter_map(entry).collect()
}

/// What two sources say of the same release: the first one's word, and the other's where it has none.
pub(super) fn merge(first: EndOfLife, other: EndOfLife) -> EndOfLife {
    EndOfLife {
        release: first.release,
        codename: first.codename.or(other.codename),
        released: first.released.or(other.released),
        ends: first.ends.or(other.ends),
        ended: first.ended.or(other.ended),
        extended: first.extended.or(other.extended),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn dates(entry: &Entry) -> String {
        let (product, release) = entry;
        let text = |date: Option<Date>| date.map_or_else(|| "-".into(), |date| date.to_string());
        format!(
            "{product} {} {} {} {:?}",
            release.release,
            text(release.ends),
            text(release.extended),
            release.ended
        )
    }

    #[test]
    fn reads_every_form_of_endoflife_date() {
        let all = json!({ "alpine-linux": [{ "releaseCycle": "3.24", "eol": "2028-06-01T00:00:00Z" }],
                          "nginx": [{ "releaseCycle": "1.31", "eol": false }], "other": "x" });
        let one = json!([{ "cycle": 12, "eol": "2026-06-10", "extendedSupport": "2028-06-30" }]);
        let newer = json!({ "result": { "name": "rocky-linux",
            "releases": [{ "name": "9", "isEol": true, "eolFrom": "2032-05-31" }] } });
        for (value, expected) in [
            (all, vec!["alpine 3.24 2028-06-01 - None", "nginx 1.31 - - Some(false)"]),
            (one, vec!["debian 12 2026-06-10 2028-06-30 None"]),
            (newer, vec!["rocky 9 2032-05-31 - Some(true)"]),
        ] {
            assert!(is_products(&value), "{value}");
            let found: Vec<String> = entries(&value, "debian").iter().map(dates).collect();
            assert_eq!(found, expected);
        }
        assert!(!is_products(&json!({ "a": [1, 2] })) && !is_products(&json!([{ "name": "x" }])));
    }

    #[test]
    fn reads_distro_info() {
        let debian = "version,codename,series,created,release,eol,eol-lts,eol-elts\n\
                      12,Bookworm,bookworm,2021-08-14,2023-06-10,2026-07-11,2028-06-30,2033-06-30\n\
                      ,Sid,sid,1993-08-16\n";
        let ubuntu = "version,codename,series,created,release,eol,eol-server,eol-esm,eol-legacy\n\
                      26.04 LTS,Resolute Raccoon,resolute,2025-10-09,2026-04-23,2031-05-29,2031-05-29,2036-04-23\n";
        assert!(is_distro_info(debian) && is_distro_info(ubuntu) && !is_distro_info("version\n"));
        let found: Vec<String> = distro_info(debian).iter().map(dates).collect();
        assert_eq!(found, ["debian 12 2026-07-11 2028-06-30 None", "debian sid - - None"]);
        let found: Vec<String> = distro_info(ubuntu).iter().map(dates).collect();
        assert_eq!(found, ["ubuntu 26.04 2031-05-29 2036-04-23 None"]);
    }
}
