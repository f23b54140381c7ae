//! A server for a test, which ends with it.

use std::fs;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use inscan_test_support::{Inscan, Run};
use serde_json::Value;
use tempfile::TempDir;

pub(super) const TOKEN: &str = "a-token-of-an-administrator";

pub(super) struct Server {
    child: Child,
    folder: TempDir,
    pub(super) url: String,
}

impl Server {
    /// With these arguments beside those that every test needs.
    pub(super) fn start(arguments: &[&str]) -> Server {
        Server::over(tempfile::tempdir().unwrap(), arguments)
    }

    /// With the data that a server before it left in the folder.
    pub(super) fn over(folder: TempDir, arguments: &[&str]) -> Server {
        let token = folder.path().join("token");
        fs::write(&token, TOKEN).unwrap();
        let log = folder.path().join("log");
        let stderr = fs::File::create(&log).unwrap();
        let mut command = Command::new(crate::BINARY);
        command.env_clear().env("HOME", folder.path()).stdin(Stdio::null()).stdout(Stdio::null());
        command
            .args(["serve", "--listen", "127.0.0.1:0", "--data"])
            .arg(folder.path().join("data"));
        command.arg("--admin-token-file").arg(token).args(arguments).stderr(stderr);
        let mut child = command.spawn().unwrap();
        let url = address(&mut child, &log);
        Server { child, folder, url }
    }

    /// Told to end, as `systemctl stop` does; its data stays.
    pub(super) fn stop(mut self) -> (TempDir, Option<i32>) {
        let killed = Command::new("kill").arg(self.child.id().to_string()).status().unwrap();
        assert!(killed.success());
        let status = self.child.wait().unwrap();
        let folder = std::mem::replace(&mut self.folder, tempfile::tempdir().unwrap());
        (folder, status.code())
    }

    pub(super) fn kill(mut self) -> TempDir {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
        std::mem::replace(&mut self.folder, tempfile::tempdir().unwrap())
    }

    /// The binary as a client of it.
    pub(super) fn upload(&self, image: &str, arguments: &[&str]) -> Run {
        let mut inscan: Inscan = crate::inscan(&["upload", image, "--url", &self.url]);
        inscan.args(arguments).env("INSCAN_TOKEN", TOKEN).run()
    }

    /// Status and body of an answer.
    pub(super) fn ask(&self, method: &str, path: &str, more: &[&str]) -> (String, Value) {
        let mut curl = Command::new("curl");
        curl.args(["-sS", "-X", method, "-w", "\n%{http_code}", "-H"])
            .arg(format!("Authorization: Bearer {TOKEN}"));
        let output = curl.args(more).arg(format!("{}{path}", self.url)).output().unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        let (body, status) = text.rsplit_once('\n').unwrap();
        (status.to_owned(), serde_json::from_str(body).unwrap_or(Value::String(body.to_owned())))
    }

    pub(super) fn get(&self, path: &str) -> Value {
        let (status, body) = self.ask("GET", path, &[]);
        assert_eq!(status, "200", "{path}: {body}");
        body
    }

    pub(super) fn log(&self) -> String {
        fs::read_to_string(self.folder.path().join("log")).unwrap()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn address(child: &mut Child, log: &Path) -> String {
    let until = Instant::now() + Duration::from_secs(60);
    loop {
        let said = fs::read_to_string(log).unwrap();
        if let Some(address) =
            said.split("inscan serves at ").nth(1).and_then(|it| it.split(',').next())
        {
            return address.to_owned();
        }
        let ended = child.try_wait().unwrap();
        assert!(ended.is_none() && Instant::now() < until, "it does not start: {said}");
        std::thread::sleep(Duration::from_millis(50));
    }
}
