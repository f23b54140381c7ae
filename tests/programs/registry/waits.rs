//! What is waited for is said, so that nobody thinks it hangs.

use super::parts::{self, inscan};
use super::server::{Response, Server};

#[test]
fn a_registry_that_is_asked_again_is_named_and_so_is_why() {
    let busy = Server::of(|_| Response::new(503, &[("Retry-After", "1")], b""));
    let image = busy.at("app:1");
    let host = image.trim_start_matches("docker://").trim_end_matches(":1");
    let note = format!("note: {host} answers 503, retrying in 1.0 s (2 of 2)");
    let said = parts::refused(inscan(&["scan", &image]), 3);
    assert!(said.lines().any(|line| line == note), "no `{note}` in: {said}");
    let said = parts::refused(inscan(&["pull", &image, "-o", "oci:/nonexistent/x"]), 3);
    assert!(said.lines().any(|line| line == note), "no `{note}` in: {said}");
    // Who wants quiet hears errors only.
    let said = parts::refused(inscan(&["scan", &image, "-q"]), 3);
    assert!(!said.contains("note:") && said.contains("503"), "{said}");

    let address = format!("http://127.0.0.1:{}", busy.port);
    let database = format!("{address}/v.db");
    let note = format!("note: {address} answers 503, retrying in");
    let folder = tempfile::tempdir().unwrap();
    let mut update = inscan(&["db", "update", &database]);
    update.env("XDG_DATA_HOME", folder.path());
    let said = parts::refused(update, 3);
    assert!(said.lines().any(|line| line.starts_with(&note)), "no `{note}` in: {said}");
}
