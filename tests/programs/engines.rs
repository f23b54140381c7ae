//! The same image, wherever it lies: engines' sockets, their storages, archives.

mod fake;
mod made;
pub(super) mod parts;
mod ways;

use std::fs;
use std::path::Path;
use std::process::Output;

use inscan_test_support::{DEMO_DAY, IMAGE as DEMO, Inscan};
use serde_json::{Value, json};

/// Without a cache: each place is to be read itself.
fn inscan(arguments: &[&str]) -> Inscan {
    let mut inscan = crate::inscan(arguments);
    inscan.env("INSCAN_NO_CACHE", "true").env("SOURCE_DATE_EPOCH", DEMO_DAY);
    inscan
}

fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// It ends with the code, says all of the words on stderr and nothing on stdout.
#[track_caller]
fn fails(arguments: &[&str], code: i32, words: &[&str]) {
    fails_with(arguments, &[], code, words);
}

#[track_caller]
fn fails_with(arguments: &[&str], variables: &[(&str, &str)], code: i32, words: &[&str]) {
    let mut command = inscan(arguments);
    command.envs(variables.iter().copied());
    command.run().ends(code).says(words).prints_nothing();
}

#[track_caller]
fn document(image: &str) -> Value {
    document_with(image, &[])
}

#[track_caller]
fn document_with(image: &str, variables: &[(&str, &str)]) -> Value {
    let output =
        inscan(&["analyze", "--quiet", image]).envs(variables.iter().copied()).output().unwrap();
    assert!(output.status.success(), "{image}: {}", stderr(&output));
    serde_json::from_slice(&output.stdout).unwrap()
}

/// What a document says of the image and nothing of where it was read from: names, how its blobs
/// are compressed there, how long it took. An archive has no manifest, so no digest of one.
fn without_source(mut document: Value) -> (Value, Value) {
    let inscan = &mut document["inscan"];
    for field in ["source", "reference", "names", "digest"] {
        inscan["image"].as_object_mut().unwrap().remove(field);
    }
    for layer in inscan["layers"].as_array_mut().unwrap() {
        for field in ["blob_digest", "blob_size", "compression", "media_type"] {
            layer.as_object_mut().unwrap().remove(field);
        }
    }
    inscan.as_object_mut().unwrap().remove("run");
    let mut legacy = document["document"][0]["image"]["imagedata"]["analysis_report"].take();
    legacy.as_object_mut().unwrap().remove("layer_info");
    (document["inscan"].take(), legacy)
}

#[track_caller]
fn same(one: &Value, other: &Value, place: &str) {
    match (one, other) {
        (Value::Object(one), Value::Object(other)) => {
            let names: Vec<_> = one.keys().collect();
            assert_eq!(names, other.keys().collect::<Vec<_>>(), "{place}");
            one.iter()
                .for_each(|(name, value)| same(value, &other[name], &format!("{place}/{name}")));
        }
        (Value::Array(one), Value::Array(other)) => {
            assert_eq!(one.len(), other.len(), "{place}");
            for (number, (one, other)) in one.iter().zip(other).enumerate() {
                same(one, other, &format!("{place}/{number}"));
            }
        }
        _ => assert_eq!(one, other, "{place}"),
    }
}

/// Two documents are of one image.
#[track_caller]
fn same_image(expected: &Value, found: Value, place: &str) {
    let (expected, expected_legacy) = without_source(expected.clone());
    let (found, found_legacy) = without_source(found);
    same(&expected, &found, place);
    same(&expected_legacy, &found_legacy, place);
}

/// What a root file system gives as well: it has no layers, and no configuration, and its
/// symbolic links have no modes of their own.
fn packages_and_files(document: &Value) -> Value {
    let mut found = json!({});
    for field in ["packages", "files", "set_id_files", "distribution"] {
        let mut rows = document["inscan"][field].clone();
        for row in rows.as_array_mut().into_iter().flatten() {
            row.as_object_mut().unwrap().remove("layer");
            if row["type"] == "symlink" {
                row.as_object_mut().unwrap().remove("mode");
            }
        }
        found[field] = rows;
    }
    found
}

fn made_image(directory: &Path, lib: &str) -> String {
    let path = directory.join("hard.oci.tar");
    made::write(&path, lib);
    format!("oci-archive:{}", path.display())
}

#[test]
fn the_same_image_from_everywhere_gives_the_same_document() {
    if !parts::all_there(&["skopeo", "podman", "umoci"]) {
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    let path = |name: &str| directory.path().join(name).display().to_string();
    let images = [
        ("demo", format!("oci-archive:{DEMO}")),
        ("hard", made_image(directory.path(), "usr/lib")),
    ];
    for (name, archive) in &images {
        parts::storage(directory.path(), "vfs", archive, &format!("localhost/{name}:1"));
    }
    let podman = parts::Podman::serve(directory.path());
    for (name, archive) in &images {
        let expected = document(archive);
        let layout = format!("oci:{}:1", path(&format!("{name}.layout")));
        let docker_archive = format!("docker-archive:{}", path(&format!("{name}.docker.tar")));
        let transport = format!("dir:{}", path(&format!("{name}.dir")));
        for copy in [&layout, &transport, &format!("{docker_archive}:localhost/{name}:1")] {
            parts::run("skopeo", &["copy", "-q", "--insecure-policy", archive, copy]);
        }
        let saved = docker_archive.strip_prefix("docker-archive:").unwrap();
        let unpacked = path(&format!("{name}.saved"));
        fs::create_dir(&unpacked).unwrap();
        parts::run("tar", &["-xf", saved, "-C", &unpacked]);
        let storage = format!("containers-storage:[vfs@{}]localhost/{name}:1", path("vfs"));
        for image in [&layout, &docker_archive, &storage, &transport, &transport[4..], &unpacked] {
            same_image(&expected, document(image), image);
        }
        for file in [saved, archive.strip_prefix("oci-archive:").unwrap()] {
            let mut command = inscan(&["analyze", "--quiet", "-"]);
            command.stdin(fs::File::open(file).unwrap());
            same_image(&expected, command.run().ends(0).json(), file);
        }
        let host = podman.host();
        let variables = [("DOCKER_HOST", &*host), ("CONTAINER_HOST", &*host)];
        let image = |field: &str| expected["inscan"]["image"][field].as_str().unwrap();
        let id = image("id");
        for engine in ["docker-daemon", "podman"] {
            for reference in
                [&format!("localhost/{name}:1"), id, &id[..12], &format!("sha256:{id}")]
            {
                let image = format!("{engine}:{reference}");
                let found = document_with(&image, &variables);
                assert_eq!(found["inscan"]["image"]["names"][0], format!("localhost/{name}:1"));
                same_image(&expected, found, &image);
            }
        }
        // Only podman says the digest of the manifest, as the storage does.
        let found = document_with(&format!("podman:{name}:1"), &variables);
        assert_eq!(found["inscan"]["image"]["digest"], image("digest"));
        let bundle = path(&format!("{name}.bundle"));
        let layout = layout.strip_prefix("oci:").unwrap();
        parts::run("umoci", &["unpack", "--image", layout, &bundle]);
        let root = format!("dir:{bundle}/rootfs");
        same(&packages_and_files(&expected), &packages_and_files(&document(&root)), &root);
        let tar = path(&format!("{name}.root.tar"));
        let with_all = ["--xattrs", "--xattrs-include=*", "--sort=name", "-cf", &tar];
        parts::run("tar", &[&with_all[..], &["-C", &format!("{bundle}/rootfs"), "."]].concat());
        same(&packages_and_files(&expected), &packages_and_files(&document(&tar)), &tar);
    }
    let offline = ["scan", "--offline", "podman:nope"];
    fails_with(&offline, &[("CONTAINER_HOST", &podman.host())], 2, &["no such image `nope`"]);
}

#[test]
fn an_image_in_a_storage_is_the_one_of_its_archive() {
    if !parts::all_there(&["skopeo"]) {
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    let hard = made_image(directory.path(), "/usr/lib");
    let drivers: &[&str] = match parts::overlay_works(directory.path()) {
        true => &["vfs", "overlay"],
        false => &["vfs"],
    };
    for driver in drivers {
        let demo = format!("oci-archive:{DEMO}");
        let store = parts::storage(directory.path(), driver, &demo, "localhost/demo:1");
        parts::storage(directory.path(), driver, &hard, "docker.io/library/hard:latest");
        let found = document(&format!("containers-storage:{store}demo:1"));
        same_image(&document(&demo), found, &store);
        let expected = document(&hard);
        let found = document(&format!("containers-storage:{store}hard"));
        same_image(&expected, found.clone(), &store);
        for field in ["id", "digest"] {
            let (found, expected) =
                (&found["inscan"]["image"][field], &expected["inscan"]["image"][field]);
            assert_eq!(found, expected, "{field}");
        }
        let id = expected["inscan"]["image"]["id"].as_str().unwrap();
        let digest = expected["inscan"]["image"]["digest"].as_str().unwrap();
        for name in [id, &id[..12], digest, &format!("library/hard@{digest}"), &format!("@{id}")] {
            let found = document(&format!("containers-storage:{store}{name}"));
            assert_eq!(found["inscan"]["image"]["id"], *id, "{name}");
        }
        fails(&["scan", &format!("containers-storage:{store}nope")], 2, &["`nope`", "hard:latest"]);
    }
    fails(&["scan", "containers-storage:[vfs@/no/such/storage]app"], 2, &["/no/such/storage"]);
}

const DEMO_ID: &str = "71670a36d254f4265f9b3947965f40ac237dcd8b0f928946589dbbf9e4815834";

/// Inspected well; the archive is for each engine to tell. With a descriptor the id need not be
/// the configuration's, and what comes is an OCI layout, as from Docker's content store.
fn inspected(path: &str, id: &str, archive: impl Fn() -> Vec<u8>) -> Vec<u8> {
    let json = json!({"Id": format!("sha256:{id}"), "RepoTags": ["fake:1"], "RepoDigests": null});
    match path {
        "/images/fake:1/json" => fake::answer("200 OK", json.to_string().as_bytes()),
        _ if path == format!("/images/get?names=sha256:{id}") => archive(),
        _ => fake::answer("404 Not Found", br#"{"message": "page not found"}"#),
    }
}

fn demo() -> Vec<u8> {
    std::fs::read(DEMO).unwrap()
}

#[test]
fn an_engine_that_sends_the_whole_archive_is_understood() {
    let directory = tempfile::tempdir().unwrap();
    let host = fake::serve(directory.path(), "whole", |path| {
        inspected(path, DEMO_ID, || fake::chunked(&demo(), true))
    });
    let found = document_with("docker-daemon:fake:1", &[("DOCKER_HOST", &host)]);
    assert_eq!(found["inscan"]["image"]["names"], json!(["fake:1"]));
    assert_eq!(found["inscan"]["image"]["source"], "docker-daemon:fake:1");
    same_image(&document(&format!("oci-archive:{DEMO}")), found, "a whole archive");
}

#[test]
fn what_an_engine_does_wrong_is_said_and_gives_no_document() {
    let directory = tempfile::tempdir().unwrap();
    let check = |name: &str, answers: fake::Answers, code, words: &[&str]| {
        let host = fake::serve(directory.path(), name, answers);
        fails_with(&["analyze", "docker-daemon:fake:1"], &[("DOCKER_HOST", &host)], code, words);
    };
    check(
        "absent",
        |_| fake::answer("404 Not Found", br#"{"message":"No such image: fake:1"}"#),
        2,
        &["no such image `fake:1`"],
    );
    check(
        "no-api",
        |_| fake::answer("404 Not Found", b"<html>nothing here</html>"),
        3,
        &["status 404", "nothing here"],
    );
    check(
        "broken",
        |_| fake::answer("500 Internal Server Error", br#"{"message":"disk on \u001b[31mfire"}"#),
        3,
        &["status 500", r"disk on \x1b[31mfire"],
    );
    check("garbage", |_| b"no http at all\n".to_vec(), 3, &["garbage"]);
    let host = fake::serve(directory.path(), "silent", |_| fake::SILENCE.to_vec());
    let patient = ["scan", "docker-daemon:fake:1", "--stall-timeout", "0.5"];
    fails_with(&patient, &[("DOCKER_HOST", &host)], 3, &["silent", "no data for too long"]);
    check("odd-id", |path| inspected(path, "../x", Vec::new), 3, &["image id `sha256:../x`"]);
    check(
        "cut",
        |path| inspected(path, DEMO_ID, || fake::chunked(&demo()[..500_000], false)),
        3,
        &["docker-daemon:fake:1", "broke off"],
    );
    check(
        "cut-by-length",
        |path| {
            let whole = fake::answer("200 OK", &demo());
            inspected(path, DEMO_ID, || whole[..whole.len() - 200_000].to_vec())
        },
        3,
        &["broke off"],
    );
    check(
        "cut-cleanly",
        |path| inspected(path, DEMO_ID, || fake::chunked(&demo()[..500_000], true)),
        3,
        &["cut off"],
    );
    check(
        "message",
        |path| {
            let message = br#"{"errorDetail":{"message":"no space left"},"error":"no space left"}"#;
            let body = [&demo()[..512_000], message].concat();
            inspected(path, DEMO_ID, || fake::chunked(&body, true))
        },
        3,
        &["ended the archive with an error: no space left"],
    );
    let other = "0000000000000000000000000000000000000000000000000000000000000000";
    assert_eq!(other.len(), DEMO_ID.len());
    check(
        "another",
        |path| {
            let other = "0000000000000000000000000000000000000000000000000000000000000000";
            inspected(path, other, || fake::chunked(&demo(), true))
        },
        3,
        &["was asked for the image sha256:0000", DEMO_ID],
    );
}

#[test]
fn places_that_cannot_be_reached_say_why() {
    let scan = ["scan", "docker-daemon:app:1"];
    let host = |host| [("DOCKER_HOST", host)];
    fails_with(&scan, &host("unix:///no/such.sock"), 2, &["/no/such.sock", "DOCKER_HOST"]);
    fails_with(&scan, &host("ssh://me@host"), 2, &["ssh", "docker save app:1 | inscan scan -"]);
    fails_with(&scan, &host("tcp://127.0.0.1:9"), 3, &["connection refused"]);
    let offline = ["scan", "--offline", "docker-daemon:app:1"];
    fails_with(&offline, &host("tcp://engine.example:2375"), 3, &["--offline"]);
    fails(&["scan", "podman:app?x=y"], 2, &["`app?x=y`", "not a name"]);
    let directory = tempfile::tempdir().unwrap();
    let socket = directory.path().join("left.sock");
    drop(std::os::unix::net::UnixListener::bind(&socket).unwrap());
    let left = format!("unix://{}", socket.display());
    fails_with(&scan, &host(&left), 3, &["connection refused", "left.sock"]);
}

#[test]
fn a_name_alone_is_looked_for_in_order_and_each_place_says_why_not() {
    let directory = tempfile::tempdir().unwrap();
    let settings = directory.path().join("storage.conf");
    std::fs::write(&settings, "[storage]\ngraphroot = \"/no/such/graph\"\n").unwrap();
    let absent = fake::serve(directory.path(), "absent", |_| {
        fake::answer("404 Not Found", br#"{"message":"No such image"}"#)
    });
    let whole = fake::serve(directory.path(), "whole", |path| {
        inspected(path, DEMO_ID, || fake::chunked(&demo(), true))
    });
    let broken = fake::serve(directory.path(), "broken", |_| {
        fake::answer("500 Internal Server Error", br#"{"message":"on fire"}"#)
    });
    let variables = |docker: &str, podman: &str| {
        let settings = settings.display().to_string();
        [
            ("DOCKER_HOST", docker),
            ("CONTAINER_HOST", podman),
            ("CONTAINERS_STORAGE_CONF", &settings),
        ]
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
    };
    let run = |docker: &str, podman: &str| {
        let arguments = ["analyze", "--offline", "fake:1"];
        inscan(&arguments).envs(variables(docker, podman)).output().unwrap()
    };
    let nowhere = run(&absent, "unix:///no/such.sock");
    let errors = stderr(&nowhere);
    let lines: Vec<&str> = errors.lines().filter(|line| line.starts_with("  ")).collect();
    let expected = [
        ("docker", "no such image `fake:1`"),
        ("podman", "/no/such.sock"),
        ("containers-storage", "/no/such/graph"),
        ("containerd", ""),
        ("registry", "not tried: --offline"),
    ];
    assert_eq!(lines.len(), expected.len(), "{errors}");
    for (line, (place, why)) in lines.iter().zip(expected) {
        assert!(line.trim_start().starts_with(place) && line.contains(why), "{line}: {why}");
    }
    let named = "to name one place: docker-daemon:fake:1, podman:fake:1, containers-storage:fake:1";
    assert!(errors.contains(named), "{errors}");
    assert_eq!(nowhere.status.code(), Some(2), "{errors}");
    // A place that could not be asked: the image may be there all the same.
    let failing = run(&broken, &absent);
    assert_eq!(failing.status.code(), Some(3), "{}", stderr(&failing));
    assert!(stderr(&failing).contains("on fire"), "{}", stderr(&failing));
    let first = run(&whole, &broken);
    assert!(first.status.success() && !stderr(&first).contains("on fire"), "{}", stderr(&first));
}

#[test]
fn what_buildah_commits_is_the_image_it_pushes() {
    if !parts::all_there(&["buildah", "skopeo"]) {
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    let path = |name: &str| directory.path().join(name).display().to_string();
    let base = format!("oci-archive:{DEMO}");
    parts::storage(directory.path(), "vfs", &base, "localhost/demo:1");
    let buildah = |arguments: &[&str]| {
        let (root, run_root) = (path("vfs"), path("vfs-run"));
        let storage = ["--root", &root, "--runroot", &run_root, "--storage-driver", "vfs"];
        let output = parts::run("buildah", &[&storage, arguments].concat());
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    };
    let container = buildah(&["from", "--pull-never", "localhost/demo:1"]);
    std::fs::write(path("new"), "a new file").unwrap();
    buildah(&["copy", &container, &path("new"), "/etc/new"]);
    buildah(&["commit", "-q", "--rm", &container, "localhost/built:2"]);
    let storage = format!("containers-storage:[vfs@{}]built:2", path("vfs"));
    let archive = format!("oci-archive:{}", path("built.tar"));
    let from =
        format!("containers-storage:[vfs@{}+{}]localhost/built:2", path("vfs"), path("vfs-run"));
    parts::run("skopeo", &["copy", "-q", "--insecure-policy", &from, &archive]);
    let found = document(&storage);
    assert_eq!(found["inscan"]["layers"].as_array().unwrap().len(), 4);
    same_image(&document(&archive), found, &storage);
}

#[test]
fn an_image_of_containerd_is_the_one_of_its_archive() {
    if !parts::all_there(&["containerd", "ctr"]) {
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    let hard = made_image(directory.path(), "/usr/lib");
    let containerd = parts::Containerd::serve(directory.path());
    containerd.import("default", DEMO);
    containerd.import("k8s.io", hard.strip_prefix("oci-archive:").unwrap());
    // More images than fit into one page of the database.
    for number in 0..200 {
        containerd.tag("registry.example/inscan/demo:1.0", &format!("many.example/demo:{number}"));
    }
    let root = directory.path().join("containerd").display().to_string();
    let demo = document(&format!("oci-archive:{DEMO}"));
    for name in ["registry.example/inscan/demo:1.0", "many.example/demo:137"] {
        let found = document(&format!("containerd:[{root}]{name}"));
        assert_eq!(found["inscan"]["image"]["names"][0], *name);
        for field in ["id", "digest"] {
            assert_eq!(found["inscan"]["image"][field], demo["inscan"]["image"][field]);
        }
        same_image(&demo, found, name);
    }
    let found = document(&format!("containerd:[k8s.io@{root}]hard:1.0"));
    same_image(&document(&hard), found, "containerd");
    let variables = [("CONTAINERD_NAMESPACE", "default")];
    let scan = |image: &str| format!("containerd:[{root}]{image}");
    fails_with(&["scan", &scan("hard:1.0")], &variables, 2, &["no image `hard:1.0`", "demo:"]);
    let named = ["scan", "--containerd-namespace", "none", &scan("hard:1.0")];
    fails(&named, 2, &["no namespace `none`", "default, k8s.io"]);
    // The daemon may have thrown a blob away.
    let id = demo["inscan"]["image"]["id"].as_str().unwrap();
    let blobs = format!("{root}/io.containerd.content.v1.content/blobs/sha256");
    std::fs::remove_file(format!("{blobs}/{id}")).unwrap();
    let missing = ["scan", &scan("registry.example/inscan/demo:1.0")];
    fails(&missing, 3, &["ctr -n default content fetch registry.example/inscan/demo:1.0"]);
    fails(&["scan", "containerd:[/no/such/place]app"], 2, &["no containerd in `/no/such/place`"]);
}
