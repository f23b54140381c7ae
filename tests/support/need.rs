//! What a test needs and the project does not have: outside programs, and the material in `../shared`. In CI it has to be
//! there; elsewhere the test says what it skips, and passes.

use std::env;
use std::fmt::Display;
use std::io::Write;
use std::path::PathBuf;

use crate::root;

/// Whether a test can go on. Where something is missing it fails with `CI=true` in the environment, and is skipped
/// otherwise.
#[track_caller]
pub fn need(what: impl Display, is_there: bool) -> bool {
    if !is_there {
        let in_ci = env::var_os("CI").is_some_and(|value| value == "true");
        assert!(!in_ci, "missing, and with CI=true no test is skipped: {what}");
        skipped(format!("missing: {what}"));
    }
    is_there
}

/// All of these programs: by name, in `PATH` and where only root looks.
#[track_caller]
pub fn need_programs(names: &[&str]) -> bool {
    let missing: Vec<_> = names.iter().copied().filter(|name| find(name).is_none()).collect();
    need(format!("the programs {}", missing.join(", ")), missing.is_empty())
}

/// A file of the shared material: in `$INSCAN_SHARED`, or in `../shared` beside the project.
#[track_caller]
pub fn need_shared(name: &str) -> Option<PathBuf> {
    let shared =
        env::var_os("INSCAN_SHARED").map_or_else(|| root().join("../shared"), PathBuf::from);
    let path = shared.join(name);
    need(path.display(), path.exists()).then_some(path)
}

/// Where a program is.
pub fn find(program: &str) -> Option<PathBuf> {
    let path = env::var_os("PATH").unwrap_or_default();
    let for_root = ["/usr/sbin", "/sbin", "/usr/local/sbin"].map(PathBuf::from);
    let folders = env::split_paths(&path).chain(for_root);
    folders.map(|folder| folder.join(program)).find(|path| path.is_file())
}

/// Says that the current test, or the rest of it, is skipped. For what cannot be installed, such as a kernel that permits
/// namespaces; the rest goes through [`need`].
pub fn skipped(why: impl Display) {
    let thread = std::thread::current();
    let test = thread.name().unwrap_or("a test");
    // Not `eprintln`, which the test harness keeps to itself where the test passes.
    let _ = writeln!(std::io::stderr(), "skipped: {test}: {why}");
}

/// A number that the environment may set.
///
/// # Panics
///
/// If it is none.
pub fn setting(name: &str, default: u64) -> u64 {
    std::env::var(name).map_or(default, |text| text.parse().expect("a number"))
}
