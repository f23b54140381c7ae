//! An open registry: what comes out of it, and what is asked for on the way.

use std::fs;

use inscan_test_support::IMAGE;
use serde_json::Value;

use super::parts::{self, document, have, inscan, refused};
use super::server::{Request, Server};

/// A document without what says where the image was read from, and when.
pub(super) fn without_source(mut document: Value) -> Value {
    fn strip(value: &mut Value) {
        match value {
            Value::Object(object) => {
                for key in ["source", "run", "fulltag", "tag", "registry", "repo", "names"] {
                    object.remove(key);
                }
                object.values_mut().for_each(strip);
            }
            Value::Array(values) => values.iter_mut().for_each(strip),
            _ => {}
        }
    }
    strip(&mut document);
    document
}

#[test]
fn the_same_image_from_a_registry_and_from_a_layout_is_the_same() {
    if !have(&["docker-registry", "skopeo"]) {
        return;
    }
    let registry = parts::registry();
    let tag = "registry.example/demo:1";
    let from_registry = document(inscan(&["analyze", "--tag", tag, &registry.at("demo:1")]));
    let demo = format!("oci-archive:{IMAGE}");
    let from_archive = document(inscan(&["analyze", "--tag", tag, &demo]));
    let digest = &from_registry["inscan"]["image"]["digest"];
    assert!(digest.as_str().is_none_or(|digest| digest.starts_with("sha256:")), "{digest}");
    assert_eq!(without_source(from_registry.clone()), without_source(from_archive));
    assert!(from_registry.to_string().contains("zlib1g"));
    // A name without a transport is one in a registry.
    let bare = document(inscan(&["analyze", "--tag", tag, &registry.image("demo:1")]));
    assert_eq!(without_source(bare), without_source(from_registry));
}

#[test]
fn only_what_is_needed_of_an_image_for_several_platforms_is_asked_for() {
    if !have(&["docker-registry", "skopeo"]) {
        return;
    }
    let registry = parts::registry();
    let machine = |platform: &str| {
        let text = document(inscan(&["analyze", &registry.at("multi:1"), "--platform", platform]));
        text.to_string()
    };
    assert!(machine("linux/arm64").contains("\"arm64\""));
    let log = fs::read_to_string(registry.file("log")).unwrap();
    let asked = log.lines().filter(|line| line.contains("\"GET /v2/multi/")).count();
    assert_eq!(asked, 4, "index, manifest, configuration, layer: {log}");
    let error = refused(inscan(&["scan", &registry.at("multi:1"), "--platform", "linux/s390x"]), 2);
    assert!(error.contains("there is linux/amd64, linux/arm64"), "{error}");
}

#[test]
fn an_image_is_found_by_digest_and_a_digest_is_held_against_what_comes() {
    if !have(&["docker-registry", "skopeo"]) {
        return;
    }
    let registry = parts::registry();
    let raw =
        parts::run("skopeo", &["inspect", "--raw", "--tls-verify=false", &registry.at("demo:1")]);
    let digest = inscan_test_support::digest(&raw);
    let by_digest = document(inscan(&["analyze", &registry.at(&format!("demo@{digest}"))]));
    assert!(by_digest.to_string().contains(&digest));
    let other = "sha256:0000000000000000000000000000000000000000000000000000000000000000";
    let error = refused(inscan(&["scan", &registry.at(&format!("demo@{other}"))]), 2);
    assert!(error.contains("image not found or access denied"), "{error}");
    let error = refused(inscan(&["scan", &registry.at("nothing:1")]), 2);
    assert!(error.contains("404 Not Found"), "{error}");
}

#[test]
fn a_mirror_is_asked_first_and_the_registry_where_it_has_nothing() {
    if !have(&["docker-registry", "skopeo", "nginx"]) {
        return;
    }
    let registry = parts::registry();
    let mirror = parts::nginx_before(&registry);
    let dead = parts::free_port();
    let conf = format!(
        "[[registry]]\nprefix = 'registry.example'\nlocation = '127.0.0.1:{0}/elsewhere'\n\
         [[registry.mirror]]\nlocation = '127.0.0.1:{dead}'\n\
         [[registry.mirror]]\nlocation = '127.0.0.1:{1}/hub'\n\
         [[registry]]\nprefix = 'moved.example'\nlocation = '127.0.0.1:{0}'\n\
         [[registry.mirror]]\nlocation = '127.0.0.1:{1}/nothing'\n\
         [[registry]]\nlocation = 'bad.example'\nblocked = true\n",
        registry.port, mirror.port
    );
    let path = registry.file("registries.conf");
    fs::write(&path, conf).unwrap();
    let analyze = |image: &str| inscan(&["analyze", image, "--registries-conf", &path]);
    let found = document(analyze("registry.example/team/layers:1"));
    assert!(found.to_string().contains("zlib1g"));
    let log = fs::read_to_string(mirror.file("access")).unwrap();
    assert!(log.contains("GET /v2/hub/team/layers/manifests/1 "), "{log}");
    assert_eq!(log.matches("GET /v2/hub/team/layers/blobs/").count(), 7, "{log}");
    // The mirror has it not; the place itself has.
    let found = document(analyze("docker://moved.example/demo:1"));
    assert!(found.to_string().contains("zlib1g"));
    let error = refused(analyze("bad.example/app:1"), 2);
    assert!(error.contains("`bad.example/app` is blocked"), "{error}");
    let error = refused(analyze("registry.example/nothing:1"), 3);
    for part in ["connection refused", "404 Not Found", "elsewhere/nothing"] {
        assert!(error.contains(part), "{part}: {error}");
    }
}

#[test]
fn a_proxy_stands_between_where_the_environment_says_so() {
    if !have(&["docker-registry", "skopeo"]) {
        return;
    }
    let registry = parts::registry();
    let behind = registry.port;
    let proxy = Server::of(move |request| {
        // Through a proxy a whole address is asked for.
        let path = request.path.strip_prefix("http://registry.example").unwrap().to_owned();
        Request { path, ..request.clone() }.forward(behind)
    });
    let ask = |proxy: &str| {
        let mut command = inscan(&["analyze", "docker://registry.example/demo:1", "--plain-http"]);
        command.env("HTTP_PROXY", proxy).env("http_proxy", proxy);
        command
    };
    let found = document(ask(&format!("http://127.0.0.1:{}", proxy.port)));
    assert!(found.to_string().contains("zlib1g"));
    let asked = proxy.log.lock().unwrap().len();
    assert_eq!(asked, 5, "manifest, configuration and three layers");
    let dead = format!("http://me:hunter2@127.0.0.1:{}", parts::free_port());
    let error = refused(ask(&dead), 3);
    assert!(
        error.contains("a proxy is set in HTTP_PROXY") && !error.contains("hunter2"),
        "{error}"
    );
    // This machine is reached without one.
    let mut direct = inscan(&["analyze", &registry.at("demo:1"), "--plain-http"]);
    direct.env("HTTP_PROXY", &dead).env("http_proxy", &dead);
    document(direct);
}

#[test]
fn layers_that_are_known_are_not_asked_for() {
    if !have(&["docker-registry", "skopeo"]) {
        return;
    }
    let registry = parts::registry();
    let cache = tempfile::tempdir().unwrap();
    // The blobs, of which one is the configuration, that a scan asks for.
    let blobs = |image: &str| {
        let log = || fs::read_to_string(registry.file("log")).unwrap();
        let before = log().matches("\"GET /v2/team/layers/blobs/").count();
        let mut command = inscan(&["analyze", &registry.at(image)]);
        command.env_remove("INSCAN_NO_CACHE").env("INSCAN_CACHE_DIR", cache.path());
        command.env("INSCAN_CACHE_KEY", "of these tests alone");
        let document = document(command);
        (without_source(document), log().matches("\"GET /v2/team/layers/blobs/").count() - before)
    };
    let (first, asked) = blobs("team/layers:1");
    assert_eq!(asked, 1 + 6);
    assert_eq!(blobs("team/layers:1"), (first, 1));
    assert_eq!(blobs("team/layers:2").1, 1 + 1, "the layer that is new");
}
