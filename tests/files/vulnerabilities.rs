//! Findings that were checked by hand against the advisories, on the real data in
//! `../shared/osv.tar`.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use inscan_test_support::need_shared;
use serde_json::{Value, json};

/// Package, version, and the finding that its advisory gives: read in the advisory itself, by
/// its id, before this table was written.
const BY_HAND: &[(&str, &str, &str, &str, &str)] = &[
    ("Django", "3.2.0", "PYSEC-2021-439", "CVE-2021-44420", "3.2.10"),
    ("Django", "3.2.0", "PYSEC-2021-98", "CVE-2021-33203", "3.2.4"),
    ("requests", "2.19.1", "PYSEC-2018-28", "CVE-2018-18074", "2.20.0"),
    ("urllib3", "1.23", "PYSEC-2019-133", "CVE-2019-11324", "1.24.2"),
    ("PyYAML", "5.3", "PYSEC-2020-96", "CVE-2020-1747", "5.3.1"),
    ("Jinja2", "2.11.0", "PYSEC-2021-66", "CVE-2020-28493", "2.11.3"),
    ("Pillow", "9.3.0", "PYSEC-2023-227", "CVE-2023-44271", "10.0.0"),
    ("Werkzeug", "2.0.0", "PYSEC-2023-221", "CVE-2023-46136", "2.3.8"),
    ("lxml", "4.9.2", "PYSEC-2026-87", "CVE-2026-41066", "6.1.0"),
    ("cryptography", "38.0.1", "PYSEC-2024-225", "CVE-2024-26130", "42.0.4"),
    // A binary package of the source package glibc, which the advisory names.
    ("libc6", "2.36-9+deb12u2", "DEBIAN-CVE-2023-4911", "CVE-2023-4911", "2.36-9+deb12u3"),
];

/// The same packages in the version that the advisory calls fixed.
const FIXED: &[(&str, &str, &str)] = &[
    ("Django", "3.2.10", "CVE-2021-44420"),
    ("requests", "2.20.0", "CVE-2018-18074"),
    ("Werkzeug", "2.3.8", "CVE-2023-46136"),
    ("libc6", "2.36-9+deb12u3", "CVE-2023-4911"),
];

#[test]
fn findings_are_those_that_were_read_in_the_advisories() {
    let Some(data) = data() else { return };
    let affected = BY_HAND.iter().map(|(name, version, ..)| (*name, *version));
    let found = evaluated(data.path(), affected);
    for (name, version, advisory, id, fixed) in BY_HAND {
        let is_it = |finding: &&Value| {
            finding["id"] == *id
                && finding["package"]["name"] == *name
                && finding["package"]["version"] == *version
        };
        let finding = found["findings"].as_array().unwrap().iter().find(is_it);
        let finding = finding.unwrap_or_else(|| panic!("no {id} in {name} {version}"));
        assert_eq!(finding["upgrade"], *fixed, "{id} in {name} {version}");
        let advisories = finding["advisories"].as_array().unwrap();
        assert!(advisories.iter().any(|one| one["id"] == *advisory), "{advisories:?}");
    }
    // Known to be exploited since that day, by CISA's catalogue.
    let findings = found["findings"].as_array().unwrap();
    let glibc = findings.iter().find(|finding| finding["id"] == "CVE-2023-4911").unwrap();
    assert_eq!(glibc["kev"]["added"], "2023-11-21");

    let found = evaluated(data.path(), FIXED.iter().map(|(name, version, _)| (*name, *version)));
    for (name, version, id) in FIXED {
        let findings = found["findings"].as_array().unwrap();
        let still = findings
            .iter()
            .find(|finding| finding["id"] == *id && finding["package"]["version"] == *version);
        assert!(still.is_none(), "{id} in {name} {version}: {still:?}");
    }
}

/// A folder with a database of what is needed, or nothing where the data is not there.
fn data() -> Option<tempfile::TempDir> {
    let tar = File::open(need_shared("osv.tar")?).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let mut archive = tar::Archive::new(tar);
    for entry in archive.entries().unwrap() {
        let mut entry = entry.unwrap();
        let path = entry.path().unwrap().to_string_lossy().trim_start_matches("./").to_owned();
        let wanted = ["PyPI/all.zip", "Debian/all.zip", "raw/cisa-kev.json.gz"];
        if let Some(wanted) = wanted.iter().find(|wanted| path.ends_with(*wanted)) {
            let to: PathBuf = folder.path().join("from").join(wanted);
            std::fs::create_dir_all(to.parent().unwrap()).unwrap();
            let mut content = Vec::new();
            entry.read_to_end(&mut content).unwrap();
            std::fs::write(to, content).unwrap();
        }
    }
    let mut build = crate::inscan(&["db", "build", "--from"]);
    build.arg(folder.path().join("from"));
    build.arg("-o").arg(folder.path().join("vulnerabilities.db")).run().ends(0);
    Some(folder)
}

/// The evaluation of a Debian 12 image with these packages.
fn evaluated<'a>(folder: &Path, packages: impl Iterator<Item = (&'a str, &'a str)>) -> Value {
    let row = |(name, version): (&str, &str)| {
        let is_os = name.starts_with("lib");
        let kind = if is_os { "deb" } else { "pypi" };
        json!({
            "type": kind, "name": name, "version": version,
            "purl": format!("pkg:{kind}/{}@{version}", name.to_lowercase()),
            "source": if is_os { json!({"name": "glibc"}) } else { Value::Null },
            "licences": [], "analyzer": "test", "location": "opt/x", "files": 0,
            "evidence": if is_os { "installed-db" } else { "installed-package" },
        })
    };
    let document = json!({"inscan": {
        "format": "1.0",
        "tool": {"name": "test", "version": "1", "analyzers": []},
        "image": {
            "source": "", "reference": "localbuild/test:1", "names": [], "id": "", "digest": "",
            "config": {}, "history": [],
        },
        "layers": [],
        "distribution": {"id": "debian", "version": "12", "like": [], "location": "etc/os-release"},
        "packages": packages.map(row).collect::<Vec<_>>(),
        "files": [], "set_id_files": [], "secrets": [], "searches": [], "retrieved_files": [],
        "problems": [], "skipped": {"count": 0, "files": []}, "run": {"started": ""},
    }});
    let file = folder.join("document.json");
    std::fs::write(&file, document.to_string()).unwrap();
    let mut evaluate = crate::inscan(&["evaluate", "-o", "json"]);
    evaluate.arg(&file).arg("--db").arg(folder.join("vulnerabilities.db")).run().ends(0).json()
}
