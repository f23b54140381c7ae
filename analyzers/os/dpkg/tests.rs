use super::*;
use crate::Room;
use crate::testing::{Image, cut_everywhere};

/// `name:arch version source(version)` of each package.
fn packages(facts: &Facts) -> Vec<String> {
    let line = |package: &Package| {
        let source = package.source.clone().unwrap_or_default();
        let arch = package.arch.as_deref().unwrap_or_default();
        let version = source.version.unwrap_or_default();
        format!("{}:{arch} {} {}({version})", package.name, package.version, source.name)
    };
    facts.packages().map(line).collect()
}

#[test]
fn no_more_packages_are_read_than_any_system_has() {
    let paragraph = "Package: a\nStatus: install ok installed\nVersion: 1\n\n";
    let mut out = Facts::default();
    let text = paragraph.repeat(100_002);
    assert_eq!(count(&text, &mut out), 100_000);
    assert_eq!(out.problems[0].code, OVER_LIMIT);
}

#[test]
fn no_more_packages_are_read_than_there_is_memory_for() {
    let room = Room::of(100_000, 0);
    let mut out = Facts::within(&room);
    let text = "Package: a\nStatus: install ok installed\nVersion: 1\n\n".repeat(1000);
    assert!((50..150).contains(&count(&text, &mut out)));
    assert!(room.is_full());
}

fn count(text: &str, out: &mut Facts) -> usize {
    let mut found = 0;
    installed(text.as_bytes(), STATUS.into(), State::Removed, out, &mut |_, _, _| found += 1);
    found
}

#[track_caller]
fn check_status(text: &str, expected: &[&str]) -> Facts {
    let facts = Image::new([(STATUS, text)]).run(&Dpkg);
    let names: Vec<_> = facts.packages().map(|package| package.name.as_str()).collect();
    assert_eq!(names, expected);
    facts
}

fn legacy(facts: &Facts, output: &str, key: &str) -> serde_json::Value {
    let mut values = facts.facts.iter().filter_map(|fact| match fact {
        Fact::Legacy(legacy) if legacy.output == output && legacy.key == key => {
            Some(legacy.value.parsed())
        }
        _ => None,
    });
    values.next_back().unwrap_or_default()
}

fn files<'a>(facts: &'a Facts, name: &str) -> Vec<(&'a str, Option<&'a str>, bool)> {
    let package = facts.packages().find(|package| package.name == name).expect("the package");
    let file = |file: &'a crate::PackageFile| {
        (file.path.to_str().expect("text"), file.digest.as_deref(), file.conffile)
    };
    package.files.iter().map(file).collect()
}

#[test]
fn lists_what_is_installed_and_on_hold_for_each_architecture() {
    let facts = Image::fixture("dpkg/installed").run(&Dpkg);
    let expected = [
        "half:all 1 half()",
        "held:all 0~rc1-1 held()",
        "hello:amd64 1:2.10-3+b1 hello-src(1:2.10-3)",
        "libhi1:amd64 0.9 hi()",
        "libhi1:i386 0.9 hi()",
    ];
    assert_eq!(packages(&facts), expected);
    assert_eq!(facts.problems, []);
}

#[test]
fn states_what_the_paragraph_states() {
    let facts = Image::fixture("dpkg/installed").run(&Dpkg);
    let hello = facts.packages().find(|package| package.name == "hello").unwrap();
    assert_eq!(hello.origin.as_deref(), Some("Ada <ada@example.org>"));
    assert_eq!(hello.size, Some(12 << 10));
    assert_eq!(hello.licenses, ["GPL-2+ or Artistic", "MIT"]);
    assert_eq!(hello.attributes["homepage"], "https://example.org/hello");
    assert_eq!(hello.location, STATUS);
    let held = facts.packages().find(|package| package.name == "held").unwrap();
    assert_eq!(held.attributes["status"], "hold ok installed");
}

#[test]
fn files_have_the_digests_of_the_package() {
    let facts = Image::fixture("dpkg/installed").run(&Dpkg);
    let expected = [
        ("", None, false),
        ("etc", None, false),
        ("etc/hello.conf", Some("da68327babf6cfc2a4f563ea6f1edf8d"), true),
        ("usr", None, false),
        ("usr/bin", None, false),
        ("usr/bin/hello", Some("664d0430ee33458602e580520841a2d4"), false),
        ("usr/share", None, false),
        ("usr/share/doc", None, false),
        ("usr/share/doc/hello", None, false),
        ("usr/share/doc/hello/copyright", Some("ea3ec5616f0c6734bf5f8bd0bf0c67ac"), false),
        ("usr/share/hello words", None, false),
        ("usr/share/hello words/a b", Some("764efa883dda1e11db47671c4a3bbd9e"), false),
    ];
    assert_eq!(files(&facts, "hello"), expected);
}

#[test]
fn a_diverted_file_is_where_it_was_diverted_to() {
    let facts = Image::fixture("dpkg/installed").run(&Dpkg);
    let digest = Some("401b30e3b8b5d629635a5c613cdb7919");
    let expected = [("", None, false), ("bin", None, false), ("bin/sh.real", digest, false)];
    assert_eq!(files(&facts, "held"), expected);
}

#[test]
fn distroless_images_have_a_file_for_each_package() {
    let facts = Image::fixture("dpkg/distroless").run(&Dpkg);
    let expected = ["hello:amd64 1:2.10-3+b1 hello-src(1:2.10-3)", "libhi1:amd64 0.9 hi()"];
    assert_eq!(packages(&facts), expected);
    assert_eq!(facts.problems, []);
    assert_eq!(files(&facts, "libhi1").len(), 2);
    let locations: Vec<_> = facts.packages().map(|package| package.location.clone()).collect();
    assert_eq!(locations, ["var/lib/dpkg/status.d/hello", "var/lib/dpkg/status.d/libhi1"]);
}

#[test]
fn the_last_word_of_the_status_tells_what_is_installed() {
    let text = [
        "install ok installed",
        "deinstall reinstreq installed",
        "hold ok installed",
        "install ok triggers-awaited",
        "deinstall ok config-files",
        "install ok unpacked",
        "purge ok not-installed",
        "nonsense",
        "install ok half-configured",
        "Install OK Installed",
    ]
    .iter()
    .enumerate()
    .map(|(at, status)| format!("Package: p{at}\nStatus: {status}\nVersion: 1\n\n"))
    .collect::<String>();
    let facts = check_status(&text, &["p0", "p1", "p2", "p3", "p5", "p8", "p9"]);
    let unpacked = facts.packages().find(|package| package.name == "p5").unwrap();
    assert_eq!(unpacked.attributes["status"], "install ok unpacked");
    // The state that there is not; and that no package has a list of its files.
    let hides: Vec<_> = facts.problems.iter().map(|problem| problem.hides).collect();
    assert_eq!(hides, [crate::Hides::Packages, crate::Hides::Nothing]);
}

#[test]
fn what_is_not_a_package_is_a_problem() {
    let installed = "Status: install ok installed\n";
    let text = format!(
        "{installed}Package: a\n\n{installed}Version: 1\n\n{installed}Package: ../b\nVersion: 1\nasdf\n"
    );
    let facts = check_status(&text, &[]);
    let messages: Vec<_> = facts.problems.iter().map(|problem| problem.message.as_str()).collect();
    let expected = [
        "line 1: a package without name or version (and 1 more)",
        "line 10: neither a field nor a continuation",
        "line 7: not a name",
    ];
    assert_eq!(messages, expected);
}

#[test]
fn a_broken_line_among_digests_loses_that_line_only() {
    let status = "Package: a\nStatus: install ok installed\nVersion: 1\n";
    let md5sums = "badline\n0123456789abcdef0123456789abcdef  ./usr//a\nx  b\n";
    let list = "/usr/a\n/usr/b\n";
    let facts = Image::new([
        (STATUS, status),
        ("var/lib/dpkg/info/a.md5sums", md5sums),
        ("var/lib/dpkg/info/a.list", list),
    ])
    .run(&Dpkg);
    let digest = Some("0123456789abcdef0123456789abcdef");
    assert_eq!(files(&facts, "a"), [("usr/a", digest, false), ("usr/b", None, false)]);
    let problem = &facts.problems[0];
    assert_eq!(problem.message, "line 1: not a digest and a path (and 1 more)");
    assert_eq!(problem.path.as_ref().unwrap(), "var/lib/dpkg/info/a.md5sums");
}

#[test]
fn an_obsolete_conffile_has_no_digest_any_more() {
    let status = "Package: a\nStatus: install ok installed\nVersion: 1\nConffiles:\n \
                  /etc/a b 0123456789abcdef0123456789abcdef\n \
                  /etc/c 0123456789abcdef0123456789abcdef obsolete\n /etc/d newconffile\n";
    let facts = check_status(status, &["a"]);
    let digest = Some("0123456789abcdef0123456789abcdef");
    let expected = [("etc/a b", digest, true), ("etc/c", None, true), ("etc/d", None, true)];
    assert_eq!(files(&facts, "a"), expected);
}

#[test]
fn the_legacy_document_has_the_first_architecture() {
    let facts = Image::fixture("dpkg/installed").run(&Dpkg);
    assert_eq!(legacy(&facts, "pkgs.all", "hello"), "1:2.10-3+b1");
    assert_eq!(legacy(&facts, "pkgs_plus_source.all", "hello"), "1:2.10-3+b1");
    assert_eq!(legacy(&facts, "pkgs_plus_source.all", "hello-src"), "1:2.10-3");
    assert_eq!(legacy(&facts, "pkgs.allinfo", "libhi1")["arch"], "amd64");
    let expected = json!({
        "version": "1:2.10-3+b1", "release": "N/A", "arch": "amd64", "size": "12000",
        "origin": "Ada <ada@example.org> (maintainer)", "license": "GPL-2+ MIT",
        "sourcepkg": "hello-src-1:2.10-3", "type": "dpkg",
    });
    assert_eq!(legacy(&facts, "pkgs.allinfo", "hello"), expected);
}

#[test]
fn a_list_of_files_without_a_record_is_said() {
    let status = "Package: a\nStatus: install ok installed\nVersion: 1\n\n\
                  Package: c\nStatus: deinstall ok config-files\nVersion: 1\n";
    let list = |name: &str| (format!("{INFO}/{name}.list"), "/.\n".to_owned());
    let lists = [list("a"), list("b:amd64"), list("c")];
    let files = lists.into_iter().chain([(STATUS.to_owned(), status.to_owned())]);
    let facts = Image::new(files).run(&Dpkg);
    let [problem] = &facts.problems[..] else { panic!("{:?}", facts.problems) };
    assert_eq!((&*problem.code, problem.hides), (DATABASE_MISSING, crate::Hides::Packages));
    let expected = "no record of 1 packages that have a list of files, such as `b`";
    assert_eq!(problem.message, expected);
}

#[test]
fn files_of_status_d_may_be_listed_where_dpkg_lists_them() {
    let list = |path: &str| (path.to_owned(), "/.\n/usr/a\n".to_owned());
    let record = (format!("{STATUS_D}/a"), "Package: a\nVersion: 1\n".to_owned());
    let facts = Image::new([record, list(&format!("{INFO}/a.list"))]).run(&Dpkg);
    assert!(files(&facts, "a").iter().any(|(path, ..)| *path == "usr/a"));
    assert_eq!(facts.problems, []);
}

#[test]
fn no_cut_makes_it_panic() {
    cut_everywhere(&Dpkg, "dpkg/installed");
    cut_everywhere(&Dpkg, "dpkg/distroless");
}
