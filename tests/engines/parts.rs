//! The real programs that the tests need: skopeo, podman, buildah.

use std::path::Path;
use std::process::{Command, Output};

/// Runs a program; it must end well.
#[track_caller]
pub(crate) fn run(program: &str, arguments: &[&str]) -> Output {
    let output = Command::new(program).args(arguments).output();
    let output = output.unwrap_or_else(|error| panic!("{program}: {error}"));
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{program} {arguments:?}: {errors}");
    output
}

/// False where a program is missing: then the test says that it is passed over. In CI nothing is.
pub(crate) fn all_there(programs: &[&str]) -> bool {
    for program in programs {
        if Command::new(program).arg("--version").output().is_err() {
            return passed_over(&format!("{program} is not installed"));
        }
    }
    if std::env::var("USER").as_deref() != Ok("root") && !is_root() {
        return passed_over("storages are only made by root here");
    }
    true
}

fn is_root() -> bool {
    let id = Command::new("id").arg("-u").output();
    id.is_ok_and(|output| output.stdout.starts_with(b"0\n"))
}

fn passed_over(why: &str) -> bool {
    assert!(std::env::var_os("CI").is_none(), "{why}");
    eprintln!("passed over: {why}");
    false
}

/// Copies an image into a storage of a driver below a directory; its specifier.
pub(crate) fn storage(directory: &Path, driver: &str, archive: &str, name: &str) -> String {
    let root = directory.join(driver).display().to_string();
    let run_root = directory.join(format!("{driver}-run")).display().to_string();
    let to = format!("containers-storage:[{driver}@{root}+{run_root}]{name}");
    run("skopeo", &["copy", "-q", "--insecure-policy", archive, &to]);
    format!("[{driver}@{root}]")
}

/// Whether the kernel and the file system permit overlays here.
pub(crate) fn overlay_works(directory: &Path) -> bool {
    let made = |name: &str| {
        let path = directory.join(name);
        std::fs::create_dir_all(&path).unwrap();
        path.display().to_string()
    };
    let options =
        format!("lowerdir={},upperdir={},workdir={}", made("lower"), made("upper"), made("work"));
    let merged = made("merged");
    let mount = ["-t", "overlay", "overlay", "-o", &options, &merged];
    let works = Command::new("mount").args(mount).output().is_ok_and(|it| it.status.success());
    if works {
        run("umount", &[&merged]);
    } else {
        eprintln!("passed over: this kernel permits no overlay here");
    }
    works
}
