//! The layer cache as a user meets it: the same documents, in less time, whatever
//! happens to its files.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Output, Stdio};

use inscan_test_support::{DEMO_DAY, IMAGE as DEMO, Inscan};

/// The binary on a day that is always the same, so that its documents are.
fn inscan(arguments: &[&str]) -> Inscan {
    let mut inscan = crate::inscan(arguments);
    inscan.env("SOURCE_DATE_EPOCH", DEMO_DAY);
    // Each run has a home of its own.
    inscan.env("INSCAN_CACHE_KEY", "of these tests alone");
    inscan
}

/// A cache directory of a test's own.
struct Cache(tempfile::TempDir);

impl Cache {
    fn new() -> Self {
        Cache(tempfile::tempdir().unwrap())
    }

    fn path(&self) -> &str {
        self.0.path().to_str().unwrap()
    }

    fn command(&self, arguments: &[&str]) -> Inscan {
        let mut command = inscan(arguments);
        command.args(["--cache-dir", self.path()]);
        command
    }

    /// The document, and what was said on the way.
    fn analyze(&self, image: &str, arguments: &[&str]) -> (Vec<u8>, String) {
        analyzed(self.command(&["analyze", image]).args(arguments).output().unwrap())
    }

    fn files(&self) -> Vec<PathBuf> {
        files(self.0.path()).into_iter().filter(|path| !path.ends_with("CACHEDIR.TAG")).collect()
    }
}

#[track_caller]
fn analyzed(output: Output) -> (Vec<u8>, String) {
    let errors = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(0), "{errors}");
    (output.stdout, errors)
}

fn files(directory: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        match path.is_dir() {
            true => found.extend(files(&path)),
            false => found.push(path),
        }
    }
    found.sort();
    found
}

fn uncached() -> Vec<u8> {
    analyzed(inscan(&["analyze", DEMO, "--no-cache"]).output().unwrap()).0
}

const CACHED: &str = "is in the cache";

#[test]
fn the_document_is_the_same_with_and_without_the_cache() {
    let cache = Cache::new();
    let expected = uncached();
    let (first, said) = cache.analyze(DEMO, &[]);
    assert!(first == expected && !said.contains(CACHED), "{said}");
    let (second, said) = cache.analyze(DEMO, &["--threads", "1"]);
    assert!(second == expected);
    assert_eq!(said.matches(CACHED).count(), 3, "{said}");
    let (third, said) = cache.analyze(DEMO, &["--no-cache"]);
    assert!(third == expected && !said.contains(CACHED), "{said}");
    // An archive that passes by has members with the same names.
    let from_pipe = |cache: &Cache, more: &[&str]| {
        let mut command = cache.command(&["analyze", "-"]);
        analyzed(command.args(more).stdin(fs::File::open(DEMO).unwrap()).output().unwrap())
    };
    let (passing, said) = from_pipe(&cache, &[]);
    assert!(passing == from_pipe(&cache, &["--no-cache"]).0);
    assert_eq!(said.matches(CACHED).count(), 3, "{said}");
    // Other digests are another matter.
    let (more, said) = cache.analyze(DEMO, &["--digests", "sha512"]);
    assert!(more.len() > expected.len() && !said.contains(CACHED), "{said}");
}

#[test]
fn nobody_else_can_look_into_it() {
    let cache = Cache::new();
    cache.analyze(DEMO, &[]);
    let files = cache.files();
    assert!(files.len() > 3);
    let mode = |path: &Path| fs::metadata(path).unwrap().mode() & 0o777;
    assert!(files.iter().all(|file| mode(file) == 0o600));
    assert_eq!(mode(files[0].parent().unwrap()), 0o700);
    assert_eq!(mode(&cache.0.path().join("layers")), 0o700);
}

#[test]
fn damage_is_repaired_without_a_word() {
    let cache = Cache::new();
    let (expected, _) = cache.analyze(DEMO, &[]);
    let whole: Vec<_> = cache.files().iter().map(|file| fs::read(file).unwrap()).collect();
    let damages: [fn(&mut Vec<u8>); 2] =
        [|bytes| bytes.truncate(40), |bytes| *bytes.last_mut().unwrap() ^= 1];
    for damage in damages {
        for (file, whole) in cache.files().iter().zip(&whole) {
            let mut bytes = whole.clone();
            damage(&mut bytes);
            fs::write(file, bytes).unwrap();
        }
        let (document, said) = cache.analyze(DEMO, &[]);
        assert!(document == expected && !said.contains(CACHED) && !said.contains("note"), "{said}");
        let repaired: Vec<_> = cache.files().iter().map(|file| fs::read(file).unwrap()).collect();
        assert!(repaired == whole);
    }
}

#[test]
fn sixteen_at_once_neither_wait_nor_differ() {
    let expected = uncached();
    let cache = Cache::new();
    // The first turn fills the cache, the second finds all in it.
    for turn in 0..2 {
        let start = |_| -> (Inscan, Child) {
            let mut command = cache.command(&["analyze", DEMO, "--threads", "2"]);
            let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
            (command, child.unwrap())
        };
        let children: Vec<_> = (0..16).map(start).collect();
        for (_running, child) in children {
            let (document, said) = analyzed(child.wait_with_output().unwrap());
            assert!(document == expected && !said.contains("note"), "{said}");
            assert!(turn == 0 || said.matches(CACHED).count() == 3, "{said}");
        }
    }
    assert!(cache.files().iter().all(|file| !file.to_string_lossy().contains(".new-")));
}

#[test]
fn a_cache_that_cannot_be_written_is_a_note() {
    let expected = uncached();
    let cache = Cache::new();
    // `/proc` refuses everybody, also root.
    for place in ["/proc/self/cache", "/dev/null"] {
        let output = inscan(&["analyze", DEMO, "--cache-dir", place]).output().unwrap();
        let (document, said) = analyzed(output);
        assert!(document == expected);
        assert_eq!(said.matches("note: ").count(), 1, "{said}");
        assert!(said.contains(place), "{said}");
        let quiet = inscan(&["analyze", DEMO, "-q", "--cache-dir", place]).output().unwrap();
        assert_eq!(analyzed(quiet), (document, String::new()));
    }
    // No file may be larger than one block, as if the disk were full.
    let line = "trap '' XFSZ; ulimit -f 1; exec \"$@\"";
    let mut command = Inscan::new("bash");
    command.args(["-c", line, "bash", env!("CARGO_BIN_EXE_inscan"), "analyze", DEMO]);
    command.args(["--cache-dir", cache.path()]).env("SOURCE_DATE_EPOCH", DEMO_DAY);
    let (document, said) = analyzed(command.output().unwrap());
    assert!(document == expected);
    assert_eq!(said.matches("note: layers are not kept").count(), 1, "{said}");
    assert!(cache.files().iter().all(|file| !file.to_string_lossy().contains(".new-")));
}

#[test]
fn without_a_home_there_is_none_and_it_is_said() {
    let homeless = |arguments: &[&str]| inscan(arguments).env_remove("HOME").output().unwrap();
    let (document, said) = analyzed(homeless(&["analyze", DEMO]));
    assert!(document == uncached());
    assert!(said.contains("note: ") && said.contains("--cache-dir"), "{said}");
    let output = homeless(&["cache", "path"]);
    assert_eq!(output.status.code(), Some(2));
}

fn stdout(command: &mut std::process::Command) -> String {
    let output = command.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn it_is_where_the_system_has_such_things() {
    let path = |variables: &[(&str, &str)]| {
        stdout(inscan(&["cache", "path"]).envs(variables.iter().copied()))
    };
    let of_home =
        if cfg!(target_os = "macos") { "/h/Library/Caches/inscan\n" } else { "/h/.cache/inscan\n" };
    assert_eq!(path(&[("HOME", "/h")]), of_home);
    assert_eq!(path(&[("HOME", "/h"), ("XDG_CACHE_HOME", "/x")]), "/x/inscan\n");
    assert_eq!(path(&[("HOME", "/h"), ("XDG_CACHE_HOME", "relative")]), of_home);
    assert_eq!(path(&[("INSCAN_CACHE_DIR", "/d")]), "/d\n");
}

#[test]
fn it_is_shown_and_emptied() {
    let cache = Cache::new();
    let status = || stdout(&mut cache.command(&["cache", "status"]));
    assert!(status().contains("layers      0\n"), "{}", status());
    cache.analyze(DEMO, &[]);
    assert!(status().contains("layers      3\nusable      3 by"), "{}", status());
    assert!(stdout(&mut cache.command(&["cache", "clean", "--older-than", "1"])).is_empty());
    assert!(status().contains("layers      3\n"));
    let output = cache.command(&["cache", "clean"]).output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success() && said.starts_with("removed 3 layers"), "{said}");
    assert_eq!(cache.files(), Vec::<PathBuf>::new());
}

#[test]
fn its_size_is_limited() {
    let cache = Cache::new();
    cache.analyze(DEMO, &["--cache-size", "0"]);
    assert_eq!(files(cache.0.path()), Vec::<PathBuf>::new());
    cache.analyze(DEMO, &["--cache-size", "20kB"]);
    let size: u64 = cache.files().iter().map(|file| fs::metadata(file).unwrap().len()).sum();
    assert!(size <= 20_000 && size > 0, "{size}");
    let output = cache.command(&["scan", DEMO, "--cache-size", "plenty"]).output().unwrap();
    assert_eq!(output.status.code(), Some(2));
}

#[test]
fn the_run_block_and_a_table_say_where_the_time_went() {
    let cache = Cache::new();
    let analyze = || {
        let mut command = cache.command(&["analyze", DEMO, "-q", "--timings"]);
        let (document, table) = analyzed(command.env_remove("SOURCE_DATE_EPOCH").output().unwrap());
        (serde_json::from_slice::<serde_json::Value>(&document).unwrap(), table)
    };
    let schema = include_str!("../../docs/analysis-document.schema.json");
    let schema = jsonschema::validator_for(&serde_json::from_str(schema).unwrap()).unwrap();
    let mut without_times = Vec::new();
    for is_cached in [false, true] {
        let (mut document, table) = analyze();
        let errors: Vec<_> = schema.iter_errors(&document).map(|it| it.to_string()).collect();
        assert_eq!(errors, Vec::<String>::new());
        let timings = &document["inscan"]["run"]["timings"];
        let layers = timings["layers"].as_array().unwrap();
        assert_eq!(layers.len(), 3);
        assert!(layers.iter().all(|layer| layer["cached"] == is_cached), "{timings}");
        assert!(timings["peak_memory"].as_u64().unwrap() > 1 << 20);
        assert!(timings["cpu_us"].as_u64() > Some(0) && timings["reading_us"].as_u64() > Some(0));
        let names = timings["analyzers"].as_array().unwrap().iter().map(|one| &one["name"]);
        assert!(names.eq(document["inscan"]["tool"]["analyzers"].as_array().unwrap()));
        assert_eq!(table.contains("in the cache"), is_cached, "{table}");
        assert!(table.contains("of CPU"), "{table}");
        document["inscan"]["run"] = serde_json::Value::Null;
        without_times.push(document);
    }
    assert!(without_times[0] == without_times[1]);
    let reproducible = String::from_utf8(cache.analyze(DEMO, &[]).0).unwrap();
    assert!(reproducible.contains("\"run\":{") && !reproducible.contains("\"timings\""));
}
