//! What is typed wrong, and help.

use super::run::{DEMO, Place};

/// The texts are the legacy scanner's own.
#[test]
fn wrong_parameters_end_with_2_and_its_words() {
    let place = Place::new();
    let usage = "\nUse -h or --help to display usage\n\n";
    for (arguments, reason) in [
        (&[][..], "must specify an image to analyze"),
        (&["alpine"], "must provide the Sysdig Secure API token"),
        (&["-k", "t", "a", "b"], "only 1 image can be analyzed at a time"),
        (&["-k", "t", "--storage-type", "tar", "a"], "unsupported storage type 'tar'"),
        (&["-k", "t", "--format", "json", "a"], "unsupported output format 'json'"),
        (
            &["-k", "t", "--storage-type=oci-dir", "a"],
            "must specify storage path with option --storage-path",
        ),
        (&["-k", "t", "--no-such-flag", "a"], "unrecognized option '--no-such-flag'"),
        (&["-k"], "option requires an argument -- 'k'"),
    ] {
        for program in ["sysdig-inline-scan.sh", "inscan"] {
            let mut command = match program {
                "inscan" => {
                    let mut command = crate::inscan(&["legacy"]);
                    command.args(arguments);
                    command
                }
                _ => place.command(program, arguments),
            };
            let run = command.run().ends(2);
            assert_eq!(run.stderr, format!("ERROR: {reason}\n{usage}"), "{arguments:?}");
            assert_eq!(run.stdout, "", "{arguments:?}");
        }
    }
    // With JSON asked for as well: there is no object of what was not begun.
    let run = place.run(&["--format=JSON", "alpine"]).ends(2);
    assert_eq!(run.stdout, "");
}

#[test]
fn what_is_wrong_beyond_the_parameters_ends_with_3() {
    let place = Place::new();
    let archive = ["--local", "--storage-type=oci-archive", "--storage-path", DEMO];
    for (arguments, reason) in [
        (&["-a", "x"][..], "x is not a valid input for -a option"),
        (&["-f", "/no/Dockerfile"], "Dockerfile /no/Dockerfile does not exist"),
        (&["-m", "/no/manifest"], "Manifest /no/manifest does not exist"),
        (
            &["--malware-scan-enable", "--malware-scan-output", "/no/folder"],
            "Directory /no/folder does not exist",
        ),
    ] {
        let arguments = [&archive, arguments, &["demo:1"]].concat();
        let run = place.run(&arguments).ends(3);
        assert_eq!(run.stderr, format!("\nERROR:\n{reason}\n\n"), "{arguments:?}");
        let run = place.run(&[&["--format=JSON"], &arguments[..]].concat()).ends(3);
        let object = run.object();
        assert_eq!((&object["status"], &object["error"]), (&"error".into(), &reason.into()));
        assert!(object["log"].is_string());
    }
}

#[test]
fn an_image_that_is_not_there_is_said_to_be_to_pull() {
    let place = Place::new();
    let arguments =
        ["--local", "--storage-type=docker-archive", "--storage-path=/no/image.tar", "app:1"];
    let run = place.run(&arguments).ends(3);
    let begin = "\nERROR:\nFailed to retrieve the image specified in script input - app:1.\n\
                 Please pull remote image, or build/tag all local images before attempting analysis again.\n";
    assert!(run.stderr.starts_with(begin), "{}", run.stderr);
    assert_eq!(run.stdout, "Inspecting image from Docker archive file -- /no/image.tar\n");
}

#[test]
fn help_is_on_stderr_and_no_error() {
    let place = Place::new();
    for arguments in [&["-h"][..], &["--help"], &["a", "b", "--help"]] {
        let run = place.run(arguments).ends(0);
        assert!(run.stderr.contains("--storage-type TYPE"), "{}", run.stderr);
        assert_eq!(run.stdout, "");
    }
    // Of the first generation only `-h` is none.
    let first = |arguments: &[&str]| place.command("inline_scan.sh", arguments).run();
    assert!(first(&["analyze", "-h"]).ends(0).stderr.contains("-R DIR"));
    assert!(first(&["help"]).ends(1).stderr.contains("inline_scan.sh analyze"));
    let run = first(&["scan"]).ends(1);
    assert!(run.stderr.starts_with("\n\tERROR - must specify operation ('analyze')\n\n"));
    let run = first(&["analyze", "-k", "t"]).ends(1);
    assert!(run.stderr.starts_with("\n\tERROR - must specify an image to analyze\n\n"));
}

#[test]
fn a_log_that_cannot_be_where_it_shall_is_an_error() {
    let place = Place::new();
    let mut command = place.command("sysdig-inline-scan.sh", &["--local", "demo:1"]);
    command.env("TMP_PATH", "/dev/null/below");
    let run = command.run().ends(3);
    assert!(run.stderr.contains("Cannot write the log below /dev/null/below"), "{}", run.stderr);
}
