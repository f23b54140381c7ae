//! Programs that keep credentials: `docker-credential-NAME get`, the server's name on its
//! standard input, JSON on its output
//! (<https://github.com/docker/docker-credential-helpers#development>).

use std::io::{Read, Write};
use std::process::{Command, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use serde::Deserialize;

use super::credentials::Credential;
use crate::Secret;
use inscan_facts::error::shown;
use inscan_facts::json::{self, Form};

/// More is no password.
const MAX_BYTES: u64 = 1 << 20;
/// What a helper puts in the place of a user whose password is an identity token.
const TOKEN_USER: &str = "<token>";

const STORED: Form = Form::Object(&[("Username", Form::Text), ("Secret", Form::Text)]);

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
struct Stored {
    username: String,
    secret: String,
}

/// Asks a helper for a server. `None`: it has nothing for it.
pub(super) fn get(
    name: &str,
    server: &str,
    patience: Duration,
) -> Result<Option<Credential>, String> {
    if !is_name(name) {
        return Err(format!("`{}` is not a name of a credential helper", shown(name)));
    }
    let program = format!("docker-credential-{name}");
    let (succeeded, output) = run(&program, server, patience)?;
    if !succeeded {
        let said = String::from_utf8_lossy(&output);
        let said = said.trim();
        // In the words of the helpers' own library, which callers have to know.
        if said.contains("credentials not found") {
            return Ok(None);
        }
        let said =
            if said.is_empty() { "it failed and said nothing".to_owned() } else { shown(said) };
        return Err(format!("`{program}`: {said}"));
    }
    // What the error says would show a piece of the text.
    let stored: Stored = json::parse(&output, &STORED)
        .map_err(|_| format!("`{program}`: its output is not what a credential helper writes"))?;
    Ok(match (stored.username.as_str(), stored.secret.as_str()) {
        ("", "") => None,
        ("" | TOKEN_USER, secret) => Some(Credential::Identity(Secret::new(secret))),
        (user, secret) => {
            Some(Credential::Basic { user: user.to_owned(), password: Secret::new(secret) })
        }
    })
}

/// The name becomes part of a program's: it must not lead to another one.
fn is_name(name: &str) -> bool {
    let character = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.');
    !name.is_empty() && name.len() <= 64 && name.bytes().all(character)
}

/// Runs it to its end: whether it succeeded, and what it wrote.
fn run(program: &str, server: &str, patience: Duration) -> Result<(bool, Vec<u8>), String> {
    let mut child = Command::new(program)
        .arg("get")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .map_err(|error| format!("could not run `{program}`: {error}"))?;
    if let Some(mut stdin) = child.stdin.take() {
        // One that does not read it has its own reasons.
        let _ = writeln!(stdin, "{server}");
    }
    let stdout = child.stdout.take();
    let (sender, receiver) = mpsc::channel();
    thread::spawn(move || {
        let mut output = Vec::new();
        if let Some(stdout) = stdout {
            let _ = stdout.take(MAX_BYTES).read_to_end(&mut output);
        }
        let _ = sender.send(output);
    });
    let deadline = Instant::now() + patience;
    let output = receiver.recv_timeout(patience);
    // One that has said all may still take its time to end.
    while output.is_ok() && Instant::now() < deadline {
        match child.try_wait() {
            Ok(None) => thread::sleep(Duration::from_millis(5)),
            Ok(Some(_)) | Err(_) => break,
        }
    }
    // Of no effect where it has ended.
    let _ = child.kill();
    let status = child.wait().map_err(|error| format!("`{program}`: {error}"))?;
    match output {
        Ok(output) => Ok((status.success(), output)),
        Err(_) => Err(format!("`{program}` gave no answer within {} s", patience.as_secs_f32())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_helper_is_named_by_its_name_and_nothing_else() {
        for wrong in ["", "../x", "a/b", "x y", "x;y", "$x", "ä"] {
            let error = get(wrong, "registry.example", Duration::ZERO).unwrap_err();
            assert!(error.contains("not a name of a credential helper"), "{error}");
        }
        let error = get("is-not-installed", "registry.example", Duration::ZERO).unwrap_err();
        assert!(error.contains("could not run `docker-credential-is-not-installed`"), "{error}");
    }
}
