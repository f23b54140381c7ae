//! What is done with a server's data from the command line, and what a server is told about others.

use std::fs;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use inscan_test_support::{DATABASE, IMAGE, Run, need_programs};
use tempfile::TempDir;

use super::server::Server;

/// A subcommand of `serve` on the data of a server that was stopped.
fn manage(folder: &TempDir, arguments: &[&str]) -> Run {
    let mut inscan = crate::inscan(&["serve"]);
    inscan.args(arguments).arg("--data").arg(folder.path().join("data"));
    inscan.run()
}

fn status(server: &Server, login: &[&str]) -> String {
    let curl = Command::new("curl")
        .args(["-s", "-o", "/dev/null", "-w", "%{http_code}"])
        .args(login)
        .arg(format!("{}/api/users/me", server.url))
        .output()
        .unwrap();
    String::from_utf8(curl.stdout).unwrap()
}

#[test]
fn users_and_tokens_of_the_command_line_let_somebody_in() {
    if !need_programs(&["curl"]) {
        return;
    }
    let (folder, _) = Server::start(&[]).stop();
    let password = folder.path().join("password");
    fs::write(&password, "a long word\n").unwrap();
    let file = password.to_str().unwrap();
    manage(&folder, &["user", "add", "ann", "advanced", "--password-file", file]).ends(0);
    let run = manage(&folder, &["token", "add", "ann"]).ends(0);
    let token = run.stdout.trim().to_owned();
    let server = Server::over(folder, &[]);
    let by_token = format!("Authorization: Bearer {token}");
    assert_eq!(status(&server, &["-H", &by_token]), "200");
    assert_eq!(status(&server, &["-u", "ann:a long word"]), "200");
    assert_eq!(status(&server, &["-u", "ann:a short word"]), "401");
    let (folder, _) = server.stop();
    let run = manage(&folder, &["token", "list"]);
    let listed = run.stdout;
    let line = listed.lines().find(|line| line.contains("\tann\t")).unwrap();
    assert!(!listed.contains(&token));
    manage(&folder, &["token", "revoke", line.split('\t').next().unwrap()]).ends(0);
    manage(&folder, &["user", "remove", "admin"]).ends(2).says(&["the last administrator"]);
    let server = Server::over(folder, &[]);
    assert_eq!(status(&server, &["-H", &by_token]), "401");
}

#[test]
fn a_check_finds_what_is_missing_and_changes_nothing() {
    let server = Server::start(&["--db", DATABASE]);
    server.upload(IMAGE, &["--tag", "registry.example/team/demo:1"]);
    let (folder, _) = server.stop();
    manage(&folder, &["check"]).ends(0).says(&["0 faults"]);
    let contents = folder.path().join("data/contents");
    let mut below = fs::read_dir(&contents).unwrap().map(|it| it.unwrap().path());
    let some = below.find(|path| path.is_dir()).unwrap();
    fs::rename(&some, folder.path().join("away")).unwrap();
    manage(&folder, &["check"]).ends(3).says(&["is not there"]);
    fs::rename(folder.path().join("away"), &some).unwrap();
    manage(&folder, &["check"]).ends(0);
}

#[test]
fn a_server_with_another_key_or_without_a_database_to_share_is_refused() {
    let (folder, _) = Server::start(&[]).stop();
    fs::write(folder.path().join("data/key"), "0".repeat(64)).unwrap();
    manage(&folder, &["--listen", "127.0.0.1:0"])
        .ends(2)
        .says(&["is not the one of this database", "--key-file"]);
    manage(&folder, &["--role", "worker"]).ends(2).says(&["--database postgres://"]);
    manage(&folder, &["--objects", "s3://things?regoin=x", "--objects-credentials", "/dev/null"])
        .ends(2)
        .says(&["`regoin` is none of"]);
}

#[test]
fn a_socket_in_the_file_system_answers() {
    if !need_programs(&["curl"]) {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("socket");
    // Of a server that was ended in the middle.
    drop(std::os::unix::net::UnixListener::bind(&socket).unwrap());
    let mut child = Command::new(crate::BINARY)
        .env_clear()
        .env("HOME", folder.path())
        .args(["serve", "--listen", &format!("unix:{}", socket.display()), "--data"])
        .arg(folder.path().join("data"))
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let until = Instant::now() + Duration::from_secs(60);
    let answer = loop {
        let curl = Command::new("curl")
            .arg("-s")
            .arg("--unix-socket")
            .arg(&socket)
            .arg("http://localhost/healthz")
            .output()
            .unwrap();
        if curl.status.success() || Instant::now() > until {
            break curl.stdout;
        }
        std::thread::sleep(Duration::from_millis(50));
    };
    let told = Command::new("kill").arg(child.id().to_string()).status().unwrap();
    let ended = child.wait().unwrap();
    assert!(told.success() && ended.success());
    assert_eq!(answer, br#"{"status":"alive"}"#);
    assert!(!socket.exists());
}
