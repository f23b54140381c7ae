//! Fetching from registries, and pushing to them.

use std::fs;
use std::net::{TcpListener, TcpStream};
use std::process::{Command, Stdio};
use std::thread;

use inscan_test_support::need_programs;
use serde_json::Value;
use tempfile::TempDir;

use super::server::Server;
use super::{ADVISORIES, DEMO, ends, openssl, succeeds, text};

#[test]
fn what_breaks_off_at_a_registry_is_taken_up_in_the_next_run() {
    let folder = tempfile::tempdir().unwrap();
    let content = fs::read(DEMO).unwrap();
    let digest = inscan_test_support::digest(&content);
    let manifest = serde_json::json!({
        "schemaVersion": 2, "mediaType": "application/vnd.oci.image.manifest.v1+json",
        "artifactType": "application/vnd.inscan.database.v1",
        "layers": [{ "mediaType": "application/vnd.inscan.database.v1+sqlite3",
                     "digest": digest, "size": content.len() }],
    });
    let blob = format!("/v2/x/blobs/{digest}");
    let server = Server::new(&[
        ("/v2/x/manifests/latest", manifest.to_string().into_bytes()),
        (&blob, content.clone()),
    ]);
    let name = server.url("/x").replace("http://", "oci://");
    // The manifest comes whole, the blob does not.
    server.cut_next(&[10_000, 20_000]);
    let update = ["db", "update", "--plain-http", "--retries", "0", &name];
    ends(&update, folder.path(), 3, &[]);
    server.asked();
    succeeds(&update, folder.path());
    let asked = server.asked();
    assert_eq!(asked.last().unwrap(), &(blob.clone(), Some("bytes=20000-".to_owned()), 206));
    assert_eq!(fs::read(folder.path().join("inscan/vulnerabilities.db")).unwrap(), content);

    // Something else under the same digest.
    server.put(&blob, vec![0; content.len()]);
    ends(
        &[&update[..], &["--force", "--db", text(&folder.path().join("other.db"))]].concat(),
        folder.path(),
        3,
        &[&digest],
    );
}

/// A real registry with a folder of its own; none where it is not installed.
struct Registry {
    process: std::process::Child,
    address: String,
    _folder: TempDir,
}

impl Registry {
    fn start() -> Option<Registry> {
        if !need_programs(&["docker-registry", "openssl", "skopeo"]) {
            return None;
        }
        let folder = tempfile::tempdir().unwrap();
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let address = format!("127.0.0.1:{port}");
        let config = folder.path().join("config.yml");
        let root = folder.path().join("data");
        let text = format!(
            "version: 0.1\nstorage:\n  filesystem:\n    rootdirectory: {}\nhttp:\n  addr: {address}\n",
            root.display()
        );
        fs::write(&config, text).unwrap();
        let process = Command::new("docker-registry")
            .args(["serve".as_ref(), config.as_os_str()])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let registry = Registry { process, address: address.clone(), _folder: folder };
        for _ in 0..600 {
            if TcpStream::connect(&address).is_ok() {
                return Some(registry);
            }
            thread::sleep(std::time::Duration::from_millis(100));
        }
        panic!("docker-registry does not listen at {address}");
    }
}

impl Drop for Registry {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

#[test]
fn a_database_goes_through_a_real_registry() {
    let Some(registry) = Registry::start() else { return };
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path();
    let name = format!("oci://{}/security/database:latest", registry.address);
    ends(&["db", "update", &name], data, 2, &["security/database"]);
    ends(&["db", "push", ADVISORIES, &name], data, 3, &["is not a vulnerability database"]);
    ends(&["db", "push", DEMO, "registry.example/x"], data, 2, &["oci://"]);

    // Unsigned at first, and then again with its signature: the file itself is there already.
    ends(&["db", "push", DEMO, &name], data, 0, &["sha256:"]);
    succeeds(&["db", "update", &name], data);
    let place = data.join("inscan/vulnerabilities.db");
    assert_eq!(fs::read(&place).unwrap(), fs::read(DEMO).unwrap());
    ends(&["db", "update", "--force"], data, 0, &["up to date"]);

    openssl(&["ecparam", "-genkey", "-name", "prime256v1", "-noout", "-out", "key.pem"], data);
    openssl(&["pkey", "-in", "key.pem", "-pubout", "-out", "key.pub.pem"], data);
    openssl(&["dgst", "-sha256", "-sign", "key.pem", "-out", "demo.sig", DEMO], data);
    let (key, signature) = (data.join("key.pub.pem"), data.join("demo.sig"));
    let signed = ["db", "update", "--force", &name, "--verify-key", text(&key)];
    fs::remove_file(&place).unwrap();
    ends(&signed, data, 3, &["no signature"]);
    succeeds(&["db", "push", DEMO, &name, "--signature", text(&signature)], data);
    succeeds(&signed, data);
    let wrong = concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/signatures/p256.sig");
    succeeds(&["db", "push", DEMO, &name, "--signature", wrong], data);
    fs::remove_file(&place).unwrap();
    ends(&signed, data, 3, &["not to be trusted"]);
    assert!(!place.exists());

    // What others make of it.
    let output = Command::new("skopeo")
        .args(["inspect", "--raw", "--tls-verify=false"])
        .arg(name.replace("oci://", "docker://"))
        .output()
        .unwrap();
    let manifest: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(manifest["artifactType"], "application/vnd.inscan.database.v1");
    assert_eq!(manifest["layers"].as_array().unwrap().len(), 2);
    ends(&["db", "update", "--offline", "--force", &name], data, 2, &["--offline"]);
}
