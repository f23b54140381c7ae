use std::io;
use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use clap::Subcommand;
use clap::builder::BoolishValueParser;

use super::environment::Environment;
use super::{Failure, Result, Session};
use inscan_image::CacheRequest;
use inscan_image::layer::CacheKey;
use inscan_image::layer::cache::{self, Status};
use inscan_image::progress::Progress;
use inscan_report::text;

const DEFAULT_SIZE: &str = "2GiB";
const DAY: u64 = 24 * 60 * 60;

/// Where layers are kept from one run to the next.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Layer cache")]
pub(super) struct CacheArgs {
    /// Read every layer again, and store nothing in the layer cache
    #[arg(long, value_parser = BoolishValueParser::new())]
    no_cache: bool,

    #[command(flatten)]
    place: CacheLocation,

    /// How large the cache may get: what was not used for the longest time goes first
    #[arg(long, value_name = "SIZE", default_value = DEFAULT_SIZE, value_parser = size)]
    cache_size: u64,
}

#[derive(Debug, clap::Args)]
struct CacheLocation {
    /// The directory to keep layers in [default: $XDG_CACHE_HOME/inscan, ~/.cache/inscan]
    #[arg(long, value_name = "DIR")]
    cache_dir: Option<PathBuf>,
}

/// Show or empty the layer cache
///
/// A layer is read once: the next image that has it finds what was learned of it,
/// and downloads it no more. `docs/cache.md` says what is kept, and when it is believed.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  How much is in it:
      inscan cache status
  Empty it, or remove what was not used for a month:
      inscan cache clean
      inscan cache clean --older-than 30
  Carry it from one CI job to the next:
      inscan scan app.tar --cache-dir .cache/inscan
  Scan without it:
      inscan scan app.tar --no-cache")]
pub(super) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Show its directory, its size, and how much this version can use
    Status {
        #[command(flatten)]
        place: CacheLocation,
        /// The limit to show it beside
        #[arg(long, value_name = "SIZE", default_value = DEFAULT_SIZE, value_parser = size)]
        cache_size: u64,
    },
    /// Remove all entries, or those that were not used lately
    Clean {
        #[command(flatten)]
        place: CacheLocation,
        /// Only what was not used for so many days
        #[arg(long, value_name = "DAYS")]
        older_than: Option<u32>,
    },
    /// Print its directory
    Path {
        #[command(flatten)]
        place: CacheLocation,
    },
}

pub(super) fn run(args: Args, session: &Session) -> Result<()> {
    match args.command {
        Command::Status { place, cache_size } => {
            let status = cache::status(&place.named()?).map_err(unreadable)?;
            print(&shown(&status, cache_size))
        }
        Command::Clean { place, older_than } => {
            let unused_for = older_than.map(|days| Duration::from_secs(u64::from(days) * DAY));
            let cleaned = cache::clean(&place.named()?, unused_for).map_err(unreadable)?;
            let layers = text::counted(cleaned.layers, "layer", "layers");
            session.say(&format!("removed {layers}, {}", text::size(cleaned.size)));
            Ok(())
        }
        Command::Path { place } => print(&format!("{}\n", place.named()?.display())),
    }
}

fn print(text: &str) -> Result<()> {
    let to = crate::output::Destination::Stdout;
    let sink = crate::output::file::Sink::open(&to);
    sink.and_then(|sink| sink.write(|out| out.write_all(text.as_bytes())))
        .map_err(|error| super::broken_output(&to, error))
}

fn unreadable(error: io::Error) -> Failure {
    Failure::broken(anyhow::Error::new(error).context("could not read the layer cache"))
        .hint("`inscan cache path` says where it is, `--cache-dir` uses another directory")
}

fn shown(status: &Status, limit: u64) -> String {
    let Status { directory, size, layers, usable, unfinished, used } = status;
    let ago = |used: &SystemTime| {
        let days = SystemTime::now().duration_since(*used).unwrap_or_default().as_secs() / DAY;
        match days {
            0 => "today".to_owned(),
            days => format!("{} ago", text::counted(days as usize, "day", "days")),
        }
    };
    let mut lines = vec![
        ("directory", directory.display().to_string()),
        ("size", format!("{} of at most {}", text::size(*size), text::size(limit))),
        ("layers", text::count(*layers as u64)),
        ("usable", format!("{} by this version of inscan", text::count(*usable as u64))),
        ("last used", used.as_ref().map_or("never".to_owned(), ago)),
    ];
    if *unfinished > 0 {
        lines.push(("unfinished", text::counted(*unfinished, "file", "files")));
    }
    let line = |(name, value): (&str, String)| format!("{name:<11} {}\n", text::printable(&value));
    lines.into_iter().map(line).collect()
}

impl CacheArgs {
    /// The cache, unless it is not wanted or there is no place for it; the latter is said.
    pub(super) fn request(&self, progress: &dyn Progress) -> Option<CacheRequest> {
        if self.no_cache || self.cache_size == 0 {
            return None;
        }
        let directory = self.place.directory();
        if directory.is_none() {
            progress.note("layers are not kept for the next run: there is no home directory; name another with `--cache-dir`");
        }
        let key = key().inspect_err(|error| {
            progress.note(&format!(
                "the layer cache is not used: {error} (`--no-cache` does without; INSCAN_CACHE_KEY \
                 sets a key)"
            ));
        });
        Some(CacheRequest { directory: directory?, limit: self.cache_size, key: key.ok()? })
    }
}

/// From the environment, else the user's own, which is made where it is not there yet.
fn key() -> io::Result<CacheKey> {
    let environment = Environment::get();
    if let Some(text) = environment.text("INSCAN_CACHE_KEY") {
        return CacheKey::of_text(text);
    }
    let directory = environment.data_directory().filter(|path| path.is_absolute());
    let directory = directory.ok_or_else(|| io::Error::other("there is no place for its key"))?;
    CacheKey::in_file(&directory.join("inscan/cache.key"))
}

impl CacheLocation {
    fn directory(&self) -> Option<PathBuf> {
        let usual = || Some(Environment::get().cache_directory()?.join("inscan"));
        self.cache_dir.clone().or_else(usual)
    }

    fn named(&self) -> Result<PathBuf> {
        self.directory().ok_or_else(|| {
            Failure::usage(anyhow::anyhow!("there is no home directory to keep a cache in"))
                .hint("name another with `--cache-dir`")
        })
    }
}

/// `500MB`, `2GiB`, `1073741824`.
pub(super) fn size(text: &str) -> Result<u64, String> {
    let digits = text.find(|char: char| !char.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let factor: Option<u64> = match unit.trim().to_ascii_lowercase().as_str() {
        "" | "b" => Some(1),
        "kb" => Some(1000),
        "mb" => Some(1000 * 1000),
        "gb" => Some(1000 * 1000 * 1000),
        "tb" => Some(1000 * 1000 * 1000 * 1000),
        "k" | "kib" => Some(1 << 10),
        "m" | "mib" => Some(1 << 20),
        "g" | "gib" => Some(1 << 30),
        "t" | "tib" => Some(1 << 40),
        _ => None,
    };
    let number = number.parse::<u64>().ok();
    number
        .zip(factor)
        .and_then(|(number, factor)| number.checked_mul(factor))
        .ok_or_else(|| "expected a size such as 500MB or 2GiB".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_read_with_every_unit() {
        let sizes = ["0", "17", "500MB", "2GiB", "2 gib", "1k", "3T"];
        let expected = [0, 17, 500_000_000, 2 << 30, 2 << 30, 1024, 3 << 40];
        assert_eq!(sizes.map(|text| size(text).unwrap()), expected);
        for wrong in
            ["", "GiB", "-1", "1.5GB", "2 parsecs", "99999999999999TiB", "18446744073709551616"]
        {
            assert!(size(wrong).is_err(), "{wrong}");
        }
    }
}
