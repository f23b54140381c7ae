//! `--help` in both generations: on stderr, and no error.

use super::flags::{self, Flag};
use super::options::Generation;

/// The whole help. `program`: what it was called as.
pub(super) fn text(generation: Generation, program: &str) -> String {
    let (flags, line) = match generation {
        Generation::Second => (flags::SECOND, format!("{program} -k TOKEN [OPTIONS] IMAGE")),
        Generation::First => (flags::FIRST, format!("{program} analyze -k TOKEN [OPTIONS] IMAGE")),
    };
    let mut help = format!(
        "inscan in the place of the legacy inline scanner\n\n\
         Analyzes an image, has it judged by a backend (or here, with --local), and says whether it passes.\n\n\
         Usage: {line}\n\nOptions:\n"
    );
    flags.iter().for_each(|flag| help.push_str(&row(flag)));
    if generation == Generation::Second {
        help.push_str(
            "\nEnvironment:\n\
             \x20 SYSDIG_API_TOKEN   the API token\n\
             \x20 SYSDIG_ADDED_BY    value of the annotation added-by [default: sysdig-inline-scanner]\n\
             \x20 TMP_PATH           where logs/info.log is [default: /tmp/sysdig-inline-scan]\n\
             \x20 INSCAN_LOCAL=true  as --local; INSCAN_POLICY, INSCAN_DB, INSCAN_CLAMD: as the options\n\
             \x20 http_proxy, https_proxy, no_proxy, and every INSCAN_… variable of `inscan scan`\n\n\
             Exit codes:\n\
             \x20 0  the image passes\n\
             \x20 1  it fails, or malware was found\n\
             \x20 2  wrong parameters\n\
             \x20 3  could not finish\n",
        );
    } else {
        help.push_str("\nExit codes:\n  0  the image passes\n  1  everything else\n");
    }
    help
}

fn row(flag: &Flag) -> String {
    let value = flag.value.unwrap_or_default();
    let names = match (flag.short, flag.long) {
        (Some(short), Some(long)) => format!("-{short}, --{long} {value}"),
        (Some(short), None) => format!("-{short} {value}"),
        (None, long) => format!("    --{} {value}", long.unwrap_or_default()),
    };
    let names = names.trim_end();
    // What is wide stands above what it means.
    match names.len() {
        0..=30 => format!("  {names:<30} {}\n", flag.about),
        _ => format!("  {names}\n  {:<30} {}\n", "", flag.about),
    }
}
