//! Images of a running engine, and in its storage: the real podman, which answers as Docker does.

use std::fs;

use serde_json::json;

use super::backend::served;
use super::run::{DEMO, DIGEST, ID, Place};
use crate::backend::stand_in::{Behaviour, TOKEN};
use crate::engines::parts as engines;

#[test]
fn images_come_from_an_engine_and_from_its_storage() {
    if !engines::all_there(&["podman", "skopeo"]) {
        return;
    }
    let Some(backend) = served(Behaviour::default()) else { return };
    let url = backend.url();
    let place = Place::new();
    let directory = place.directory.path();
    let name = "localhost/team/demo:1";
    engines::storage(directory, "vfs", &format!("oci-archive:{DEMO}"), name);
    let podman = engines::Podman::serve(directory);
    let storage = place.path("storage.conf");
    let settings = format!(
        "[storage]\ndriver = \"vfs\"\ngraphroot = \"{0}/vfs\"\nrunroot = \"{0}/vfs-run\"\n",
        directory.display()
    );
    fs::write(&storage, settings).unwrap();
    let run = |program: &str, arguments: &[&str]| {
        let mut command = place.command(program, arguments);
        command.env("SYSDIG_API_TOKEN", TOKEN).env("DOCKER_HOST", podman.host());
        command.env("CONTAINERS_STORAGE_CONF", &storage);
        command.run()
    };
    let second = |kind: &str| {
        let arguments = ["-s", &url, "--format=JSON", "--storage-type", kind, name];
        run("sysdig-inline-scan.sh", &arguments).ends(0).object()
    };
    let by_daemon = second("docker-daemon");
    assert_eq!(by_daemon["tag"], json!(format!("localbuild/{name}")));
    let log = by_daemon["log"].as_str().unwrap();
    // As an archive that passes by, the image is known only when it has; the lines say nothing of it.
    let lines: Vec<&str> = log.lines().take(9).collect();
    let digest = by_daemon["digest"].as_str().unwrap();
    let expected = [
        &*format!("Inspecting image from Docker daemon -- {name}"),
        "  Full image:  localhost/team/demo",
        &*format!("  Full tag:    localbuild/{name}"),
        &*format!("  Repo digest: {digest}"),
        &*format!("  Image id:    {ID}"),
        "Converting image...",
        "Analyzing image...",
        "Analysis complete!",
        "Sending analysis result to Secure backend",
    ];
    assert_eq!(lines, expected);
    // A storage has the image's own manifest; an engine keeps none, and one is made for it.
    let by_storage = second("cri-o");
    assert_eq!((&by_storage["tag"], &by_storage["digest"]), (&by_daemon["tag"], &json!(DIGEST)));
    assert_ne!(digest, DIGEST);
    let begin = format!("Inspecting image from containers-storage -- {name}\n");
    assert!(by_storage["log"].as_str().unwrap().starts_with(&begin), "{}", by_storage["log"]);
    // By then it is known.
    let again = second("docker-daemon");
    let log = again["log"].as_str().unwrap();
    assert!(log.contains("skipping analysis.\n") && !log.contains("Sending"), "{log}");

    let first = run("inline_scan.sh", &["analyze", "-s", &url, "-k", TOKEN, name]).ends(0);
    let begin = "\nRepo name: team\nBase image name: demo\nTag name: 1\n\n";
    assert!(first.stdout.starts_with(begin), "{}", first.stdout);
    assert!(first.stdout.contains("\nStatus is pass\n"), "{}", first.stdout);
}
