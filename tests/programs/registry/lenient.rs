//! What registries, and what stands before them, do in ways of their own and every client takes.

use std::collections::HashMap;
use std::io::Write;
use std::process::Command;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use flate2::Compression;
use flate2::write::GzEncoder;
use inscan_test_support::IMAGE as DEMO;
use serde_json::{Value, json};

use super::parts::{document, inscan, refused};
use super::server::{Request, Response, Server};

/// The demo image: every blob by its digest, the manifest's among them.
struct Image {
    blobs: HashMap<String, Vec<u8>>,
    manifest: String,
}

fn image() -> Image {
    let directory = tempfile::tempdir().unwrap();
    let unpacked = Command::new("tar").args(["-xf", DEMO, "-C"]).arg(directory.path()).status();
    assert!(unpacked.unwrap().success());
    let files = std::fs::read_dir(directory.path().join("blobs/sha256")).unwrap();
    let blob = |file: std::fs::DirEntry| {
        let name = format!("sha256:{}", file.file_name().to_string_lossy());
        (name, std::fs::read(file.path()).unwrap())
    };
    let blobs = files.map(|file| blob(file.unwrap())).collect();
    let index = std::fs::read(directory.path().join("index.json")).unwrap();
    let index: Value = serde_json::from_slice(&index).unwrap();
    let manifest = index["manifests"][0]["digest"].as_str().unwrap().to_owned();
    Image { blobs, manifest }
}

impl Image {
    fn answer(&self, request: &Request) -> Response {
        let last = request.path.rsplit('/').next().unwrap_or_default();
        let digest = if last == "1" { &self.manifest } else { last };
        match self.blobs.get(digest) {
            Some(bytes) => Response::new(200, &[("docker-content-digest", digest)], bytes),
            None => Response::new(404, &[], b"{}"),
        }
    }
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut gzip = GzEncoder::new(Vec::new(), Compression::fast());
    gzip.write_all(bytes).unwrap();
    gzip.finish().unwrap()
}

#[track_caller]
fn is_read(server: &Server) {
    document(inscan(&["analyze", &server.at("team/demo:1"), "-q"]));
}

#[test]
fn an_encoding_is_undone_where_there_is_one_and_not_where_it_is_only_said() {
    for with_length in [true, false] {
        for really in [true, false] {
            let image = image();
            let server = Server::start(move |request, socket| {
                let mut response = image.answer(request);
                response.headers.push(("Content-Encoding".to_owned(), "gzip".to_owned()));
                if really {
                    response.body = gzip(&response.body);
                }
                let length = with_length.then_some(response.body.len());
                let _ = socket.write_all(response.head(length).as_bytes());
                let _ = socket.write_all(&response.body);
            });
            is_read(&server);
        }
    }
}

/// A registry that wants a token; `hides` answers whoever has none for what lies there.
fn private(hides: impl Fn(&Request) -> Option<Response> + Send + Sync + 'static) -> Server {
    let image = image();
    Server::of(move |request| {
        let host = request.header("host").unwrap_or_default();
        let bearer = format!("Bearer realm=\"http://{host}/token\",service=\"test\"");
        let challenge = Response::new(401, &[("WWW-Authenticate", &bearer)], b"{}");
        if request.path.starts_with("/token") {
            return match request.header("authorization") {
                Some(_) => Response::new(200, &[], br#"{"token": "", "Access_Token": "good"}"#),
                None => Response::new(401, &[], b"{}"),
            };
        }
        match (request.header("authorization"), &*request.path) {
            (Some("Bearer good"), _) => image.answer(request),
            (_, "/v2/") => challenge,
            _ => hides(request).unwrap_or(challenge),
        }
    })
}

#[test]
fn what_a_registry_hides_is_shown_to_who_logs_in() {
    for status in [401, 403, 404] {
        let server = private(move |_| Some(Response::new(status, &[], b"{}")));
        let directory = tempfile::tempdir().unwrap();
        let entry = json!({"auth": STANDARD.encode("me:secret")});
        let host = format!("127.0.0.1:{}", server.port);
        let file = directory.path().join("config.json");
        std::fs::write(&file, json!({"auths": {host: entry}}).to_string()).unwrap();
        let image = server.at("team/demo:1");
        let mut command = inscan(&["analyze", &image, "-q"]);
        command.env("DOCKER_CONFIG", directory.path());
        document(command);
        // Without credentials it is what it was.
        let code = if status == 404 { 2 } else { 3 };
        let said = refused(inscan(&["analyze", &image, "-q"]), code);
        assert!(said.contains("log in"), "{said}");
    }
}

#[test]
fn an_image_is_called_by_the_digest_that_was_asked_for() {
    let image = image();
    let digest = image.manifest.clone();
    let server = Server::of(move |request| image.answer(request));
    let name = format!("127.0.0.1:{}/team/demo", server.port);
    for (asked, expected) in [
        (format!("{name}:1"), format!("{name}:1")),
        (format!("{name}@{digest}"), format!("{name}@{digest}")),
        (format!("{name}:1@{digest}"), format!("{name}:1")),
    ] {
        let image = document(inscan(&["analyze", &format!("docker://{asked}"), "-q"]));
        assert_eq!(image["inscan"]["image"]["reference"], expected);
    }
}
