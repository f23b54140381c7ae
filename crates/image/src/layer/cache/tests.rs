//! What comes out of the cache is what went in, or nothing.

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Read, Write};
use std::net::TcpListener;
use std::path::PathBuf;
use std::sync::Mutex;
use std::time::Duration;

use super::*;
use crate::budget::Stored;
use crate::layer::testing::{Directory, File as Regular, HardLink, Make, Symlink, tar};
use crate::layer::{EntryKind, Pass, Skipped, read, read_all, read_passing};
use crate::malware::Scanner;
use crate::progress::{Event, Progress, Silent};
use crate::source::{Blobs, Image};
use inscan_facts::digest::BlobDigest;

const SECRET: &[u8] = b"key = AKIAIOSFODNN7ABCDEFG\n";
const STATUS: &[u8] =
    b"Package: libc6\nStatus: install ok installed\nVersion: 2.36-9\nArchitecture: amd64\n";

fn key() -> Key {
    Key::of_text("of these tests alone").unwrap()
}

fn analyzers() -> Vec<Box<dyn Analyzer>> {
    inscan_analyzers::all(&Config::default())
}

/// Something of everything a scan can hold.
fn rich() -> Vec<u8> {
    let large = vec![b'x'; (5 << 20) + 1];
    tar(&[
        Directory("etc"),
        Regular("etc/os-release", b"ID=debian\nVERSION_ID=12\n"),
        Regular("etc/passwd", b"root:x:0:0:root:/root:/bin/sh\n"),
        Regular("var/lib/dpkg/status", STATUS),
        Regular("srv/.env", SECRET),
        Regular("srv/copy/.env", SECRET),
        Regular("srv/node_modules/a/package.json", br#"{"name": "a", "version": "1.0.0"}"#),
        Regular("srv/node_modules/b/package.json", b"{"),
        Regular("usr/lib/large.rpm", &large),
        Regular("var/lib/rpm/Packages", b"no database"),
        Symlink("lib", "usr/lib"),
        HardLink("etc/os-release~", "etc/os-release"),
    ])
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// A cache and what goes through it.
struct Run {
    directory: tempfile::TempDir,
    analyzers: Vec<Box<dyn Analyzer>>,
}

impl Run {
    fn new() -> Self {
        Run { directory: tempfile::tempdir().unwrap(), analyzers: analyzers() }
    }

    fn cache(&self) -> Cache {
        self.cache_of(1 << 30, &Config::default())
    }

    fn cache_of(&self, limit: u64, config: &Config) -> Cache {
        Cache::open(self.directory.path(), limit, key(), &self.analyzers, config, &[]).unwrap()
    }

    fn pass(&self) -> Pass<'_> {
        let mut pass = Pass::new(&self.analyzers, Vec::new());
        pass.cache = Some(self.cache());
        pass
    }

    fn scan(&self, blob: &[u8]) -> LayerScan {
        read(&Pass::new(&self.analyzers, Vec::new()), Box::new(blob), Box::new(|_| ())).unwrap()
    }

    fn files(&self) -> Vec<PathBuf> {
        let sets = fs::read_dir(self.directory.path().join(place::LAYERS)).unwrap();
        let sets = sets.map(|set| set.unwrap().path()).filter(|path| path.is_dir());
        let mut files: Vec<_> = sets
            .flat_map(|set| fs::read_dir(set).unwrap())
            .map(|file| file.unwrap().path())
            .collect();
        files.sort();
        files
    }
}

fn layer_of(scan: &LayerScan) -> LayerRef {
    LayerRef {
        digest: Some(scan.blob_digest.into()),
        size: Some(scan.blob_size),
        diff_id: scan.diff_id.into(),
        ..LayerRef::default()
    }
}

fn find(cache: &Cache, layer: &LayerRef) -> Option<LayerScan> {
    cache.find(layer, &Keeper::default(), || panic!("its digest is known"))
}

/// All fields, since there may be more of them one day than the cache knows.
#[track_caller]
fn assert_same(found: &LayerScan, expected: &LayerScan) {
    let content = |scan: &LayerScan| -> BTreeMap<u32, Vec<u8>> {
        let kept = scan.kept.iter();
        kept.map(|(entry, kept)| (*entry, kept.bytes().unwrap().into_owned())).collect()
    };
    let mut without_content = [found.clone(), expected.clone()];
    without_content.iter_mut().for_each(|scan| scan.kept.clear());
    let [found_rest, expected_rest] = without_content.map(|scan| format!("{scan:?}"));
    assert_eq!(found_rest, expected_rest);
    assert_eq!(content(found), content(expected));
}

#[test]
fn what_is_kept_is_found_as_it_was() {
    let run = Run::new();
    let tar = rich();
    let blobs = [tar.clone(), gzip(&tar), [gzip(&tar), b"trailing".to_vec()].concat()];
    for blob in blobs.iter().chain([&zstd::encode_all(&tar[..], 1).unwrap()]) {
        let mut scan = run.scan(blob);
        assert!(scan.facts.len() > 3 && scan.kept.len() > 2, "the layer is rich");
        assert!(!scan.wanted.is_empty());
        scan.hidden(Some(b"d"), "refused", "is of the unknown type `Z`: skipped".into());
        let (code, reason) = ("over-limit".into(), "too large".into());
        scan.skipped.push(Skipped { entry: 1, analyzer: 2, code, reason });
        scan.capabilities.insert(2, vec![1, 0, 0, 2]);
        assert_eq!(run.cache().keep(&scan), None);
        assert_same(&find(&run.cache(), &layer_of(&scan)).unwrap(), &scan);
        let passing = run.cache().find_blob(scan.blob_digest, &Keeper::default());
        assert_same(&passing.unwrap(), &scan);
    }
    // One scan, and for each blob but the tar itself what it is.
    assert_eq!(run.files().len(), 1 + 3);
}

#[test]
fn digests_that_were_asked_for_are_kept_too() {
    let run = Run::new();
    let digests = [MoreDigests::Sha384, MoreDigests::Sha512];
    let pass = Pass::new(&run.analyzers, digests.to_vec());
    let scan = read(&pass, Box::new(&rich()[..]), Box::new(|_| ())).unwrap();
    let open = |digests: &[MoreDigests]| {
        Cache::open(
            run.directory.path(),
            1 << 30,
            key(),
            &run.analyzers,
            &Config::default(),
            digests,
        )
    };
    open(&digests).unwrap().keep(&scan);
    assert_same(&find(&open(&digests).unwrap(), &layer_of(&scan)).unwrap(), &scan);
    assert!(find(&open(&digests[..1]).unwrap(), &layer_of(&scan)).is_none());
}

#[test]
fn a_layer_whose_digest_is_not_known_is_found_where_it_is_stored_as_it_is() {
    let run = Run::new();
    let tar = rich();
    let scan = run.scan(&tar);
    run.cache().keep(&run.scan(&gzip(&tar)));
    let layer = LayerRef { digest: None, ..layer_of(&scan) };
    let found = |start: &[u8], layer: &LayerRef| {
        run.cache().find(layer, &Keeper::default(), || Some(start.to_vec()))
    };
    assert_same(&found(&tar[..4], &layer).unwrap(), &scan);
    assert!(found(&gzip(&tar)[..4], &layer).is_none());
    assert!(found(&tar[..4], &LayerRef { size: Some(7), ..layer }).is_none());
}

#[test]
fn what_the_image_says_otherwise_is_not_believed() {
    let run = Run::new();
    let scan = run.scan(&gzip(&rich()));
    run.cache().keep(&scan);
    let layer = layer_of(&scan);
    assert!(find(&run.cache(), &layer).is_some());
    let other = Digest([7; 32]);
    assert!(
        find(&run.cache(), &LayerRef { digest: Some(other.into()), ..layer.clone() }).is_none()
    );
    assert!(find(&run.cache(), &LayerRef { diff_id: other.into(), ..layer.clone() }).is_none());
    assert!(find(&run.cache(), &LayerRef { size: Some(1), ..layer }).is_none());
}

#[test]
fn another_configuration_has_layers_of_its_own() {
    let run = Run::new();
    let scan = run.scan(&rich());
    run.cache().keep(&scan);
    let hints = Config { hints: true, ..Config::default() };
    assert!(find(&run.cache_of(1 << 30, &hints), &layer_of(&scan)).is_none());
    let malware = Config { malware: Some(Default::default()), ..Config::default() };
    assert!(find(&run.cache_of(1 << 30, &malware), &layer_of(&scan)).is_some());
    // Side by side.
    run.cache_of(1 << 30, &hints).keep(&scan);
    assert!(find(&run.cache(), &layer_of(&scan)).is_some());
    // A file of one set in the place of another's.
    let files = run.files();
    fs::copy(&files[0], &files[1]).unwrap();
    let found = [&Config::default(), &hints]
        .map(|config| find(&run.cache_of(1 << 30, config), &layer_of(&scan)));
    assert_eq!(found.iter().flatten().count(), 1);
}

#[test]
fn a_scan_of_bad_luck_is_not_kept() {
    let run = Run::new();
    let mut scan = run.scan(&rich());
    scan.is_by_chance = true;
    assert_eq!(run.cache().keep(&scan), None);
    assert!(find(&run.cache(), &layer_of(&scan)).is_none());
}

#[test]
fn a_damaged_file_is_as_good_as_none_and_is_replaced() {
    let run = Run::new();
    let small = tar(&[Regular("etc/passwd", b"root:x:0:0::/:/bin/sh\n"), Symlink("a", "b")]);
    let scan = run.scan(&gzip(&small));
    run.cache().keep(&scan);
    let layer = layer_of(&scan);
    for file in run.files() {
        let whole = fs::read(&file).unwrap();
        for cut in 0..whole.len() {
            fs::write(&file, &whole[..cut]).unwrap();
            assert!(find(&run.cache(), &layer).is_none(), "cut at {cut}");
        }
        for at in 0..whole.len() {
            let mut flipped = whole.clone();
            flipped[at] ^= 1 << (at % 8);
            fs::write(&file, &flipped).unwrap();
            assert!(find(&run.cache(), &layer).is_none(), "flipped at {at}");
        }
        fs::write(&file, [&whole[..], b"more"].concat()).unwrap();
        assert!(find(&run.cache(), &layer).is_none());
        run.cache().keep(&scan);
        assert_same(&find(&run.cache(), &layer).unwrap(), &scan);
    }
}

#[test]
fn any_bytes_are_read_without_harm() {
    let run = Run::new();
    let mut written = Vec::new();
    scan::write(&run.scan(&rich()), &mut written).unwrap();
    // The kept content at the end is without form.
    let with_form = written.len().min(4000);
    let count = run.analyzers.len();
    assert_eq!(read_back(&written, count).unwrap(), written);
    for at in 0..with_form {
        assert!(read_back(&written[..at], count).is_err());
        for value in [0, 0x7f, 0xff, written[at] ^ 1] {
            let mut changed = written.clone();
            changed[at] = value;
            // What can be read is consistent: it is written without a panic.
            let _ = read_back(&changed, count);
        }
    }
    assert!(read_back(&written, 0).is_err(), "facts of analyzers that are not there");
}

#[test]
fn a_flood_in_a_small_file_is_held_back() {
    let run = Run::new();
    let head = Head { kind: Kind::Layer, set: run.cache().set, of: Digest([1; 32]) };
    let mut bomb = Vec::new();
    let zeros = vec![0; 1 << 20];
    let too_much = frame::write(&mut bomb, &head, &key(), |to| {
        (0..=2048).try_for_each(|_| to.write_all(&zeros))
    });
    assert!(too_much.is_err());
    // As many entries as it likes, all of which are there: zeros are small entries.
    let mut bomb = Vec::new();
    frame::write(&mut bomb, &head, &key(), |mut to| {
        coding::put_number(&mut to, 0u64)?;
        coding::put_number(&mut to, u64::from(u32::MAX))?;
        to.write_all(&zeros)
    })
    .unwrap();
    let file = run.directory.path().join("bomb");
    fs::write(&file, bomb).unwrap();
    let read = |mut from: &mut dyn io::BufRead| scan::read(&mut from, 1, &Keeper::default());
    assert!(frame::read(&place::open(&file).unwrap(), &head, &key(), read).is_err());
}

#[test]
fn what_is_no_file_is_no_layer_and_nobody_waits_for_it() {
    let run = Run::new();
    let scan = run.scan(&rich());
    run.cache().keep(&scan);
    let file = run.files().remove(0);
    fs::remove_file(&file).unwrap();
    fs::create_dir(&file).unwrap();
    assert!(find(&run.cache(), &layer_of(&scan)).is_none());
    let trouble = run.cache().keep(&scan).unwrap();
    assert!(trouble.contains("--no-cache") && trouble.contains("layers"), "{trouble}");
    fs::remove_dir(&file).unwrap();
    assert!(std::process::Command::new("mkfifo").arg(&file).status().unwrap().success());
    assert!(find(&run.cache(), &layer_of(&scan)).is_none());
    run.cache().keep(&scan);
    assert!(find(&run.cache(), &layer_of(&scan)).is_some(), "it is replaced");
}

#[test]
fn where_nothing_can_be_written_it_is_said_once() {
    let run = Run::new();
    let scan = run.scan(&rich());
    let root = run.directory.path().join(place::LAYERS);
    let cache = run.cache();
    fs::write(&root, "in the way").unwrap();
    assert!(cache.keep(&scan).is_some());
    assert_eq!(cache.keep(&scan), None);
    assert!(
        Cache::open(run.directory.path(), 1, key(), &run.analyzers, &Config::default(), &[])
            .is_err()
    );
}

#[test]
fn what_was_sealed_with_another_key_is_not_believed() {
    let run = Run::new();
    let scan = run.scan(&rich());
    run.cache().keep(&scan);
    let mut other = run.cache();
    other.key = Key::of_text("of somebody else's tests").unwrap();
    assert!(find(&other, &layer_of(&scan)).is_none());
    assert!(find(&run.cache(), &layer_of(&scan)).is_some());
}

#[test]
fn a_file_or_directory_that_others_may_write_is_not_believed() {
    use std::os::unix::fs::PermissionsExt;
    let run = Run::new();
    let scan = run.scan(&rich());
    run.cache().keep(&scan);
    let [file] = &run.files()[..] else { panic!("there is one") };
    let believed = || find(&run.cache(), &layer_of(&scan)).is_some();
    fs::set_permissions(file, fs::Permissions::from_mode(0o620)).unwrap();
    assert!(!believed());
    fs::set_permissions(file, fs::Permissions::from_mode(0o600)).unwrap();
    assert!(believed());
    let set = file.parent().unwrap();
    fs::set_permissions(set, fs::Permissions::from_mode(0o770)).unwrap();
    let open = Cache::open(run.directory.path(), 1, key(), &run.analyzers, &Config::default(), &[]);
    assert!(open.is_err());
}

#[test]
fn where_anybody_may_write_nothing_is_believed() {
    use std::os::unix::fs::PermissionsExt;
    let run = Run::new();
    run.cache().keep(&run.scan(&rich()));
    let root = run.directory.path().join(place::LAYERS);
    fs::set_permissions(&root, fs::Permissions::from_mode(0o777)).unwrap();
    let open = Cache::open(run.directory.path(), 1, key(), &run.analyzers, &Config::default(), &[]);
    assert!(open.unwrap_err().to_string().contains("chmod go-w"));
}

/// Layers of 100 incompressible kB each.
fn numbered(run: &Run, number: u8) -> LayerScan {
    let mut noise = u64::from(number) + 1;
    let mut content = || {
        noise ^= noise << 13;
        noise ^= noise >> 7;
        noise ^= noise << 17;
        noise as u8
    };
    let content: Vec<u8> = (0..100_000).map(|_| content()).collect();
    run.scan(&tar(&[Regular("var/lib/rpm/Packages", &content)]))
}

fn set_age(run: &Run, scan: &LayerScan, hours: u64) {
    let file = run.cache().directory.join(scan.diff_id.hex());
    let used = SystemTime::now() - Duration::from_secs(hours * 3600);
    fs::File::open(file).unwrap().set_times(FileTimes::new().set_modified(used)).unwrap();
}

#[test]
fn what_was_not_used_for_the_longest_time_makes_room() {
    let run = Run::new();
    let cache = run.cache_of(500_000, &Config::default());
    let scans: Vec<_> = (0..6).map(|number| numbered(&run, number)).collect();
    for (number, scan) in scans[..4].iter().enumerate() {
        cache.keep(scan);
        set_age(&run, scan, 10 - number as u64);
    }
    cache.evict();
    assert!(scans[..4].iter().all(|scan| run.cache().directory.join(scan.diff_id.hex()).exists()));
    // The oldest is used, and so is the youngest.
    assert!(find(&cache, &layer_of(&scans[0])).is_some());
    scans[4..].iter().for_each(|scan| assert_eq!(cache.keep(scan), None));
    cache.evict();
    let left = scans.iter().map(|scan| find(&cache, &layer_of(scan)).is_some());
    assert_eq!(left.collect::<Vec<_>>(), [true, false, false, true, true, true]);
    let size = status(run.directory.path()).unwrap().size;
    assert!(size <= 450_000, "{size}");
}

#[test]
fn a_layer_that_would_drive_out_all_others_is_not_kept() {
    let run = Run::new();
    let scan = numbered(&run, 0);
    let cache = run.cache_of(300_000, &Config::default());
    assert_eq!(cache.keep(&scan), None);
    assert_eq!(run.files(), Vec::<PathBuf>::new());
}

#[test]
fn cleaning_removes_what_is_the_caches_and_nothing_else() {
    let run = Run::new();
    let directory = run.directory.path();
    assert_eq!(status(directory).unwrap().layers, 0);
    assert_eq!(clean(directory, None).unwrap(), Cleaned::default());
    let scans = [numbered(&run, 0), numbered(&run, 1)];
    scans.iter().for_each(|scan| assert_eq!(run.cache().keep(scan), None));
    set_age(&run, &scans[0], 50);
    let set = run.cache().directory;
    let [foreign, abandoned, in_work] =
        ["notes.txt", ".new-abandoned", ".new-work"].map(|name| set.join(name));
    for path in [&foreign, &abandoned, &in_work] {
        fs::write(path, "x").unwrap();
    }
    let long_ago = FileTimes::new().set_modified(SystemTime::now() - 2 * Duration::from_secs(3600));
    fs::File::open(&abandoned).unwrap().set_times(long_ago).unwrap();
    let other = directory.join("layers/0123456789abcdef-0123456789abcdef");
    fs::create_dir(&other).unwrap();
    fs::write(other.join("0".repeat(64)), "of an older version").unwrap();
    let found = status(directory).unwrap();
    assert_eq!((found.layers, found.usable, found.unfinished), (3, 2, 2));
    let day = Duration::from_secs(24 * 3600);
    assert_eq!(clean(directory, Some(day)).unwrap().layers, 1);
    assert_eq!(clean(directory, Some(3600 * day)).unwrap().layers, 0);
    assert_eq!(clean(directory, None).unwrap().layers, 2);
    assert!(foreign.exists() && in_work.exists() && !abandoned.exists() && !other.exists());
}

#[test]
fn many_at_once_find_the_right_layers_while_others_make_room() {
    let run = Run::new();
    let scans: Vec<_> = (0..6).map(|number| numbered(&run, number)).collect();
    std::thread::scope(|scope| {
        for thread in 0..8 {
            let (run, scans) = (&run, &scans);
            scope.spawn(move || {
                for turn in 0..20 {
                    // Each turn is a run of its own, as of a process.
                    let cache = run.cache_of(500_000, &Config::default());
                    let scan = &scans[(thread + turn) % scans.len()];
                    match find(&cache, &layer_of(scan)) {
                        Some(found) => assert_same(&found, scan),
                        None => assert_eq!(cache.keep(scan), None),
                    }
                    match turn % 5 {
                        4 => drop(clean(run.directory.path(), None).unwrap()),
                        _ => cache.evict(),
                    }
                }
            });
        }
    });
    assert!(run.cache_of(500_000, &Config::default()).keep(&scans[0]).is_none());
    assert_eq!(status(run.directory.path()).unwrap().unfinished, 0);
}

/// Blobs that count which of them are opened.
struct Counting<'a> {
    blobs: &'a BTreeMap<BlobDigest, Vec<u8>>,
    opened: Mutex<Vec<BlobDigest>>,
}

impl Blobs for Counting<'_> {
    fn open(&self, layer: &LayerRef) -> anyhow::Result<Box<dyn Read + Send + '_>> {
        let digest = layer.digest.unwrap();
        self.opened.lock().unwrap().push(digest);
        Ok(Box::new(&self.blobs[&digest][..]))
    }
}

/// Which layers were said to be in the cache.
#[derive(Default)]
struct Cached(Mutex<Vec<usize>>);

impl Progress for Cached {
    fn tell(&self, event: Event<'_>) {
        if let Event::LayerCached { number, .. } = event {
            self.0.lock().unwrap().push(number);
        }
    }
}

#[test]
fn of_an_image_that_shares_all_but_one_layer_only_that_one_is_opened() {
    let run = Run::new();
    let make = |content: &[u8]| gzip(&tar(&[Regular("etc/passwd", content), Make::Directory("d")]));
    let blobs: Vec<Vec<u8>> = [&b"a"[..], b"b", b"c", b"d"].map(make).into();
    let layers: Vec<LayerRef> = blobs.iter().map(|blob| layer_of(&run.scan(blob))).collect();
    let blobs = layers.iter().map(|layer| layer.digest.unwrap()).zip(blobs).collect();
    let read = |layers: &[LayerRef]| {
        let blobs = Counting { blobs: &blobs, opened: Mutex::default() };
        let image = Image { layers: layers.to_vec(), ..Image::default() };
        let cached = Cached::default();
        let scans = read_all(&image, &blobs, &run.pass(), 1, &cached).unwrap();
        for (scan, layer) in scans.iter().zip(layers) {
            assert_same(scan, &run.scan(&blobs.blobs[&layer.digest.unwrap()]));
        }
        (blobs.opened.into_inner().unwrap(), cached.0.into_inner().unwrap().len())
    };
    assert_eq!(read(&layers[..3]).0.len(), 3);
    assert_eq!(read(&layers[..3]), (vec![], 3));
    let [first, second, _, fourth] = &layers[..] else { panic!() };
    let other = [first.clone(), second.clone(), fourth.clone()];
    assert_eq!(read(&other), (vec![fourth.digest.unwrap()], 2));
}

#[test]
fn a_layer_that_is_not_what_the_image_says_is_not_kept() {
    let run = Run::new();
    let blob = rich();
    let layer = LayerRef { diff_id: Digest([1; 32]).into(), ..layer_of(&run.scan(&blob)) };
    let blobs = BTreeMap::from([(layer.digest.unwrap(), blob)]);
    let blobs = Counting { blobs: &blobs, opened: Mutex::default() };
    let image = Image { layers: vec![layer], ..Image::default() };
    assert!(read_all(&image, &blobs, &run.pass(), 1, &Silent).is_err());
    assert_eq!(status(run.directory.path()).unwrap().layers, 0);
}

#[test]
fn a_layer_that_passes_by_is_hashed_before_it_is_believed() {
    let run = Run::new();
    let tar = rich();
    let scan = run.scan(&tar);
    let hex = scan.diff_id.hex();
    for name in [format!("blobs/sha256/{hex}"), format!("{hex}.tar"), "0/layer.tar".to_owned()] {
        for turn in 0..2 {
            let cached = Cached::default();
            let found =
                read_passing(&name, &mut &tar[..], 0, &run.pass(), &Stored::default(), &cached)
                    .unwrap();
            assert_same(&found, &scan);
            let was_cached = !cached.0.lock().unwrap().is_empty();
            assert_eq!(was_cached, turn == 1 && !name.starts_with('0'));
        }
        clean(run.directory.path(), None).unwrap();
    }
    run.cache().keep(&scan);
    let other = self::tar(&[Regular("a", b"other")]);
    let error = read_passing(
        &format!("{hex}.tar"),
        &mut &other[..],
        0,
        &run.pass(),
        &Stored::default(),
        &Silent,
    );
    assert!(error.unwrap_err().to_string().contains("digest mismatch"));
}

#[test]
fn with_a_malware_scanner_every_layer_is_read() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let place = listener.local_addr().unwrap().to_string();
    let clamd = std::thread::spawn(move || {
        let (mut socket, _) = listener.accept().unwrap();
        socket.read_exact(&mut [0; b"zVERSION\0".len()]).unwrap();
        socket.write_all(b"ClamAV 1.0\0").unwrap();
    });
    let run = Run::new();
    let mut pass = run.pass();
    assert!(pass.usable_cache().is_some());
    pass.malware = Some(Scanner::find(Some(&place)).unwrap());
    clamd.join().unwrap();
    assert!(pass.usable_cache().is_none());
}

#[test]
fn only_what_a_scan_is_made_of_is_kept() {
    let run = Run::new();
    let mut scan = run.scan(&rich());
    scan.malware.insert(1, "Eicar".to_owned());
    let mut written = Vec::new();
    scan::write(&scan, &mut written).unwrap();
    assert!(!written.windows(5).any(|window| window == b"Eicar"));
    assert!(scan.entries.iter().any(|entry| entry.kind == EntryKind::HardLink));
}
