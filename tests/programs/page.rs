//! The page with more findings than a bad image has: its size, its form, and, where there is
//! a browser, what a person sees of it.

#![allow(clippy::print_stderr, reason = "figures for who runs it with --nocapture")]

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use inscan_test_support::{DEMO_DAY, need, skipped};
use serde_json::{Value, json};

const ADVISORIES: usize = 250;
const PACKAGES: usize = 20;

/// Bytes of a page for each finding: what one says of itself has an end.
const MAX_A_FINDING: u64 = 3 << 10;

/// Advisories as long as real ones are, each for packages of its own: 5,000 findings.
fn database(folder: &Path) -> String {
    let records = (0..ADVISORIES).map(|number| {
        let affected = (0..PACKAGES).map(|package| {
            json!({
                "package": {"ecosystem": "npm", "name": name(number, package)},
                "ranges": [{"type": "SEMVER", "events": [{"introduced": "0"}, {"fixed": "2.0.1"}]}],
            })
        });
        let record = json!({
            "id": format!("GHSA-made-up00-{number:04}"),
            "modified": "2025-11-21T00:00:00Z",
            "published": "2025-11-20T00:00:00Z",
            "aliases": [format!("CVE-2099-{}", 20_000 + number)],
            "summary": format!("A made-up way to have <b>number {number}</b> & \"more\" be read"),
            "details": "It is long. ".repeat(200),
            "severity": [{"type": "CVSS_V3",
                "score": "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H"}],
            "affected": affected.collect::<Vec<_>>(),
            "references": (0..8).map(|page| json!({"type": "WEB",
                "url": format!("https://advisories.example/{number}/{page}")})).collect::<Vec<_>>(),
            "database_specific": {"cwe_ids": ["CWE-79", "CWE-89"]},
        });
        (number, record)
    });
    let from = folder.join("from");
    fs::create_dir_all(&from).unwrap();
    for (number, record) in records {
        fs::write(from.join(format!("{number}.json")), record.to_string()).unwrap();
    }
    let database = folder.join("made-up.db");
    let build = ["db", "build", "-q", "--from", text(&from), "-o", text(&database)];
    crate::inscan(&build).run().ends(0);
    text(&database).to_owned()
}

fn name(advisory: usize, package: usize) -> String {
    format!("made-up-{advisory}-{package}")
}

fn document(folder: &Path) -> String {
    let packages = (0..ADVISORIES * PACKAGES).map(|number| {
        let name = name(number / PACKAGES, number % PACKAGES);
        json!({
            "type": "npm", "name": name, "version": "1.4.2", "purl": format!("pkg:npm/{name}@1.4.2"),
            "licences": [], "analyzer": "node", "evidence": "installed-package", "files": 0,
            "location": format!("srv/app/node_modules/{name}/package.json"), "layer": 0,
        })
    });
    let document = json!({"inscan": {
        "format": "1.0",
        "tool": {"name": "test", "version": "1", "analyzers": []},
        "image": {
            "source": "", "reference": "registry.example/much:1", "names": [], "id": "",
            "digest": "", "config": {}, "history": [],
        },
        "layers": [],
        "packages": packages.collect::<Vec<_>>(),
        "files": [], "set_id_files": [], "secrets": [], "searches": [], "retrieved_files": [],
        "problems": [], "skipped": {"count": 0, "files": []}, "run": {"started": ""},
    }});
    let path = folder.join("much.json");
    fs::write(&path, document.to_string()).unwrap();
    text(&path).to_owned()
}

#[test]
fn a_page_of_5000_findings_is_bounded_and_opens() {
    let folder = tempfile::tempdir().unwrap();
    let (database, document) = (database(folder.path()), document(folder.path()));
    let page = folder.path().join("much.html");
    let output = format!("html={}", text(&page));
    let begun = Instant::now();
    let evaluate = ["evaluate", "-q", &document, "--db", &database, "-o", &output];
    let mut evaluate = crate::inscan(&evaluate);
    evaluate.env("SOURCE_DATE_EPOCH", DEMO_DAY);
    evaluate.run().ends(0);
    let written = begun.elapsed();
    let content = fs::read_to_string(&page).unwrap();
    let findings = ADVISORIES * PACKAGES;
    assert_eq!(findings, 5000);
    let size = content.len() as u64;
    eprintln!("{findings} findings: {size} bytes of HTML in {written:?}");
    assert!(size < findings as u64 * MAX_A_FINDING, "{size} bytes");

    closes_what_it_opens(&content);
    let data = content.split("id=\"data\">").nth(1).unwrap().split("</script>").next().unwrap();
    let data: Value = serde_json::from_str(data).unwrap();
    assert_eq!(data["findings"].as_array().unwrap().len(), findings);
    // The script shows a hundred and offers the rest: the page itself lists none of them.
    assert!(content.contains("<tbody></tbody>"));

    let browser = browser();
    if !need("chromium, to open the page with", browser.is_some()) {
        return;
    }
    let browser = browser.unwrap();
    let begun = Instant::now();
    let dom = opened(&browser, folder.path(), &page);
    let taken = begun.elapsed();
    if !dom.contains("registry.example/much:1") {
        let folder = folder.path().display();
        return skipped(format!("`{browser}` may not open files of {folder}"));
    }
    eprintln!("opened and drawn in {taken:?}, with the start of the browser");
    assert_eq!(dom.matches("<tr class=\"row\">").count(), 100);
    for seen in ["Showing 100 of 5000 matching findings; 5000 in all.", "Show 500 more"] {
        assert!(dom.contains(seen), "no `{seen}` in the page as it is shown");
    }
    // What an advisory says is text.
    assert!(dom.contains("&lt;b&gt;number") && !dom.contains("<b>number"));
    assert!(taken < Duration::from_secs(60), "{taken:?}");
}

/// Every element that is opened is closed, in order: a browser would guess otherwise.
fn closes_what_it_opens(page: &str) {
    const EMPTY: &[&str] = &["!doctype", "meta", "input", "br", "rect"];
    let mut open: Vec<&str> = Vec::new();
    let mut rest = page;
    while let Some(at) = rest.find('<') {
        rest = &rest[at + 1..];
        let end = rest.find('>').expect("a tag ends");
        let tag = &rest[..end];
        rest = &rest[end + 1..];
        let name = tag.trim_start_matches('/').split([' ', '\n', '/']).next().unwrap();
        if let Some(closed) = tag.strip_prefix('/') {
            assert_eq!(open.pop(), Some(closed), "closed while another is open");
        } else if !EMPTY.contains(&name) {
            open.push(name);
        }
        // Nothing within these is markup.
        if ["script", "style"].contains(&name) && !tag.starts_with('/') {
            rest = &rest[rest.find(&format!("</{name}")).expect("it is closed")..];
        }
    }
    assert_eq!(open, Vec::<&str>::new(), "left open");
}

fn browser() -> Option<String> {
    let known = ["chromium", "chromium-browser", "google-chrome"];
    let runs = |name: &&str| {
        let version = Command::new("timeout").args(["60", name, "--version"]).output();
        version.is_ok_and(|output| output.status.success())
    };
    known.into_iter().find(runs).map(str::to_owned)
}

/// The page's elements once its script has run.
fn opened(browser: &str, folder: &Path, page: &Path) -> String {
    let profile = format!("--user-data-dir={}/profile", folder.display());
    let output = Command::new("timeout")
        .args(["120", browser])
        .args(["--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"])
        .args([&profile, "--timeout=20000", "--dump-dom"])
        .arg(format!("file://{}", page.display()))
        .env("HOME", folder)
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}
