//! `inscan db`: building, looking things up, carrying and fetching the database.

use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;

use inscan::vulndb::{Database, place};
use serde_json::Value;
use tempfile::TempDir;

const ADVISORIES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/advisories");
const DEMO: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/vulndb/demo.db");
const SET: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../shared/osv.tar");

fn inscan(arguments: &[&str], data: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_inscan"));
    command.args(arguments).current_dir(env!("CARGO_TARGET_TMPDIR"));
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("INSCAN_") {
            command.env_remove(name);
        }
    }
    command
        .env("XDG_CONFIG_HOME", "/nonexistent")
        .env("XDG_DATA_HOME", data)
        .env("NO_COLOR", "1")
        .env_remove("SOURCE_DATE_EPOCH")
        .stdin(Stdio::null());
    command
}

fn run(arguments: &[&str], data: &Path) -> Output {
    inscan(arguments, data).output().unwrap()
}

/// What it prints; it ends well.
#[track_caller]
fn succeeds(arguments: &[&str], data: &Path) -> String {
    let output = run(arguments, data);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{arguments:?}: {errors}");
    String::from_utf8(output.stdout).unwrap()
}

/// What it says on stderr where it ends with the code.
#[track_caller]
fn ends(arguments: &[&str], data: &Path, code: i32, words: &[&str]) {
    let output = run(arguments, data);
    let errors = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(code), "{arguments:?}: {errors}");
    for word in words {
        assert!(errors.contains(word), "{arguments:?}: no `{word}` in: {errors}");
    }
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

fn json(arguments: &[&str], data: &Path) -> Value {
    serde_json::from_str(&succeeds(arguments, data)).unwrap()
}

/// A database of the demonstration's advisories, and of one more if it is named.
fn demo(folder: &Path, name: &str, more: Option<&str>) -> PathBuf {
    let path = folder.join(name);
    let mut arguments = vec!["db", "build", "-q", "-o", text(&path), "--from", ADVISORIES];
    let other = folder.join("more");
    if let Some(id) = more {
        let record = format!(
            r#"{{"id": "{id}", "modified": "2025-12-01T00:00:00Z", "affected": [{{"package":
            {{"ecosystem": "npm", "name": "{id}"}}, "versions": ["1"]}}]}}"#
        );
        fs::create_dir_all(&other).unwrap();
        fs::write(other.join("more.json"), record).unwrap();
        arguments.extend(["--from", text(&other)]);
    }
    succeeds(&arguments, folder);
    path
}

#[test]
fn the_repository_s_own_database_is_built_of_its_advisories() {
    let folder = tempfile::tempdir().unwrap();
    let built = fs::read(demo(folder.path(), "demo.db", None)).unwrap();
    if std::env::var_os("UPDATE_DEMO_DB").is_some() {
        fs::write(DEMO, &built).unwrap();
    }
    let fresh = fs::read(DEMO).is_ok_and(|kept| kept == built);
    assert!(fresh, "fixtures/vulndb/demo.db: run `UPDATE_DEMO_DB=1 cargo test --test db`");
}

#[test]
fn without_a_database_it_is_said_how_to_get_one() {
    let data = tempfile::tempdir().unwrap();
    for command in [&["db", "status"][..], &["db", "show", "CVE-2024-1"], &["db", "search", "x"]] {
        ends(command, data.path(), 2, &["inscan/vulnerabilities.db", "inscan db update"]);
    }
    ends(&["db", "update"], data.path(), 2, &["name a source once"]);
    ends(&["db", "import", "/no/such/file"], data.path(), 2, &["/no/such/file"]);
    ends(&["db", "build", "-o", "x.db", "--from", "/no/such"], data.path(), 2, &["/no/such"]);
    ends(
        &["db", "build", "-o", "/no/such/x.db", "--from", ADVISORIES],
        data.path(),
        2,
        &["/no/such/x.db"],
    );
}

#[test]
fn a_database_is_carried_and_looked_into() {
    let data = tempfile::tempdir().unwrap();
    let data = data.path();
    succeeds(&["db", "import", DEMO], data);
    succeeds(&["db", "verify"], data);

    let status = json(&["db", "status", "-o", "json"], data);
    assert_eq!(status["built"], "2025-11-21T00:00:00Z");
    assert_eq!(status["advisories"], 8);
    assert!(status["age_seconds"].as_u64().unwrap() > 0);
    let table = succeeds(&["db", "status"], data);
    assert!(table.contains("Debian:12") && table.contains("data of 2025-11-21"), "{table}");

    // By any of its names, in any case.
    for id in ["CVE-2024-3651", "cve-2024-3651", "PYSEC-2024-60", "GHSA-jjg7-2v4v-x38h"] {
        let shown = json(&["db", "show", id, "-o", "json"], data);
        assert_eq!(shown["names"].as_array().unwrap().len(), 3, "{id}");
        assert_eq!(shown["advisories"].as_array().unwrap().len(), 2, "{id}");
    }
    let shown = succeeds(&["db", "show", "CVE-2099-10001"], data);
    for part in ["71.23 %", "exploited", "<2.5.0-1+deb12u9", "Debian:12"] {
        assert!(shown.contains(part), "no `{part}` in: {shown}");
    }
    ends(&["db", "show", "CVE-1999-0001"], data, 2, &["nothing is known"]);

    let found = json(&["db", "search", "zlib", "--ecosystem", "Debian", "-o", "json"], data);
    assert_eq!(found[0]["id"], "DEBIAN-CVE-2023-45853");
    assert_eq!(found.as_array().unwrap().len(), 1);
    assert!(succeeds(&["db", "search", "nothing"], data).contains("no advisory names"));
    ends(&["db", "search", "zlib", "--ecosystem", "Deb"], data, 2, &["Deb"]);

    let carried = data.join("carried.db");
    succeeds(&["db", "export", text(&carried)], data);
    assert_eq!(fs::read(&carried).unwrap(), fs::read(DEMO).unwrap());
}

/// The demonstration's database with one letter of an id changed, where it does no other harm.
fn damaged() -> Vec<u8> {
    let mut bytes = fs::read(DEMO).unwrap();
    let id = b"GHSA-jjg7-2v4v-x38h";
    let at = bytes.windows(id.len()).position(|window| window == id).expect("an id");
    bytes[at] = b'X';
    bytes
}

#[test]
fn what_is_damaged_or_not_ours_is_refused_and_what_was_there_stays() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path();
    succeeds(&["db", "import", DEMO], data);
    let wrong = data.join("wrong.db");
    let bytes = damaged();
    for content in [&bytes[..], &bytes[..bytes.len() / 2], b"no database", b""] {
        fs::write(&wrong, content).unwrap();
        let output = run(&["db", "import", text(&wrong)], data);
        assert_eq!(output.status.code(), Some(3), "{output:?}");
    }
    succeeds(&["db", "verify"], data);
    let left: Vec<_> = fs::read_dir(data.join("inscan")).unwrap().collect();
    assert_eq!(left.len(), 1, "{left:?}");
}

#[test]
fn two_databases_are_compared() {
    let folder = tempfile::tempdir().unwrap();
    let (old, new) =
        (demo(folder.path(), "old.db", None), demo(folder.path(), "new.db", Some("NEW-1")));
    let changes = json(&["db", "diff", text(&old), text(&new), "-o", "json"], folder.path());
    assert_eq!(changes["added"][0]["id"], "NEW-1");
    let count = |of: &str| changes[of].as_array().unwrap().len();
    assert_eq!((count("added"), count("changed"), count("removed")), (1, 0, 0));
    let back = succeeds(&["db", "diff", text(&new), text(&old)], folder.path());
    assert!(back.contains("- NEW-1") && back.contains("0 added, 0 changed, 1 removed"), "{back}");
}

/// Answers GET for a few files, with entity tags and pieces.
struct Server {
    address: String,
    state: Arc<Mutex<Served>>,
    over: Arc<AtomicBool>,
}

#[derive(Default)]
struct Served {
    files: BTreeMap<String, Vec<u8>>,
    /// The next answers end after so many bytes of the body.
    cuts: Vec<usize>,
    /// Path, the range that was asked for, and the status of each answer.
    asked: Vec<(String, Option<String>, u16)>,
}

impl Server {
    fn new(files: &[(&str, Vec<u8>)]) -> Server {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let files = files.iter().map(|(path, content)| ((*path).to_owned(), content.clone()));
        let state = Arc::new(Mutex::new(Served { files: files.collect(), ..Served::default() }));
        let over = Arc::new(AtomicBool::new(false));
        let (shared, is_over) = (state.clone(), over.clone());
        thread::spawn(move || {
            for stream in listener.incoming() {
                if is_over.load(Ordering::Relaxed) {
                    break;
                }
                let shared = shared.clone();
                thread::spawn(move || answer(stream.unwrap(), &shared));
            }
        });
        Server { address, state, over }
    }

    fn url(&self, path: &str) -> String {
        format!("{}{path}", self.address)
    }

    fn put(&self, path: &str, content: Vec<u8>) {
        self.state.lock().unwrap().files.insert(path.to_owned(), content);
    }

    fn cut_next(&self, cuts: &[usize]) {
        self.state.lock().unwrap().cuts = cuts.to_vec();
    }

    /// What was asked for since the last time.
    fn asked(&self) -> Vec<(String, Option<String>, u16)> {
        std::mem::take(&mut self.state.lock().unwrap().asked)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.over.store(true, Ordering::Relaxed);
        let _ = TcpStream::connect(self.address.trim_start_matches("http://"));
    }
}

/// One request, one answer, and the connection ends.
fn answer(mut stream: TcpStream, state: &Mutex<Served>) {
    let mut headers = BTreeMap::new();
    let mut lines = BufReader::new(stream.try_clone().unwrap()).lines();
    let Some(Ok(first)) = lines.next() else { return };
    let path = first.split(' ').nth(1).unwrap_or("/").replace("%20", " ");
    for line in lines.map_while(Result::ok).take_while(|line| !line.is_empty()) {
        if let Some((name, value)) = line.split_once(':') {
            headers.insert(name.to_lowercase(), value.trim().to_owned());
        }
    }
    let mut state = state.lock().unwrap();
    let content = state.files.get(&path).cloned();
    let tag = content
        .as_ref()
        .map(|content| format!("\"{}\"", inscan::digest::Sha256::of(content).hex()));
    let is_current =
        |header: &str| headers.contains_key(header) && headers.get(header) == tag.as_ref();
    let range = headers.get("range").cloned();
    let start: usize = range
        .as_ref()
        .filter(|_| is_current("if-range") || !headers.contains_key("if-range"))
        .and_then(|range| range.strip_prefix("bytes=")?.strip_suffix('-')?.parse().ok())
        .unwrap_or(0);
    let (status, body) = match &content {
        None => (404, &[][..]),
        Some(_) if is_current("if-none-match") => (304, &[][..]),
        Some(content) if start > 0 => (206, &content[start..]),
        Some(content) => (200, &content[..]),
    };
    state.asked.push((path.clone(), range, status));
    let cut =
        if status < 300 && !state.cuts.is_empty() { Some(state.cuts.remove(0)) } else { None };
    drop(state);
    let total = content.as_ref().map_or(0, Vec::len);
    let mut head = format!("HTTP/1.1 {status} X\r\nConnection: close\r\n");
    if path.contains("/manifests/") {
        head += "Content-Type: application/vnd.oci.image.manifest.v1+json\r\n";
    }
    if status != 304 {
        head += &format!("Content-Length: {}\r\n", body.len());
    }
    if let Some(tag) = tag {
        head += &format!("ETag: {tag}\r\n");
    }
    if status == 206 {
        head += &format!("Content-Range: bytes {start}-{}/{total}\r\n", total - 1);
    }
    let body = &body[..cut.unwrap_or(body.len()).min(body.len())];
    // Whoever asked may have gone.
    let _ = stream.write_all(format!("{head}\r\n").as_bytes());
    let _ = stream.write_all(body);
    let _ = stream.shutdown(std::net::Shutdown::Write);
}

fn openssl(arguments: &[&str], folder: &Path) {
    let done = Command::new("openssl").args(arguments).current_dir(folder).output().unwrap();
    assert!(done.status.success(), "openssl {arguments:?}: {done:?}");
}

#[test]
fn a_ready_database_is_fetched_once_and_taken_up_where_it_broke_off() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path();
    let content = fs::read(DEMO).unwrap();
    let server = Server::new(&[("/v.db", content.clone())]);
    let url = server.url("/v.db");

    server.cut_next(&[10_000, 5_000]);
    succeeds(&["db", "update", &url], data);
    let ranges: Vec<_> = server.asked().into_iter().filter(|(path, ..)| path == "/v.db").collect();
    let asked: Vec<_> =
        ranges.iter().map(|(_, range, status)| (range.as_deref(), *status)).collect();
    assert_eq!(asked, [(None, 200), (Some("bytes=10000-"), 206), (Some("bytes=15000-"), 206)]);
    assert_eq!(fs::read(data.join("inscan/vulnerabilities.db")).unwrap(), content);

    // Within a day nothing is asked; with `--force` only whether it is newer.
    ends(&["db", "update"], data, 0, &["--force"]);
    assert_eq!(server.asked(), []);
    ends(&["db", "update", "--force"], data, 0, &["here already"]);
    assert_eq!(server.asked(), [("/v.db".to_owned(), None, 304)]);

    // What broke off in one run is taken up in the next, unless it is another file by then.
    let newer = fs::read(demo(data, "newer.db", Some("NEW-1"))).unwrap();
    server.put("/v.db", newer.clone());
    server.cut_next(&[20_000]);
    ends(&["db", "update", "--force", "--retries", "0"], data, 3, &["127.0.0.1"]);
    assert_eq!(fs::read(data.join("inscan/vulnerabilities.db")).unwrap(), content);
    server.asked();
    let newest = fs::read(demo(data, "newest.db", Some("NEW-2"))).unwrap();
    server.put("/v.db", newest.clone());
    succeeds(&["db", "update", "--force"], data);
    assert_eq!(server.asked()[0], ("/v.db".to_owned(), Some("bytes=20000-".to_owned()), 200));
    assert_eq!(fs::read(data.join("inscan/vulnerabilities.db")).unwrap(), newest);
}

#[test]
fn what_does_not_fit_its_digest_or_signature_is_not_installed() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path();
    let content = fs::read(DEMO).unwrap();
    let digest = inscan::digest::Sha256::of(&content).hex();
    let server = Server::new(&[("/v.db", content), ("/v.db.sha256", b"0000 v.db".to_vec())]);
    let url = server.url("/v.db");
    ends(&["db", "update", &url], data, 3, &["holds no digest"]);
    server.put("/v.db.sha256", format!("{}  v.db\n", "0".repeat(64)).into_bytes());
    ends(&["db", "update", &url], data, 3, &[&digest]);
    server.put("/v.db.sha256", format!("{digest}  v.db\n").into_bytes());

    openssl(&["genpkey", "-algorithm", "ed25519", "-out", "key.pem"], data);
    openssl(&["pkey", "-in", "key.pem", "-pubout", "-out", "key.pub.pem"], data);
    let sign = |key: &str| {
        openssl(&["pkeyutl", "-sign", "-inkey", key, "-rawin", "-in", DEMO, "-out", "v.sig"], data);
        fs::read(data.join("v.sig")).unwrap()
    };
    let key = data.join("key.pub.pem");
    let with_key = ["db", "update", &url, "--verify-key", text(&key)];
    ends(&with_key, data, 3, &["no signature"]);
    openssl(&["genpkey", "-algorithm", "ed25519", "-out", "other.pem"], data);
    server.put("/v.db.sig", sign("other.pem"));
    ends(&with_key, data, 3, &["not to be trusted"]);
    assert!(!data.join("inscan/vulnerabilities.db").exists());
    let signature = sign("key.pem");
    server.put("/v.db.sig", signature.clone());
    succeeds(&with_key, data);

    // Carried by hand: the signature lies beside the file.
    let carried = data.join("carried.db");
    fs::copy(DEMO, &carried).unwrap();
    let import = ["db", "import", text(&carried), "--verify-key", text(&key)];
    ends(&import, data, 2, &["carried.db.sig"]);
    fs::write(data.join("carried.db.sig"), &signature).unwrap();
    succeeds(&import, data);
    fs::write(data.join("carried.db.sig"), &signature[1..]).unwrap();
    ends(&import, data, 3, &["not to be trusted"]);
    ends(&["db", "verify", "--verify-key", DEMO], data, 2, &["public key"]);
}

#[test]
fn what_is_no_database_or_may_not_be_asked_is_said() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path();
    let server = Server::new(&[("/damaged.db", damaged()), ("/page.html", b"<html>".to_vec())]);
    ends(&["db", "update", &server.url("/damaged.db")], data, 3, &["damaged"]);
    ends(&["db", "update", &server.url("/page.html")], data, 3, &["nothing that a database"]);
    ends(&["db", "update", &server.url("/none.db"), "--retries", "0"], data, 3, &["404"]);
    ends(&["db", "update", &server.url("/none/")], data, 3, &["ecosystems.txt"]);
    server.asked();
    ends(&["db", "update", &server.url("/v.db"), "--offline"], data, 3, &["--offline"]);
    assert_eq!(server.asked(), []);
    ends(&["db", "update", "http://mirror.example/v.db"], data, 2, &["plain http"]);
    ends(&["db", "update", "ftp://mirror.example/v.db"], data, 2, &["no source"]);
    ends(&["db", "update", "vulnerabilities.db"], data, 2, &["no source"]);
}

/// A mirror of the bucket with two ecosystems, from the demonstration's advisories.
fn bucket() -> Vec<(&'static str, Vec<u8>)> {
    let archive = |folder: &str| {
        let script = "import pathlib, sys, zipfile\n\
            with zipfile.ZipFile(sys.argv[2], 'w', zipfile.ZIP_DEFLATED) as archive:\n\
            \x20   for path in sorted(pathlib.Path(sys.argv[1]).iterdir()):\n\
            \x20       archive.write(path, path.name)\n";
        let to = tempfile::tempdir().unwrap();
        let to = to.path().join("all.zip");
        let from = format!("{ADVISORIES}/{folder}");
        let done = Command::new("python3").args(["-c", script, &from, text(&to)]).output().unwrap();
        assert!(done.status.success(), "{done:?}");
        fs::read(to).unwrap()
    };
    let list = b"npm\nPyPI\nPyPI:1\n../../etc\nGone\n".to_vec();
    vec![
        ("/osv/ecosystems.txt", list),
        ("/osv/npm/all.zip", archive("npm")),
        ("/osv/PyPI/all.zip", archive("PyPI")),
        ("/epss.csv", fs::read(format!("{ADVISORIES}/epss.csv")).unwrap()),
    ]
}

#[test]
fn a_mirror_of_the_bucket_is_fetched_and_then_only_what_changed() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path();
    let server = Server::new(&bucket());
    let (osv, epss) = (server.url("/osv/"), server.url("/epss.csv"));
    ends(&["db", "update", &osv, &epss], data, 0, &["4 advisories", "Gone/all.zip: is not there"]);
    let epss = json(&["db", "show", "CVE-2021-44906", "-o", "json"], data)["epss"][0].clone();
    assert_eq!(epss["probability"], 0.0103);
    let paths: Vec<String> = server.asked().into_iter().map(|(path, ..)| path).collect();
    assert!(
        paths.iter().all(|path| !path.contains("etc") && !path.contains("PyPI:1")),
        "{paths:?}"
    );

    ends(&["db", "update", "--force"], data, 0, &["here already"]);
    assert!(server.asked().iter().all(|(path, _, status)| *status == 304
        || path.ends_with(".txt")
        || path.contains("Gone")));

    let npm = bucket().remove(2).1;
    server.put("/osv/npm/all.zip", npm);
    ends(&["db", "update", "--force"], data, 0, &["2 advisories"]);
    let fetched: Vec<_> = server
        .asked()
        .into_iter()
        .filter(|(path, _, status)| *status == 200 && path.ends_with("zip"))
        .collect();
    assert_eq!(fetched.len(), 1, "{fetched:?}");
    ends(&["db", "update", &osv, "--verify-key", DEMO_KEY], data, 2, &["no signature to verify"]);
}

const DEMO_KEY: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/signatures/ed25519.pub.pem");

#[test]
fn readers_and_a_new_database_do_not_disturb_each_other() {
    let folder: TempDir = tempfile::tempdir().unwrap();
    let files = [demo(folder.path(), "a.db", None), demo(folder.path(), "b.db", Some("NEW-1"))];
    let place = folder.path().join("data/vulnerabilities.db");
    place::import(&files[0], &place, None, None).unwrap();
    let over = AtomicBool::new(false);
    thread::scope(|scope| {
        let readers: Vec<_> = (0..3)
            .map(|_| {
                scope.spawn(|| {
                    // One that was opened before stays what it was.
                    let first = Database::open(&place).unwrap();
                    let mut rounds = 0;
                    while !over.load(Ordering::Relaxed) || rounds == 0 {
                        let database = Database::open(&place).unwrap();
                        assert_eq!(database.advisories_for("npm", "minimist").unwrap().len(), 1);
                        assert_eq!(first.about().unwrap().advisories, 8);
                        assert_eq!(first.advisories_for("PyPI", "idna").unwrap().len(), 2);
                        assert!(matches!(database.about().unwrap().advisories, 8 | 9));
                        rounds += 1;
                    }
                    first.verify().unwrap();
                })
            })
            .collect();
        // The readers that opened the first have to have done so.
        thread::sleep(std::time::Duration::from_millis(100));
        for round in 0..20 {
            place::import(&files[(round + 1) % 2], &place, None, None).unwrap();
        }
        over.store(true, Ordering::Relaxed);
        readers.into_iter().for_each(|reader| reader.join().unwrap());
    });
}

/// Counted by somebody else: for each ecosystem, how many ids name a package of it.
const COUNT: &str = "
import collections, json, pathlib, sys, zipfile
ids = collections.defaultdict(set)
for path in sorted(pathlib.Path(sys.argv[1]).glob('*/all.zip')):
    archive = zipfile.ZipFile(path)
    for name in archive.namelist():
        record = json.loads(archive.read(name))
        for affected in record.get('affected') or []:
            ids[affected['package']['ecosystem']].add(record['id'])
print(json.dumps({ecosystem: len(of) for ecosystem, of in ids.items()}))
";

/// The real records of every ecosystem, once: what is counted elsewhere is counted here.
#[test]
#[expect(clippy::print_stderr, reason = "a test that is skipped says so")]
fn the_whole_public_set_is_read() {
    if !Path::new(SET).is_file() {
        eprintln!("passed over: `../shared/osv.tar` is not there");
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    tar::Archive::new(fs::File::open(SET).unwrap()).unpack(folder.path()).unwrap();
    let root = folder.path();
    let counted = Command::new("python3").args(["-c", COUNT, text(root)]).output().unwrap();
    let counted: BTreeMap<String, u64> = serde_json::from_slice(&counted.stdout).unwrap();
    assert!(counted.len() > 40, "{counted:?}");

    let mut folders: Vec<PathBuf> =
        fs::read_dir(root).unwrap().map(|entry| entry.unwrap().path().join("all.zip")).collect();
    folders.retain(|path| path.is_file());
    folders.push(root.join("raw/cisa-kev.json.gz"));
    folders.push(root.join("raw/endoflife.json"));
    let path = folder.path().join("whole.db");
    let mut arguments = vec!["db", "build", "-q", "-o", text(&path), "--report", "json", "--from"];
    arguments.extend(folders.iter().map(|path| text(path)));
    let report = json(&arguments, folder.path());
    let read: BTreeMap<String, u64> = report["ecosystems"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| (one["ecosystem"].as_str().unwrap().into(), one["records"].as_u64().unwrap()))
        .collect();
    assert_eq!(read, counted);
    assert_eq!(report["passed_over"], Value::Array(Vec::new()));
    assert!(report["size"].as_u64().unwrap() < 70_000_000);

    let database = Database::open(&path).unwrap();
    database.verify().unwrap();
    let log4j = database.advisories_for("Maven", "org.apache.logging.log4j:log4j-core").unwrap();
    assert!(
        log4j
            .iter()
            .any(|advisory| { advisory.aliases.iter().any(|alias| alias == "CVE-2021-44228") })
    );
    assert!(database.kev("CVE-2021-44228").unwrap().unwrap().ransomware);
    let ends = database.end_of_life("debian", "12.5").unwrap().unwrap().ends.unwrap();
    assert_eq!(ends.to_string(), "2026-07-11");
    // Large advisories come whole out of many packages' entries: 516 of them, says `jq`.
    look_up_a_thousand_packages(&path);
    let alma = database.advisory("ALSA-2025:9318").unwrap().unwrap();
    assert_eq!(alma.affected.len(), 516);
}

/// At equal distances all over the database: what an image of a thousand packages asks for. The
/// figure of docs/database.md is that of an optimised build; this one is not.
#[expect(clippy::print_stderr, reason = "a figure for who runs it with --nocapture")]
fn look_up_a_thousand_packages(path: &Path) {
    let connection = rusqlite::Connection::open(path).unwrap();
    let mut all = connection
        .prepare("SELECT name, key FROM package JOIN ecosystem ON ecosystem = number ORDER BY 1, 2")
        .unwrap();
    let all: Vec<(String, String)> = all
        .query_map([], |row| Ok((row.get(0)?, row.get(1)?)))
        .unwrap()
        .map(Result::unwrap)
        .collect();
    let packages: Vec<_> = all.iter().step_by(all.len() / 1000).take(1000).collect();
    let begun = std::time::Instant::now();
    let database = Database::open(path).unwrap();
    let mut found = 0;
    for (ecosystem, name) in &packages {
        found += database.advisories_for(ecosystem, name).unwrap().len();
    }
    let took = begun.elapsed();
    eprintln!("{} packages, {found} advisories: {} ms", packages.len(), took.as_millis());
    assert!(found > packages.len());
    assert!(took.as_millis() < 2000, "{took:?}");
}

#[test]
fn what_breaks_off_at_a_registry_is_taken_up_in_the_next_run() {
    let folder = tempfile::tempdir().unwrap();
    let content = fs::read(DEMO).unwrap();
    let digest = inscan::digest::Sha256::of(&content).to_string();
    let manifest = serde_json::json!({
        "schemaVersion": 2, "mediaType": "application/vnd.oci.image.manifest.v1+json",
        "artifactType": "application/vnd.inscan.database.v1",
        "layers": [{ "mediaType": "application/vnd.inscan.database.v1+sqlite3",
                     "digest": digest, "size": content.len() }],
    });
    let blob = format!("/v2/x/blobs/{digest}");
    let server = Server::new(&[
        ("/v2/x/manifests/latest", manifest.to_string().into_bytes()),
        (&blob, content.clone()),
    ]);
    let name = server.url("/x").replace("http://", "oci://");
    // The manifest comes whole, the blob does not.
    server.cut_next(&[10_000, 20_000]);
    let update = ["db", "update", "--plain-http", "--retries", "0", &name];
    ends(&update, folder.path(), 3, &[]);
    server.asked();
    succeeds(&update, folder.path());
    let asked = server.asked();
    assert_eq!(asked.last().unwrap(), &(blob.clone(), Some("bytes=20000-".to_owned()), 206));
    assert_eq!(fs::read(folder.path().join("inscan/vulnerabilities.db")).unwrap(), content);

    // Something else under the same digest.
    server.put(&blob, vec![0; content.len()]);
    ends(
        &[&update[..], &["--force", "--db", text(&folder.path().join("other.db"))]].concat(),
        folder.path(),
        3,
        &[&digest],
    );
}

/// A real registry with a folder of its own; none where it is not installed.
struct Registry {
    process: std::process::Child,
    address: String,
    _folder: TempDir,
}

impl Registry {
    #[expect(clippy::print_stderr, reason = "a test that is skipped says so")]
    fn start() -> Option<Registry> {
        let folder = tempfile::tempdir().unwrap();
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let address = format!("127.0.0.1:{port}");
        let config = folder.path().join("config.yml");
        let root = folder.path().join("data");
        let text = format!(
            "version: 0.1\nstorage:\n  filesystem:\n    rootdirectory: {}\nhttp:\n  addr: {address}\n",
            root.display()
        );
        fs::write(&config, text).unwrap();
        let process = Command::new("docker-registry")
            .args(["serve".as_ref(), config.as_os_str()])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn();
        let process = match process {
            Ok(process) => process,
            Err(_) => {
                assert!(std::env::var_os("CI").is_none_or(|ci| ci != "true"), "no docker-registry");
                eprintln!("passed over: there is no `docker-registry`");
                return None;
            }
        };
        let registry = Registry { process, address: address.clone(), _folder: folder };
        for _ in 0..600 {
            if TcpStream::connect(&address).is_ok() {
                return Some(registry);
            }
            thread::sleep(std::time::Duration::from_millis(100));
        }
        panic!("docker-registry does not listen at {address}");
    }
}

impl Drop for Registry {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

#[test]
fn a_database_goes_through_a_real_registry() {
    let Some(registry) = Registry::start() else { return };
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path();
    let name = format!("oci://{}/security/database:latest", registry.address);
    ends(&["db", "update", &name], data, 2, &["security/database"]);
    ends(&["db", "push", ADVISORIES, &name], data, 3, &["no vulnerability database"]);
    ends(&["db", "push", DEMO, "registry.example/x"], data, 2, &["oci://"]);

    // Unsigned at first, and then again with its signature: the file itself is there already.
    ends(&["db", "push", DEMO, &name], data, 0, &["sha256:"]);
    succeeds(&["db", "update", &name], data);
    let place = data.join("inscan/vulnerabilities.db");
    assert_eq!(fs::read(&place).unwrap(), fs::read(DEMO).unwrap());
    ends(&["db", "update", "--force"], data, 0, &["here already"]);

    openssl(&["ecparam", "-genkey", "-name", "prime256v1", "-noout", "-out", "key.pem"], data);
    openssl(&["pkey", "-in", "key.pem", "-pubout", "-out", "key.pub.pem"], data);
    openssl(&["dgst", "-sha256", "-sign", "key.pem", "-out", "demo.sig", DEMO], data);
    let (key, signature) = (data.join("key.pub.pem"), data.join("demo.sig"));
    let signed = ["db", "update", "--force", &name, "--verify-key", text(&key)];
    fs::remove_file(&place).unwrap();
    ends(&signed, data, 3, &["no signature"]);
    succeeds(&["db", "push", DEMO, &name, "--signature", text(&signature)], data);
    succeeds(&signed, data);
    let wrong = concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/signatures/p256.sig");
    succeeds(&["db", "push", DEMO, &name, "--signature", wrong], data);
    fs::remove_file(&place).unwrap();
    ends(&signed, data, 3, &["not to be trusted"]);
    assert!(!place.exists());

    // What others make of it.
    if let Ok(output) = Command::new("skopeo")
        .args(["inspect", "--raw", "--tls-verify=false"])
        .arg(name.replace("oci://", "docker://"))
        .output()
    {
        let manifest: Value = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!(manifest["artifactType"], "application/vnd.inscan.database.v1");
        assert_eq!(manifest["layers"].as_array().unwrap().len(), 2);
    }
    ends(&["db", "update", "--offline", "--force", &name], data, 2, &["--offline"]);
}
