//! The facts that policies are judged by are the same whether they are taken from an analysis in
//! memory or from the document that it writes.
//!
//! Beside our own image, the images of the acceptance data; those are skipped where they are not
//! there.

use std::fs;
use std::path::{Path, PathBuf};

use inscan_analyzers::Config;
use inscan_document::{self as document, Overrides, Run};
use inscan_image::analyze::analyze;
use inscan_image::document::{Outputs, identity, write};
use inscan_image::layer::{self, Pass};
use inscan_image::progress::Silent;
use inscan_image::source::{self, OpenOptions, Opened, Reference};
use inscan_judge::facts::DocumentFacts;
use inscan_test_support::{IMAGE, oracle::oracle};

/// What is larger takes a debug build too long.
const MAX_SIZE: u64 = 40 << 20;

#[test]
fn an_analysis_and_its_document_tell_the_same() {
    let mut images = vec![PathBuf::from(IMAGE)];
    images.extend(oracle_images());
    for image in images {
        let (mut files, mut packages) = (0, 0);
        with_both(&image, |written, made| {
            assert_eq!(told(written), told(made), "{}", image.display());
            files = written.files().unwrap().iter().len();
            packages = written.packages().unwrap().len();
        });
        if image.ends_with("demo.oci.tar") {
            assert!(files > 100 && packages > 5, "{files} files, {packages} packages");
        }
    }
}

/// Everything that can be asked, as text.
fn told(facts: &DocumentFacts<'_>) -> Vec<String> {
    let files = facts.files().unwrap();
    let mut told = vec![
        format!("{:#?}", facts.image().unwrap()),
        format!("{:#?}", files),
        format!("{:#?}", facts.packages().unwrap()),
        format!("{:#?}", facts.package_files().unwrap()),
        format!("{:#?}", facts.secrets()),
        format!("{:#?}", facts.content_matches()),
        format!("{:#?}", facts.accounts().unwrap()),
        format!("{:#?}", facts.malware().unwrap()),
    ];
    for path in ["/etc/passwd", "/etc/hosts", "/etc/empty", "/nowhere"] {
        told.push(format!("{path} {:?}", facts.content(path).unwrap()));
    }
    for file in files.iter() {
        let sums = ["md5", "sha1", "sha256", "sha512"].map(|name| facts.sum(name, file.path));
        told.push(format!("{} {sums:?}", file.path));
    }
    told
}

fn with_both(archive: &Path, judge: impl FnOnce(&DocumentFacts<'_>, &DocumentFacts<'_>)) {
    let config = r#"
        {"retrieve_files": {"file_list": ["/etc/passwd", "/etc/hosts", "/etc/empty"]},
         "secret_search": {"regexp_match": ["PASSWORDS=(?i).*password *[:=] *.*", "^root"]},
         "content_search": {"regexp_match": ["ROOT=^root", "EQ=a=b"]}}"#;
    let config: Config = serde_json::from_str(config).unwrap();
    let analyzers = inscan_analyzers::all(&config);
    let pass = Pass::new(&analyzers, Vec::new());
    let reference = Reference::parse(&format!("oci-archive:{}", archive.display())).unwrap();
    let opened = source::open(&reference, &OpenOptions::default(), &Silent).unwrap();
    let Opened::Image { mut image, blobs } = opened else { panic!("not an image") };
    let layers = layer::read_all(&image, &*blobs, &pass, 2, &Silent).unwrap();
    source::complete(&mut image, &layers).unwrap();
    let analysis = analyze(&image, &layers, &analyzers);
    let identity = identity(&image, Overrides::default());

    let mut text = Vec::new();
    write(&analysis, &identity, &Run::default(), &mut text).unwrap();
    let section = document::read(&text).unwrap();
    let written = DocumentFacts::of_document(&text, &section).unwrap();
    let made = DocumentFacts::of_analysis(Outputs::of(&analysis, &identity), &section);
    judge(&written, &made);
}

fn oracle_images() -> Vec<PathBuf> {
    let Some(oracle) = oracle() else { return Vec::new() };
    let entries = fs::read_dir(oracle.join("images")).unwrap();
    let images = entries.map(|entry| entry.unwrap().path().join("image.oci.tar"));
    images.filter(|image| fs::metadata(image).is_ok_and(|file| file.len() < MAX_SIZE)).collect()
}
