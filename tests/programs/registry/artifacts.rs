//! What a registry has that is no image, and layers that it does not have.

use inscan_test_support::digest;
use serde_json::{Value, json};

use super::parts::{inscan, refused};
use super::server::{Response, Server};

/// A registry that answers with one manifest, and has no blobs.
fn serving(media_type: &'static str, manifest: Value) -> Server {
    let body = manifest.to_string().into_bytes();
    let digest = digest(&body);
    Server::of(move |request| match request.path.contains("/manifests/") {
        true => Response::new(
            200,
            &[("Content-Type", media_type), ("Docker-Content-Digest", &digest)],
            &body,
        ),
        false => Response::new(404, &[], b""),
    })
}

const OCI: &str = "application/vnd.oci.image.manifest.v1+json";

#[track_caller]
fn check(media_type: &'static str, manifest: Value, code: i32, expected: &str) {
    let server = serving(media_type, manifest);
    let error = refused(inscan(&["scan", &server.at("app:1")]), code);
    assert!(error.contains(expected), "{error}");
}

#[test]
fn what_is_no_image_is_called_by_its_name() {
    let descriptor =
        |media_type: &str| json!({"mediaType": media_type, "size": 2, "digest": digest(b"{}")});
    let artifact = |config: &str, layer: &str, kind: &str| json!({"schemaVersion": 2, "artifactType": kind, "config": descriptor(config), "layers": [descriptor(layer)]});
    check(
        OCI,
        artifact(
            "application/vnd.cncf.helm.config.v1+json",
            "application/vnd.cncf.helm.chart.content.v1.tar+gzip",
            "",
        ),
        2,
        "not a container image, but a Helm chart",
    );
    check(
        OCI,
        artifact(
            "application/vnd.oci.empty.v1+json",
            "application/spdx+json",
            "application/spdx+json",
        ),
        2,
        "but a bill of materials (`application/spdx+json`)",
    );
    check(
        "application/vnd.docker.distribution.manifest.v1+prettyjws",
        json!({"schemaVersion": 1, "name": "app", "fsLayers": []}),
        2,
        "Docker schema 1",
    );
    check("text/html", json!("<html>"), 3, "a web page: it is not a registry");
    check(OCI, json!([1, 2]), 3, "it is no JSON object");
}

#[test]
fn a_manifest_that_is_not_what_its_digest_says_is_refused() {
    let server = Server::of(|_| {
        let other = digest(b"something else");
        let manifest = json!({"schemaVersion": 2, "config": {}, "layers": []}).to_string();
        Response::new(200, &[("Docker-Content-Digest", &other)], manifest.as_bytes())
    });
    let error = refused(inscan(&["scan", &server.at("app:1")]), 3);
    assert!(error.contains("not what its digest says"), "{error}");
}

#[test]
fn an_endless_manifest_is_given_up() {
    let server = Server::start(|_, socket| {
        use std::io::Write;
        let _ = socket.write_all(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n");
        while socket.write_all(&[b' '; 4096]).is_ok() {}
    });
    let error = refused(inscan(&["scan", &server.at("app:1")]), 3);
    assert!(error.contains("answers with more than 8388608 bytes"), "{error}");
}

/// One layer, which the registry does not have and another place does.
fn foreign(elsewhere: &Server) -> Server {
    let config = json!({"os": "linux", "architecture": "amd64", "rootfs": {"type": "layers", "diff_ids": [digest(&TAR)]}});
    let config = config.to_string().into_bytes();
    let manifest = json!({
        "schemaVersion": 2,
        "config": {"mediaType": "application/vnd.oci.image.config.v1+json", "size": config.len(), "digest": digest(&config)},
        "layers": [{
            "mediaType": "application/vnd.docker.image.rootfs.foreign.diff.tar",
            "size": TAR.len(),
            "digest": digest(&TAR),
            "urls": [format!("http://127.0.0.1:{}/layer?signature=secret", elsewhere.port)],
        }],
    });
    let manifest = manifest.to_string().into_bytes();
    let config_path = format!("/v2/app/blobs/{}", digest(&config));
    Server::of(move |request| match &request.path {
        path if path.contains("/manifests/") => {
            Response::new(200, &[("Content-Type", OCI)], &manifest)
        }
        path if *path == config_path => Response::new(200, &[], &config),
        _ => Response::new(404, &[], b""),
    })
}

/// An empty one.
const TAR: [u8; 1024] = [0; 1024];

#[test]
fn a_foreign_layer_is_fetched_only_when_that_is_allowed() {
    let elsewhere = Server::of(|_| Response::new(200, &[], &TAR));
    let registry = foreign(&elsewhere);
    let image = registry.at("app:1");
    let error = refused(inscan(&["scan", &image]), 3);
    assert!(error.contains("is foreign") && error.contains("`--allow-foreign-layers`"), "{error}");
    assert!(!error.contains("secret"), "{error}");
    // Over plain http only where that is allowed as well.
    let error = refused(inscan(&["scan", &image, "--allow-foreign-layers"]), 3);
    assert!(error.contains("none of its addresses is an https address"), "{error}");
    assert!(elsewhere.log.lock().unwrap().is_empty());
    let output = inscan(&[
        "scan",
        &image,
        "--allow-foreign-layers",
        "--plain-http",
        "--registry-user",
        "me",
    ])
    .env("INSCAN_REGISTRY_PASSWORD", "secret")
    .output()
    .unwrap();
    assert!(output.status.success(), "{}", super::parts::stderr(&output));
    let asked = elsewhere.log.lock().unwrap();
    assert!(asked.iter().all(|request| request.header("authorization").is_none()));
    assert_eq!(asked.len(), 1);
}
