//! Who we are, what is refused, and what is never said.

use std::fs;
use std::io::Write;
use std::process::Stdio;

use super::parts::{DEMO, TAG, archive, ends, inscan, served, stderr, stdout, upload};
use super::stand_in::{Behaviour, TOKEN, members};

#[test]
fn the_token_is_taken_from_many_places_and_said_in_none() {
    let Some(served) = served(Behaviour { looks: 0, ..Behaviour::default() }) else { return };
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("token");
    fs::write(&file, format!("{TOKEN}\n")).unwrap();
    let archive = archive().to_str().unwrap();
    let url = served.url();
    let arguments = ["upload", archive, "--url", &url];
    let with = |more: &[&str]| {
        let mut command = inscan(&arguments);
        command.args(more);
        command
    };
    ends(with(&["--token-file", file.to_str().unwrap()]), 0);
    let mut from_stdin = with(&["--token-file", "-"]);
    let child = from_stdin.stdin(Stdio::piped()).stdout(Stdio::null()).spawn();
    let mut child = child.unwrap();
    child.stdin.take().unwrap().write_all(TOKEN.as_bytes()).unwrap();
    assert!(child.wait().unwrap().success());
    let typed = ends(with(&["--token", TOKEN]), 0);
    assert!(stderr(&typed).contains("can be seen by others"), "{}", stderr(&typed));
    for name in ["INSCAN_TOKEN", "SYSDIG_API_TOKEN", "SDC_TOKEN"] {
        let mut command = with(&[]);
        let output = ends(
            {
                command.env(name, TOKEN);
                command
            },
            0,
        );
        let said = stderr(&output) + &stdout(&output);
        assert!(!said.contains(TOKEN) && !said.contains("can be seen"), "{said}");
    }
    let mut command = inscan(&["upload", archive]);
    command.env("SDC_URL", &url).env("SDC_TOKEN", TOKEN);
    ends(command, 0);
}

#[test]
fn what_is_missing_is_said_before_anything_is_done() {
    let archive = archive().to_str().unwrap();
    let said = |arguments: &[&str], variables: &[(&str, &str)]| {
        let mut command = inscan(arguments);
        command.envs(variables.iter().copied());
        let output = ends(command, 2);
        assert!(output.stdout.is_empty());
        stderr(&output)
    };
    let token = [("INSCAN_TOKEN", TOKEN)];
    for (arguments, variables, expected) in [
        (&["upload", archive][..], &token[..], "no backend is named"),
        (&["upload", archive, "--url", "http://127.0.0.1:1"], &[], "no token for the backend"),
        (&["upload", archive, "--url", "https://me:secret@x"], &token, "belong elsewhere"),
        (&["upload", archive, "--url", "ftp://x"], &token, "neither http nor https"),
        (
            &["upload", archive, "--url", "x", "--backend", "anchore"],
            &[("ANCHORE_CLI_PASS", "x")],
            "a user and a password",
        ),
        (&["upload", "-", "--url", "x", "--token-file", "-"], &[], "cannot have the token too"),
        (
            &["upload", archive, "--url", "x", "--token-file", "/no/such"],
            &[],
            "could not read the token",
        ),
    ] {
        let said = said(arguments, variables);
        assert!(said.contains(expected) && !said.contains("secret"), "{said}");
    }
}

#[test]
fn names_are_given_to_an_archive_when_it_is_made() {
    let Some(served) = served(Behaviour::default()) else { return };
    let mut command =
        inscan(&["upload", archive().to_str().unwrap(), "--tag", "x", "--url", &served.url()]);
    let said = stderr(&ends(
        {
            command.env("INSCAN_TOKEN", TOKEN);
            command
        },
        2,
    ));
    assert!(said.contains("names of its own"), "{said}");
}

#[test]
fn a_wrong_token_is_told_as_the_server_tells_it() {
    let Some(served) = served(Behaviour::default()) else { return };
    let mut command = inscan(&["upload", DEMO, "--tag", TAG, "--url", &served.url()]);
    let output = ends(
        {
            command.env("INSCAN_TOKEN", "another-token-9f");
            command
        },
        3,
    );
    let said = stderr(&output);
    assert!(said.contains("Unauthorized (401 Unauthorized)"), "{said}");
    assert!(!said.contains("another-token-9f") && output.stdout.is_empty(), "{said}");
    assert_eq!(served.asked().len(), 1, "nothing is asked again");
}

#[test]
fn the_engines_refusals_are_told() {
    let Some(served) = served(Behaviour::default()) else { return };
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("archive.tgz");
    // The engine misses an artifact that the manifest names: cut out with another tar.
    let whole = members(&fs::read(archive()).unwrap()).unwrap();
    let without: Vec<_> = whole.iter().filter(|(name, _)| *name != "image_content").collect();
    let gzip = flate2::write::GzEncoder::new(
        fs::File::create(&path).unwrap(),
        flate2::Compression::fast(),
    );
    let mut tar = tar::Builder::new(gzip);
    for (name, content) in without {
        let mut header = tar::Header::new_ustar();
        header.set_size(content.len() as u64);
        tar.append_data(&mut header, name, &content[..]).unwrap();
    }
    tar.into_inner().unwrap().finish().unwrap();
    let mut command = inscan(&["upload", path.to_str().unwrap(), "--url", &served.url()]);
    let output = ends(
        {
            command.env("INSCAN_TOKEN", TOKEN);
            command
        },
        3,
    );
    let said = stderr(&output);
    assert!(
        said.contains("Error importing image archive: \"filename 'image_content' not found\""),
        "{said}"
    );
    let posts = served.asked().into_iter().filter(|call| call.starts_with("POST")).count();
    assert_eq!(posts, 1, "what is refused for good is not sent again");
}

#[test]
fn offline_asks_nobody() {
    let Some(served) = served(Behaviour::default()) else { return };
    let said = stderr(&ends(upload(&served, &["--offline"]), 3));
    assert!(said.contains("--offline") && served.asked().is_empty(), "{said}");
}
