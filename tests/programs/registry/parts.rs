//! The programs the tests are made of: found, started on free ports, ended with the test.

use std::fs;
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

pub(super) use inscan_test_support::need_programs as have;
use inscan_test_support::{IMAGE, Inscan, find};
use serde_json::Value;

pub(super) fn command(program: &str) -> Command {
    Command::new(find(program).unwrap_or_else(|| program.into()))
}

/// Makes a key, and a certificate of it that is signed by itself and holds for two days.
pub(super) fn self_signed(subject: &str, key: &str, certificate: &str) {
    let of = ["-subj", subject, "-keyout", key, "-out", certificate];
    let kind = ["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2"];
    run("openssl", &[&kind[..], &of].concat());
}

/// Runs it to its end, which has to be a good one.
pub(super) fn run(program: &str, arguments: &[&str]) -> Vec<u8> {
    let output = command(program).args(arguments).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{program} {arguments:?}: {said}");
    output.stdout
}

/// inscan that asks a registry twice at most.
pub(super) fn inscan(arguments: &[&str]) -> Inscan {
    let mut inscan = crate::inscan(arguments);
    inscan.env("CONTAINERS_REGISTRIES_CONF", "/dev/null");
    inscan.env("INSCAN_RETRIES", "1").env("INSCAN_NO_CACHE", "true");
    inscan
}

/// The analysis document of a run that has to succeed.
pub(super) fn document(mut command: Inscan) -> Value {
    let output = command.output().unwrap();
    assert!(output.status.success(), "{}", stderr(&output));
    serde_json::from_slice(&output.stdout).unwrap()
}

/// What is said by a run that has to fail so.
#[track_caller]
pub(super) fn refused(mut command: Inscan, code: i32) -> String {
    let output = command.output().unwrap();
    let said = stderr(&output);
    assert_eq!(output.status.code(), Some(code), "{said}");
    assert!(output.stdout.is_empty());
    said
}

pub(super) fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

pub(super) fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// A program that runs until it is dropped, with a directory of its own.
pub(crate) struct Running {
    child: Child,
    pub(super) port: u16,
    pub(super) directory: tempfile::TempDir,
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Running {
    /// `127.0.0.1:5000/demo:1`
    pub(super) fn image(&self, name: &str) -> String {
        format!("127.0.0.1:{}/{name}", self.port)
    }

    /// `docker://127.0.0.1:5000/demo:1`
    pub(crate) fn at(&self, name: &str) -> String {
        format!("docker://{}", self.image(name))
    }

    pub(super) fn file(&self, name: &str) -> String {
        self.directory.path().join(name).to_string_lossy().into_owned()
    }
}

/// Starts a program and waits until its port answers.
fn start(mut command: Command, port: u16, directory: tempfile::TempDir) -> Running {
    let log = fs::File::create(directory.path().join("log")).unwrap();
    let mut child =
        command.stdout(log.try_clone().unwrap()).stderr(log).stdin(Stdio::null()).spawn().unwrap();
    let begun = Instant::now();
    while TcpStream::connect(("127.0.0.1", port)).is_err() {
        let ended = child.try_wait().unwrap();
        let log = fs::read_to_string(directory.path().join("log")).unwrap_or_default();
        let patient = begun.elapsed() < Duration::from_secs(30);
        assert!(patient && ended.is_none(), "it does not start: {log}");
        std::thread::sleep(Duration::from_millis(20));
    }
    Running { child, port, directory }
}

/// A registry on a storage. `more` is added to its configuration, with `DIR` for its directory,
/// which `prepare` fills.
pub(crate) fn registry_on(
    storage: &Path,
    http: &str,
    more: &str,
    prepare: impl FnOnce(&Path),
) -> Running {
    let directory = tempfile::tempdir().unwrap();
    prepare(directory.path());
    let port = free_port();
    let config = format!(
        "version: 0.1\nlog: {{level: info}}\nstorage:\n  filesystem: {{rootdirectory: {}}}\n  delete: {{enabled: false}}\nvalidation: {{manifests: {{urls: {{allow: ['.*']}}}}}}\nhttp:\n  addr: 127.0.0.1:{port}\n{http}{more}",
        storage.display()
    );
    let config = config.replace("DIR", &directory.path().to_string_lossy());
    fs::write(directory.path().join("config.yml"), config).unwrap();
    let mut serve = command("docker-registry");
    serve.arg("serve").arg(directory.path().join("config.yml"));
    start(serve, port, directory)
}

/// nginx with this in its `http` block, where `DIR` is its directory, which `prepare` fills, and
/// `PORT` its port. Its log, `access`, tells who was asked for what.
pub(super) fn nginx(http: &str, prepare: impl FnOnce(&Path)) -> Running {
    let directory = tempfile::tempdir().unwrap();
    prepare(directory.path());
    let port = free_port();
    let config = format!(
        "daemon off; master_process off; pid DIR/pid; error_log DIR/error;
        events {{}}
        http {{
            access_log DIR/access;
            client_body_temp_path DIR/body; proxy_temp_path DIR/proxy;
            fastcgi_temp_path DIR/fastcgi; uwsgi_temp_path DIR/uwsgi; scgi_temp_path DIR/scgi;
            {http}
        }}"
    );
    let config = config
        .replace("DIR", &directory.path().to_string_lossy())
        .replace("PORT", &port.to_string());
    fs::write(directory.path().join("nginx.conf"), config).unwrap();
    let mut nginx = command("nginx");
    nginx.arg("-p").arg(directory.path()).arg("-c").arg(directory.path().join("nginx.conf"));
    nginx.arg("-e").arg(directory.path().join("error"));
    start(nginx, port, directory)
}

/// nginx with a registry below `/hub/`.
pub(super) fn nginx_before(registry: &Running) -> Running {
    let to = format!("http://127.0.0.1:{}/v2/", registry.port);
    let server =
        format!("server {{ listen 127.0.0.1:PORT; location /v2/hub/ {{ proxy_pass {to}; }} }}");
    nginx(&server, |_| {})
}

/// What all the registries have: filled once, and anew in each run.
pub(super) fn storage() -> &'static Path {
    static STORAGE: OnceLock<PathBuf> = OnceLock::new();
    let filled = || {
        let storage = Path::new(env!("CARGO_TARGET_TMPDIR")).join("registry");
        let _ = fs::remove_dir_all(&storage);
        fs::create_dir_all(&storage).unwrap();
        let registry = registry_on(&storage, "", "", |_| {});
        let layouts = tempfile::tempdir().unwrap();
        let copy = |from: &str, name: &str| {
            let to = registry.at(name);
            run("skopeo", &["copy", "-q", "--all", "--dest-tls-verify=false", from, &to]);
        };
        copy(&format!("oci-archive:{IMAGE}"), "demo:1");
        super::images::make(layouts.path());
        let layout = layouts.path().display();
        copy(&format!("oci:{layout}:layers"), "team/layers:1");
        copy(&format!("oci:{layout}:next"), "team/layers:2");
        copy(&format!("oci:{layout}:multi"), "multi:1");
        storage
    };
    STORAGE.get_or_init(filled)
}

/// A registry with these images, open to all.
pub(super) fn registry() -> Running {
    registry_on(storage(), "", "", |_| {})
}
