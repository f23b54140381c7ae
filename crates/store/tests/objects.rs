//! Contents in a bucket, where `INSCAN_TEST_S3` names one (`tests/s3`). What of it goes wrong comes
//! from a server in this file.
#![cfg(feature = "s3")]

use std::collections::HashSet;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::thread;
use std::time::Duration;

use inscan_net::{NetOptions, Retry, Secret};
use inscan_store::{Blobs, BucketPlace, Contents, Credentials, Error, Place, Store, Usual};

fn net() -> NetOptions {
    let retry = Retry { attempts: 3, first_wait: Duration::from_millis(1), ..Retry::default() };
    NetOptions { retry, stall_timeout: Duration::from_secs(5), ..NetOptions::default() }
}

fn open(address: &str, secret: &str) -> (tempfile::TempDir, Store, Result<Blobs, Error>) {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(&Place::Folder(folder.path().to_owned()), &[]).unwrap();
    let id = std::env::var("AWS_ACCESS_KEY_ID").unwrap_or_else(|_| "id".to_owned());
    let credentials = Credentials::Keys { id, secret: Secret::new(secret), token: None };
    let place = BucketPlace::parse(address, Usual::default(), credentials, net()).unwrap();
    let blobs = Blobs::open(&Contents::Bucket(Box::new(place)), folder.path());
    (folder, store, blobs)
}

/// The address of the bucket with a prefix of its own, and the secret key.
fn real(prefix: &str) -> Option<(String, String)> {
    let address = std::env::var("INSCAN_TEST_S3").ok()?;
    let secret = std::env::var("AWS_SECRET_ACCESS_KEY").unwrap();
    let (bucket, query) = address.split_once('?').unwrap();
    Some((format!("{bucket}/{prefix}-{}?{query}", std::process::id()), secret))
}

#[test]
fn contents_are_kept_read_listed_and_removed() {
    let Some((address, secret)) = real("kept") else { return };
    let (_folder, store, blobs) = open(&address, &secret);
    let blobs = blobs.unwrap();
    let large: Vec<u8> =
        (0..9_000_000u32).map(|number| (number.wrapping_mul(2_654_435_761) >> 13) as u8).collect();
    for content in [&b""[..], b"some content", &large] {
        let blob = blobs.put(&store, &mut &content[..]).unwrap();
        assert_eq!(blobs.put(&store, &mut &content[..]).unwrap(), blob);
        assert_eq!(blobs.get(&blob.digest, 10_000_000).unwrap(), content);
        store.write(|tx| blob.keep(tx, 1)).unwrap();
    }
    assert!(matches!(blobs.get(&"0".repeat(64), 9), Err(Error::NoBlob(_))));
    let checked = blobs.check(&store, &mut |_| {}).unwrap();
    assert_eq!((checked.whole, checked.orphans, checked.wrong), (3, 0, Vec::new()));
    // All of them are young.
    let nothing = |_: &inscan_store::Tx<'_>, _: &str| Ok(HashSet::new());
    assert_eq!(blobs.collect(&store, &nothing).unwrap(), (0, 0));
}

#[test]
fn a_wrong_key_and_a_wrong_name_are_told_at_the_start() {
    let Some((address, _)) = real("wrong") else { return };
    let told = open(&address, "another-word").2.unwrap_err().to_string();
    assert!(
        told.contains("SignatureDoesNotMatch") && told.contains("the secret key is another one"),
        "{told}"
    );
    let (address, secret) = real("wrong").unwrap();
    let told =
        open(&address.replace("s3://inscan", "s3://nothing"), &secret).2.unwrap_err().to_string();
    assert!(told.contains("NoSuchBucket") && told.contains("has to be made first"), "{told}");
}

const LIST: &str = "<ListBucketResult xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"><MaxKeys>1</MaxKeys></ListBucketResult>";

/// A store that answers the first request with an empty list, and then as it is told, in turn.
fn faulty(answers: Vec<Vec<u8>>) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let list = format!(
        "HTTP/1.1 200 OK\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{LIST}",
        LIST.len()
    );
    thread::spawn(move || {
        for answer in std::iter::once(list.into_bytes()).chain(answers) {
            let (stream, _) = listener.accept().unwrap();
            let mut reader = BufReader::new(stream);
            let mut length = 0;
            loop {
                let mut line = String::new();
                reader.read_line(&mut line).unwrap();
                if let Some(value) = line.to_lowercase().strip_prefix("content-length:") {
                    length = value.trim().parse().unwrap();
                }
                if line.trim().is_empty() {
                    break;
                }
            }
            std::io::copy(&mut (&mut reader).take(length), &mut std::io::sink()).unwrap();
            let _ = reader.into_inner().write_all(&answer);
        }
    });
    format!("s3://things?endpoint=http://127.0.0.1:{port}")
}

fn answer(status: &str, body: &[u8], length: usize) -> Vec<u8> {
    let head = format!(
        "HTTP/1.1 {status}\r\ncontent-length: {length}\r\nlast-modified: Mon, 30 Nov 2026 10:00:00 GMT\r\nconnection: close\r\n\r\n"
    );
    [head.as_bytes(), body].concat()
}

const DIGEST: &str = "290f493c44f5d63d06b374d0a5abd292fae38b92cab2fae5efefe1b0e9347f56";

#[test]
fn what_breaks_off_or_is_refused_for_a_moment_is_asked_for_again() {
    let whole = zstd::encode_all(&b"some content"[..], 3).unwrap();
    let cut = whole.len() / 2;
    let address = faulty(vec![
        answer("503 Slow Down", b"", 0),
        answer("200 OK", &whole[..cut], whole.len()),
        answer("200 OK", &whole[..cut], cut),
        answer("200 OK", &whole, whole.len()),
    ]);
    let (_folder, _store, blobs) = open(&address, "word");
    assert_eq!(blobs.unwrap().get(DIGEST, 99).unwrap(), b"some content");
}

#[test]
fn another_content_than_was_asked_for_is_never_believed() {
    let other = zstd::encode_all(&b"some contenT"[..], 3).unwrap();
    let address = faulty(vec![answer("200 OK", &other, other.len()); 4]);
    let (_folder, _store, blobs) = open(&address, "word");
    assert!(matches!(blobs.unwrap().get(DIGEST, 99), Err(Error::BlobDamaged(_))));
}

#[test]
fn what_is_not_kept_whole_is_not_acknowledged() {
    let gone = || answer("404 Not Found", b"", 0);
    let short = answer("200 OK", b"", 3);
    let address = faulty(vec![gone(), answer("200 OK", b"", 0), short]);
    let (_folder, store, blobs) = open(&address, "word");
    let told = blobs.unwrap().put(&store, &mut &b"some content"[..]).unwrap_err().to_string();
    assert!(told.contains("says that it keeps"), "{told}");
}
