//! Registries that ask who we are: with a password, with a token, with a helper that knows.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use inscan_test_support::sha256;
use serde_json::json;

use super::parts::{self, Running, document, have, inscan, refused, run};
use super::server::{Request, Response, Server};

const PASSWORD: &str = "pass:word ä";

fn with_password() -> Running {
    let auth = "auth: {htpasswd: {realm: test, path: DIR/htpasswd}}\n";
    parts::registry_on(parts::storage(), "", auth, |directory| {
        let line = run("htpasswd", &["-Bbn", "-C", "4", "me", PASSWORD]);
        fs::write(directory.join("htpasswd"), line).unwrap();
    })
}

fn base64(text: &str) -> String {
    STANDARD.encode(text)
}

fn write(registry: &Running, name: &str, text: impl ToString) -> String {
    let path = registry.file(name);
    fs::write(&path, text.to_string()).unwrap();
    path
}

const TOOLS: [&str; 3] = ["docker-registry", "skopeo", "htpasswd"];

#[test]
fn a_password_comes_from_the_command_line_the_environment_and_files() {
    if !have(&TOOLS) {
        return;
    }
    let registry = with_password();
    let image = registry.at("demo:1");
    let analyze = |more: &[&str]| inscan(&[&["analyze", &image], more].concat());

    let nobody = refused(analyze(&[]), 3);
    let host = format!("127.0.0.1:{}", registry.port);
    assert!(nobody.contains(&format!("log in with `docker login {host}`")), "{nobody}");

    let from_stdin = write(&registry, "password", format!("{PASSWORD}\n"));
    let mut command = analyze(&["--registry-user", "me", "--registry-password-stdin"]);
    command.stdin(fs::File::open(&from_stdin).unwrap());
    document(command);

    let mut command = analyze(&[]);
    command.env("INSCAN_REGISTRY_USER", "me").env("INSCAN_REGISTRY_PASSWORD", PASSWORD);
    document(command);

    let mut command = analyze(&["--registry-user", "me"]);
    command.env("INSCAN_REGISTRY_PASSWORD", "wrong-secret");
    let wrong = refused(command, 3);
    assert!(wrong.contains("authentication failed for user `me` from the command line"), "{wrong}");
    assert!(!wrong.contains("wrong-secret"), "{wrong}");
    assert!(refused(analyze(&["--registry-user", "me"]), 2).contains("has no password"));

    let auth = json!({"auths": {host.as_str(): {"auth": base64(&format!("me:{PASSWORD}"))}}});
    let file = write(&registry, "auth.json", &auth);
    document(analyze(&["--authfile", &file]));
    let mut command = analyze(&[]);
    command.env("REGISTRY_AUTH_FILE", &file);
    document(command);
    // As podman has it, and as docker: a directory.
    for (variable, path) in [
        ("XDG_RUNTIME_DIR", "containers/auth.json"),
        ("XDG_CONFIG_HOME", "containers/auth.json"),
        ("DOCKER_CONFIG", "config.json"),
        ("HOME", ".docker/config.json"),
    ] {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::copy(&file, path).unwrap();
        let mut command = analyze(&[]);
        command.env(variable, home.path());
        document(command);
    }
    let broken = write(&registry, "broken.json", "{\"auths\": {\"a\": \"hunter2\"}}");
    let error = refused(analyze(&["--authfile", &broken]), 3);
    assert!(error.contains("broken.json`, line 1") && !error.contains("hunter2"), "{error}");
}

/// Puts a helper of this name into a directory, and that before the others of PATH.
fn helper(directory: &Path, name: &str, script: &str) -> String {
    let path = directory.join(format!("docker-credential-{name}"));
    fs::write(&path, format!("#!/bin/sh\n{script}\n")).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    format!("{}:{}", directory.display(), std::env::var("PATH").unwrap())
}

#[test]
fn helpers_are_asked_for_the_host_and_may_know_nothing() {
    if !have(&TOOLS) {
        return;
    }
    let (closed, open) = (with_password(), parts::registry());
    let ask = |registry: &Running, config: serde_json::Value, script: &str| {
        let file = write(registry, "helpers.json", &config);
        let mut command = inscan(&["analyze", &registry.at("demo:1"), "--authfile", &file]);
        command.env("PATH", helper(registry.directory.path(), "test", script));
        command
    };
    let host = format!("127.0.0.1:{}", closed.port);
    let knows = format!(
        "read host; [ \"$1 $host\" = 'get {host}' ] && echo '{{\"Username\": \"me\", \"Secret\": \"{PASSWORD}\"}}'"
    );
    document(ask(&closed, json!({"credHelpers": {host.as_str(): "test"}}), &knows));
    document(ask(&closed, json!({"credsStore": "test", "auths": {host.as_str(): {}}}), &knows));

    let nothing = "echo 'credentials not found in native keychain'; exit 1";
    document(ask(&open, json!({"credsStore": "test"}), nothing));
    let refused_nobody = refused(ask(&closed, json!({"credsStore": "test"}), nothing), 3);
    assert!(refused_nobody.contains("no credentials for"), "{refused_nobody}");
    // One that fails does not stand in the way of an image for everybody, and is named else.
    let fails = "echo 'the keychain is locked'; exit 1";
    document(ask(&open, json!({"credsStore": "test"}), fails));
    let error = refused(ask(&closed, json!({"credsStore": "test"}), fails), 3);
    assert!(error.contains("`docker-credential-test`: the keychain is locked"), "{error}");
    let error = refused(ask(&closed, json!({"credsStore": "../test"}), fails), 3);
    assert!(error.contains("not a name of a credential helper"), "{error}");
}

/// A registry that believes tokens signed with a key, which a server of ours signs for `me` and
/// for an identity token.
fn with_tokens() -> (Running, Server) {
    let keys = tempfile::tempdir().unwrap();
    let path = |name: &str| keys.path().join(name).to_string_lossy().into_owned();
    let (key, certificate) = (path("key.pem"), path("certificate.pem"));
    parts::self_signed("/CN=issuer", &key, &certificate);
    let der = run("openssl", &["x509", "-in", &certificate, "-outform", "DER"]);
    let bundle = fs::read(&certificate).unwrap();
    let server = Server::of(move |request| token(request, &key, &der, keys.path()));
    let auth = format!(
        "auth: {{token: {{realm: 'http://127.0.0.1:{}/token', service: test, issuer: issuer, rootcertbundle: DIR/bundle.pem}}}}\n",
        server.port
    );
    let registry = parts::registry_on(parts::storage(), "", &auth, |directory| {
        fs::write(directory.join("bundle.pem"), bundle).unwrap();
    });
    (registry, server)
}

fn token(request: &Request, key: &str, certificate: &[u8], directory: &Path) -> Response {
    let form = String::from_utf8_lossy(&request.body).into_owned();
    let asked = if request.method == "POST" { &form } else { &request.path };
    let allowed = match request.method.as_str() {
        "POST" => {
            form.contains("grant_type=refresh_token&") && form.contains("refresh_token=my-identity")
        }
        _ => {
            request.header("authorization")
                == Some(&format!("Basic {}", base64(&format!("me:{PASSWORD}"))))
        }
    };
    let right = asked.contains("service=test") && asked.contains("scope=repository%3Ademo%3Apull");
    if !allowed || !right {
        let body = json!({"errors": [{"code": "DENIED", "message": "wrong user or password"}]});
        return Response::new(401, &[], body.to_string().as_bytes());
    }
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs();
    let header = json!({"typ": "JWT", "alg": "RS256", "x5c": [STANDARD.encode(certificate)]});
    let access = json!([{"type": "repository", "name": "demo", "actions": ["pull"]}]);
    let claims = json!({"iss": "issuer", "sub": "me", "aud": "test", "jti": "1", "iat": now, "nbf": now - 10, "exp": now + 60, "access": access});
    let text = [header, claims].map(|part| URL_SAFE_NO_PAD.encode(part.to_string())).join(".");
    let name = directory.join(sha256(text.as_bytes()));
    fs::write(&name, &text).unwrap();
    let signature = run("openssl", &["dgst", "-sha256", "-sign", key, &name.to_string_lossy()]);
    let token = format!("{text}.{}", URL_SAFE_NO_PAD.encode(signature));
    let field = if request.method == "POST" { "access_token" } else { "token" };
    Response::new(200, &[], json!({ field: token }).to_string().as_bytes())
}

#[test]
fn a_token_is_got_with_a_password_and_with_an_identity_token() {
    if !have(&[&TOOLS[..], &["openssl"]].concat()) {
        return;
    }
    let (registry, server) = with_tokens();
    let image = registry.at("demo:1");
    let host = format!("127.0.0.1:{}", registry.port);
    let mut command = inscan(&["analyze", &image, "--registry-user", "me"]);
    command.env("INSCAN_REGISTRY_PASSWORD", PASSWORD);
    let found = document(command);
    assert!(found.to_string().contains("zlib1g"));
    // One token for manifest, configuration and three layers.
    assert_eq!(server.log.lock().unwrap().len(), 1);

    let identity =
        json!({"auths": {host.as_str(): {"auth": base64("me:"), "identitytoken": "my-identity"}}});
    let file = write(&registry, "identity.json", &identity);
    document(inscan(&["analyze", &image, "--authfile", &file]));
    assert_eq!(server.log.lock().unwrap().last().unwrap().method, "POST");

    let error = refused(inscan(&["analyze", &image]), 3);
    assert!(error.contains("no token from") && error.contains("wrong user or password"), "{error}");
    let other = json!({"auths": {host.as_str(): {"identitytoken": "stale-secret"}}});
    let file = write(&registry, "other.json", &other);
    let error = refused(inscan(&["analyze", &image, "--authfile", &file]), 3);
    assert!(
        error.contains("the identity token from") && !error.contains("stale-secret"),
        "{error}"
    );

    let mut command = inscan(&["analyze", &image]);
    command.env("INSCAN_REGISTRY_TOKEN", "not-a-token");
    let error = refused(command, 3);
    assert!(
        error.contains("authentication failed for the token") && !error.contains("not-a-token"),
        "{error}"
    );
}

#[test]
fn no_credentials_go_to_a_place_without_https() {
    let realm = "Bearer realm=\"http://auth.example/token\",service=\"x\"";
    let server = Server::of(move |_| Response::new(401, &[("WWW-Authenticate", realm)], b""));
    let mut command = inscan(&["scan", &server.at("app:1"), "--registry-user", "me"]);
    command.env("INSCAN_REGISTRY_PASSWORD", "secret");
    // The registry is asked over plain http, on this machine; the place it names is not on it.
    let said = refused(command, 3);
    assert!(!said.contains("secret"), "{said}");
    let negotiate = Server::of(|_| Response::new(401, &[("WWW-Authenticate", "Negotiate")], b""));
    let error = refused(inscan(&["scan", &negotiate.at("app:1")]), 3);
    assert!(error.contains("offers Negotiate to log in with"), "{error}");
}
