//! Scanning here: the own binary as a child, with limits on its memory and its time. An image that
//! breaks it breaks nothing else.

use std::fs::File;
use std::io::{Read, Write};
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value as Json;

use super::said;
use crate::server::answer::{Problem, Result};
use crate::server::app::App;
use crate::server::import::{self, Origin};
use crate::server::model::images::FullTag;
use crate::server::registry;

/// In bytes, of what the child has to say.
const MAX_WORDS: u64 = 64 << 10;

pub(super) fn run(app: &App, account: &str, payload: &Json) -> Result<()> {
    let said = said(payload);
    let fulltag = said.fulltag.clone().unwrap_or_default();
    let digest = said.digest.clone().unwrap_or_default();
    let name = FullTag::parse(&fulltag);
    let folder = tempfile::tempdir_in(&app.settings.temporary).map_err(Problem::of_disk)?;
    let archive = folder.path().join("archive.tgz");
    let login = app.store.read(|tx| registry::login(tx, app, account, &name.registry))?;
    begin(app, account, &digest)?;
    let mut child = Command::new(&app.settings.program);
    child
        .env_clear()
        .current_dir(folder.path())
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped());
    for kept in
        ["PATH", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "no_proxy"]
    {
        if let Some(value) = std::env::var_os(kept) {
            child.env(kept, value);
        }
    }
    child.env("HOME", folder.path()).env("TMPDIR", folder.path());
    child.args([
        "--progress",
        "none",
        "--max-memory",
        &app.settings.scan_memory.to_string(),
        "archive",
    ]);
    child
        .arg(format!("docker://{}/{}@{digest}", name.registry, name.repo))
        .args(["--tag", &fulltag]);
    child.arg("-o").arg(format!("archive={}", archive.display()));
    if let Some(dockerfile) = &said.dockerfile {
        let path = folder.path().join("Dockerfile");
        File::create(&path)
            .and_then(|mut file| file.write_all(dockerfile.as_bytes()))
            .map_err(Problem::internal)?;
        child.arg("--dockerfile").arg(path);
    }
    let net = &app.settings.net;
    for cacert in &net.ca_files {
        child.arg("--cacert").arg(cacert);
    }
    if net.plain_http {
        child.arg("--plain-http");
    }
    if net.insecure_tls || login.as_ref().is_some_and(|login| !login.verify) {
        child.arg("--insecure-tls");
    }
    if let Some(login) = login.filter(|login| !login.user.is_empty()) {
        child
            .args(["--registry-user", &login.user])
            .env("INSCAN_REGISTRY_PASSWORD", login.password);
    }
    finished(app, child)?;
    let mut file = File::open(&archive).map_err(Problem::internal)?;
    import::archive(app, account, &mut file, &said, Origin::Scan).map(drop)
}

fn begin(app: &App, account: &str, digest: &str) -> Result<()> {
    app.store.write(|tx| {
        tx.run(
            "UPDATE image SET analysis_status = 'analyzing' WHERE account = $1 AND digest = $2 AND analysis IS NULL",
            inscan_store::values![account, digest],
        )?;
        Ok::<_, Problem>(())
    })
}

/// Waits for the child, and ends it where it takes too long or the server ends.
fn finished(app: &App, mut command: Command) -> Result<()> {
    let until = Instant::now() + app.settings.scan_time;
    let mut child = command
        .spawn()
        .map_err(|error| Problem::internal(format!("cannot start a scan: {error}")))?;
    let words = child.stderr.take().map(|stderr| {
        thread::spawn(move || {
            let mut words = Vec::new();
            let mut stderr = stderr;
            let _ = (&mut stderr).take(MAX_WORDS).read_to_end(&mut words);
            // The rest is thrown away, so that it does not wait for us.
            let _ = std::io::copy(&mut stderr, &mut std::io::sink());
            String::from_utf8_lossy(&words).trim().to_owned()
        })
    });
    let status = loop {
        match child.try_wait().map_err(Problem::internal)? {
            Some(status) => break Some(status),
            None if Instant::now() > until || app.bell.has_ended() => {
                let _ = child.kill();
                let _ = child.wait();
                break None;
            }
            None => thread::sleep(Duration::from_millis(50)),
        }
    };
    let words = words.and_then(|words| words.join().ok()).unwrap_or_default();
    match status {
        Some(status) if status.success() => Ok(()),
        Some(_) => Err(Problem::bad(format!("the image could not be analyzed: {words}"))),
        None => Err(Problem::bad("the analysis took too long")),
    }
}
