//! Images in a registry, which is where the legacy scanner looks unless it is told otherwise.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read;
use std::net::TcpStream;
use std::sync::Arc;

use base64::Engine;
use inscan_test_support::Run;
use serde_json::{Value, json};

use super::backend::served;
use super::run::{DEMO, DIGEST, ID, Place};
use crate::backend::server::{self, Answers, Request, Response};
use crate::backend::stand_in::{Behaviour, TOKEN};

/// The demo image as `team/app:1`, for who has the password; and an index that has it as
/// `team/app:many`.
struct Registry {
    blobs: BTreeMap<String, Vec<u8>>,
    index: Vec<u8>,
    password: Option<&'static str>,
}

impl Registry {
    fn start(password: Option<&'static str>) -> u16 {
        let mut blobs = BTreeMap::new();
        let mut tar = tar::Archive::new(File::open(DEMO).unwrap());
        for entry in tar.entries().unwrap() {
            let mut entry = entry.unwrap();
            let path = entry.path().unwrap().to_string_lossy().into_owned();
            if let Some(hex) = path.strip_prefix("blobs/sha256/") {
                let mut content = Vec::new();
                entry.read_to_end(&mut content).unwrap();
                blobs.insert(format!("sha256:{hex}"), content);
            }
        }
        let platform = json!({"os": "linux", "architecture": "amd64"});
        let media_type = "application/vnd.oci.image.manifest.v1+json";
        let size = blobs[DIGEST].len();
        let index = json!({"schemaVersion": 2, "mediaType": "application/vnd.oci.image.index.v1+json",
            "manifests": [{"mediaType": media_type, "digest": DIGEST, "size": size, "platform": platform}]});
        server::start(Arc::new(Registry { blobs, index: index.to_string().into_bytes(), password }))
    }
}

impl Answers for Registry {
    fn answer(&self, request: &Request, socket: &mut TcpStream) {
        let pair = |password| {
            let pair = base64::engine::general_purpose::STANDARD.encode(format!("me:{password}"));
            format!("Basic {pair}")
        };
        let wanted = self.password.map(pair);
        if wanted.is_some() && request.header("authorization") != wanted.as_deref() {
            let challenge = [("WWW-Authenticate", "Basic realm=\"test\"")];
            return Response::new(401, &challenge, b"{}").send(socket);
        }
        let place = request.place();
        let manifest = [("Content-Type", "application/vnd.oci.image.manifest.v1+json")];
        let index = [("Content-Type", "application/vnd.oci.image.index.v1+json")];
        let found = match place.strip_prefix("/v2/team/app/").unwrap_or_default() {
            "" => Some((&manifest[..0], b"{}".as_slice())),
            "manifests/many" => Some((&index[..], self.index.as_slice())),
            "manifests/1" | "manifests/latest" => Some((&manifest[..], &*self.blobs[DIGEST])),
            other => {
                let digest = other.rsplit('/').next().unwrap_or_default();
                self.blobs.get(digest).map(|content| (&manifest[..], content.as_slice()))
            }
        };
        match found {
            Some((headers, content)) => Response::new(200, headers, content).send(socket),
            None => Response::new(404, &[], b"{}").send(socket),
        }
    }
}

fn scanned(place: &Place, url: &str, arguments: &[&str]) -> Run {
    let arguments = [&["-k", TOKEN, "-s", url, "--format=JSON"], arguments].concat();
    let mut command = place.command("sysdig-inline-scan.sh", &arguments);
    command.env("INSCAN_RETRIES", "0").env("HOME", "/nonexistent");
    command.run()
}

#[test]
fn an_image_is_read_from_its_registry_with_the_credentials_that_were_said() {
    let Some(backend) = served(Behaviour::default()) else { return };
    let url = backend.url();
    let place = Place::new();
    let port = Registry::start(Some("pass:word"));
    let image = format!("127.0.0.1:{port}/team/app:1");
    let basic = ["--registry-auth-basic", "me:pass:word", "--registry-skip-tls", &image];
    let object = scanned(&place, &url, &basic).ends(0).object();
    assert_eq!((&object["tag"], &object["digest"]), (&json!(image), &json!(DIGEST)));
    let first = format!("Inspecting image from remote repository -- {image}\n");
    assert!(object["log"].as_str().unwrap().starts_with(&first), "{}", object["log"]);

    // In the old form of a file, and in the new one.
    let auth = base64::engine::general_purpose::STANDARD.encode("me:pass:word");
    let entry = json!({format!("127.0.0.1:{port}"): {"auth": auth}});
    std::fs::write(place.path("dockercfg"), entry.to_string()).unwrap();
    std::fs::write(place.path("auth.json"), json!({"auths": entry}).to_string()).unwrap();
    scanned(&place, &url, &["--registry-auth-dockercfg", "dockercfg", &image]).ends(0);
    scanned(&place, &url, &["--registry-auth-file=auth.json", &image]).ends(0);

    let wrong = ["--registry-auth-basic", "me:another-password", &image];
    let run = scanned(&place, &url, &wrong).ends(3);
    let object = run.object();
    let error = object["error"].as_str().unwrap();
    assert!(error.starts_with("Failed to retrieve the image"), "{error}");
    assert!(!run.stdout.contains("another-password"), "{error}");
}

#[test]
fn an_image_for_several_platforms_has_the_digest_of_its_index() {
    let Some(backend) = served(Behaviour::default()) else { return };
    let place = Place::new();
    let port = Registry::start(None);
    let image = format!("127.0.0.1:{port}/team/app:many");
    let object = scanned(&place, &backend.url(), &[&image]).ends(0).object();
    let digest = object["digest"].as_str().unwrap();
    assert_ne!(digest, DIGEST);
    // By this digest the image is asked for, and so it was named.
    let by_digest = format!("127.0.0.1:{port}/team/app@{DIGEST}");
    let other = scanned(&place, &backend.url(), &[&by_digest]).ends(0).object();
    assert_eq!(other["digest"], DIGEST);
    assert_eq!(other["tag"], format!("127.0.0.1:{port}/team/app:latest"));
    let images = backend.backend.images.lock().unwrap();
    assert_eq!(images[digest].image_id, ID);
}

#[test]
fn the_first_generation_scans_line_by_line() {
    let Some(backend) = served(Behaviour { passes: false, ..Behaviour::default() }) else { return };
    let url = backend.url();
    let place = Place::new();
    let port = Registry::start(None);
    let image = format!("127.0.0.1:{port}/team/app:1");
    let first = || {
        let arguments = ["analyze", "-k", TOKEN, "-s", &url, "-P", &image];
        let mut command = place.command("inline_scan.sh", &arguments);
        command.env("INSCAN_RETRIES", "0").env("HOME", "/nonexistent");
        command.run()
    };
    let run = first().ends(1);
    let begin = format!(
        "Pulling image -- {image}

Repo name: team
Base image name: app
Tag name: 1

Image id: {ID}

using full image name: {image}
Saving app:1 for local analysis
 Analysis complete!

Sending analysis archive to {url}/api/scanning/v1
 Calling sync import endpoint
.
Scan Report - 
["
    );
    assert!(run.stdout.starts_with(&begin), "{}", run.stdout);
    // As its users' scripts find the status.
    let status = run.stdout.lines().find(|line| line.contains("\"status\": ")).unwrap();
    assert_eq!(status.split('"').nth(3), Some("fail"));
    let report = run.stdout.split("Scan Report - \n").nth(1).unwrap();
    let report = report.split("Status is fail\n").next().unwrap();
    let report: Value = serde_json::from_str(report).unwrap();
    assert_eq!(report[0][DIGEST][&image][0]["detail"], json!({}));
    let details = run.stdout.split("Result Details: \n").nth(1).unwrap();
    let (details, end) = details.split_once("View the full result @ ").unwrap();
    let details: Value = serde_json::from_str(details).unwrap();
    assert!(details[0][DIGEST][&image][0]["detail"]["result"].is_object());
    assert!(end.ends_with("can be generated with -R option.\n"), "{end}");

    backend.backend.behaviour.lock().unwrap().passes = true;
    let run = first().ends(0);
    assert!(run.stdout.contains("skipping analysis.\n"), "{}", run.stdout);
    assert!(run.stdout.contains("\nStatus is pass\n"), "{}", run.stdout);
    assert!(!run.stdout.contains("Result Details"), "{}", run.stdout);
}
