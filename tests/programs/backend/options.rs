//! Who we are, what is refused, and what is never said.

use std::fs;
use std::io::Write;
use std::net::TcpStream;
use std::path::Path;
use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use serde_json::json;

use super::parts::{DEMO, TAG, archive, ends, inscan, served, stderr, stdout, upload};
use super::server::{self, Answers, Request, Response};
use super::stand_in::{Behaviour, TOKEN, members};

#[test]
fn the_token_is_taken_from_many_places_and_said_in_none() {
    let Some(served) = served(Behaviour { looks: 0, ..Behaviour::default() }) else { return };
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("token");
    fs::write(&file, format!("{TOKEN}\n")).unwrap();
    let archive = archive().to_str().unwrap();
    let url = served.url();
    let arguments = ["upload", archive, "--url", &url];
    let with = |more: &[&str]| {
        let mut command = inscan(&arguments);
        command.args(more);
        command
    };
    ends(with(&["--token-file", file.to_str().unwrap()]), 0);
    let mut from_stdin = with(&["--token-file", "-"]);
    let child = from_stdin.stdin(Stdio::piped()).stdout(Stdio::null()).spawn();
    let mut child = child.unwrap();
    child.stdin.take().unwrap().write_all(TOKEN.as_bytes()).unwrap();
    assert!(child.wait().unwrap().success());
    let typed = ends(with(&["--token", TOKEN]), 0);
    assert!(stderr(&typed).contains("can be seen by others"), "{}", stderr(&typed));
    for name in ["INSCAN_TOKEN", "SYSDIG_API_TOKEN", "SDC_TOKEN"] {
        let mut command = with(&[]);
        let output = ends(
            {
                command.env(name, TOKEN);
                command
            },
            0,
        );
        let said = stderr(&output) + &stdout(&output);
        assert!(!said.contains(TOKEN) && !said.contains("can be seen"), "{said}");
    }
    let mut command = inscan(&["upload", archive]);
    command.env("SDC_URL", &url).env("SDC_TOKEN", TOKEN);
    ends(command, 0);
}

#[test]
fn what_is_missing_is_said_before_anything_is_done() {
    let archive = archive().to_str().unwrap();
    let said = |arguments: &[&str], variables: &[(&str, &str)]| {
        let mut command = inscan(arguments);
        command.envs(variables.iter().copied());
        let output = ends(command, 2);
        assert!(output.stdout.is_empty());
        stderr(&output)
    };
    let token = [("INSCAN_TOKEN", TOKEN)];
    for (arguments, variables, expected) in [
        (&["upload", archive][..], &token[..], "no backend is named"),
        (&["upload", archive, "--url", "http://127.0.0.1:1"], &[], "no token for the backend"),
        (&["upload", archive, "--url", "https://me:secret@x"], &token, "belong elsewhere"),
        (&["upload", archive, "--url", "ftp://x"], &token, "neither http nor https"),
        (
            &["upload", archive, "--url", "x", "--backend", "anchore"],
            &[("ANCHORE_CLI_PASS", "x")],
            "a user and a password",
        ),
        (&["upload", "-", "--url", "x", "--token-file", "-"], &[], "cannot have the token too"),
        (
            &["upload", archive, "--url", "x", "--token-file", "/no/such"],
            &[],
            "could not read the token",
        ),
    ] {
        let said = said(arguments, variables);
        assert!(said.contains(expected) && !said.contains("secret"), "{said}");
    }
}

#[test]
fn names_are_given_to_an_archive_when_it_is_made() {
    let Some(served) = served(Behaviour::default()) else { return };
    let mut command =
        inscan(&["upload", archive().to_str().unwrap(), "--tag", "x", "--url", &served.url()]);
    let said = stderr(&ends(
        {
            command.env("INSCAN_TOKEN", TOKEN);
            command
        },
        2,
    ));
    assert!(said.contains("names of its own"), "{said}");
}

#[test]
fn a_wrong_token_is_told_as_the_server_tells_it() {
    let Some(served) = served(Behaviour::default()) else { return };
    let mut command = inscan(&["upload", DEMO, "--tag", TAG, "--url", &served.url()]);
    let output = ends(
        {
            command.env("INSCAN_TOKEN", "another-token-9f");
            command
        },
        3,
    );
    let said = stderr(&output);
    assert!(said.contains("Unauthorized (401 Unauthorized)"), "{said}");
    assert!(!said.contains("another-token-9f") && output.stdout.is_empty(), "{said}");
    assert_eq!(served.asked().len(), 1, "nothing is asked again");
}

/// Takes the head of what is sent, and nothing more.
struct Stalls;

impl Answers for Stalls {
    fn cut(&self, head: &Request, _length: u64) -> Option<u64> {
        if head.method == "POST" {
            std::thread::sleep(Duration::from_secs(20));
        }
        None
    }

    fn answer(&self, request: &Request, socket: &mut TcpStream) {
        let (status, body) = match request.place().ends_with("/status") {
            true => (200, json!({"version": "0.8.2"})),
            false => (404, json!({"message": "image not found in DB"})),
        };
        Response::json(status, &body).send(socket);
    }
}

/// Larger than what lies between, and of nothing that can be packed.
#[test]
#[cfg(target_os = "linux")]
fn an_upload_that_is_not_taken_is_given_up() {
    let mut members: Vec<_> = members(&fs::read(archive()).unwrap()).unwrap().into_iter().collect();
    let mut number = 1u64;
    let noise = std::iter::repeat_with(|| {
        number = number.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (number >> 56) as u8
    });
    members.push(("more".to_owned(), noise.take(32 << 20).collect()));
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("archive.tgz");
    pack(&path, &members);
    let url = format!("http://127.0.0.1:{}", server::start(Arc::new(Stalls)));
    let mut command = inscan(&["upload", path.to_str().unwrap(), "--url", &url]);
    command.args(["--stall-timeout", "1", "--retries", "0"]).env("INSCAN_TOKEN", TOKEN);
    let begun = Instant::now();
    let said = stderr(&ends(command, 3));
    assert!(said.contains("taking the archive"), "{said}");
    assert!(begun.elapsed() < Duration::from_secs(15), "{said}");
}

fn pack(path: &Path, members: &[(String, Vec<u8>)]) {
    let file = fs::File::create(path).unwrap();
    let gzip = flate2::write::GzEncoder::new(file, flate2::Compression::fast());
    let mut tar = tar::Builder::new(gzip);
    for (name, content) in members {
        let mut header = tar::Header::new_ustar();
        header.set_size(content.len() as u64);
        tar.append_data(&mut header, name, &content[..]).unwrap();
    }
    tar.into_inner().unwrap().finish().unwrap();
}

#[test]
fn the_engines_refusals_are_told() {
    let Some(served) = served(Behaviour::default()) else { return };
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("archive.tgz");
    // The engine misses an artifact that the manifest names: cut out with another tar.
    let mut members: Vec<_> = members(&fs::read(archive()).unwrap()).unwrap().into_iter().collect();
    members.retain(|(name, _)| name != "image_content");
    pack(&path, &members);
    let mut command = inscan(&["upload", path.to_str().unwrap(), "--url", &served.url()]);
    let output = ends(
        {
            command.env("INSCAN_TOKEN", TOKEN);
            command
        },
        3,
    );
    let said = stderr(&output);
    assert!(
        said.contains("Error importing image archive: \"filename 'image_content' not found\""),
        "{said}"
    );
    let posts = served.asked().into_iter().filter(|call| call.starts_with("POST")).count();
    assert_eq!(posts, 1, "what is refused for good is not sent again");
}

/// Its first import breaks off, and leaves the image behind.
struct BreaksOff {
    posts: AtomicU32,
    engines_own: bool,
}

impl Answers for BreaksOff {
    fn answer(&self, request: &Request, socket: &mut TcpStream) {
        let unknown = json!({"message": "image not found in DB", "httpcode": 404});
        let response = match (&*request.method, request.place().ends_with("/status")) {
            ("POST", _) if self.posts.fetch_add(1, Ordering::Relaxed) > 0 => {
                let message = "Conflict: Image already exists in system. No restore possible";
                Response::json(500, &json!({"message": message, "httpcode": 500}))
            }
            ("POST", _) if self.engines_own => {
                let message = "value too long for type character varying(74)";
                Response::json(500, &json!({"message": message, "httpcode": 500}))
            }
            ("POST", _) => Response::json(503, &json!({"message": "worker died"})),
            (_, true) => Response::json(200, &json!({"version": "0.8.2"})),
            _ => Response::json(404, &unknown),
        };
        response.send(socket);
    }
}

#[test]
fn why_an_import_broke_off_is_told_also_when_it_shows_later() {
    for (engines_own, expected, posts) in [
        (true, "value too long for type character varying(74) (500 Internal Server Error)", 1),
        (false, "before, the import had failed: ", 2),
    ] {
        let backend = Arc::new(BreaksOff { posts: AtomicU32::new(0), engines_own });
        let url = format!("http://127.0.0.1:{}", server::start(backend.clone()));
        let mut command = inscan(&["upload", archive().to_str().unwrap(), "--url", &url]);
        command.args(["--poll-interval", "0.001"]).env("INSCAN_TOKEN", TOKEN);
        let said = stderr(&ends(command, 3));
        assert!(said.contains(expected), "{said}");
        assert_eq!(backend.posts.load(Ordering::Relaxed), posts);
    }
}

#[test]
fn offline_asks_nobody() {
    let Some(served) = served(Behaviour::default()) else { return };
    let said = stderr(&ends(upload(&served, &["--offline"]), 2));
    assert!(said.contains("--offline") && served.asked().is_empty(), "{said}");
}
