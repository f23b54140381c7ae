use std::io::{self, Write};
use std::path::PathBuf;

use serde_json::json;

use super::tell::{self, Format};
use super::{opened, unreadable};
use crate::cli::{Result, Session};
use crate::output::Output;
use inscan_report::text;
use inscan_vulndb::{Change, Changes};

/// Show what is new or gone in a newer database
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  inscan db diff yesterday.db today.db
  inscan db diff yesterday.db today.db -o json=changes.json")]
pub(super) struct Args {
    /// The older database
    old: PathBuf,

    /// The newer database
    new: PathBuf,

    /// How to say it, and where to (standard output unless a file is named); may be repeated
    #[arg(long = "output", short, value_name = "FORMAT[=FILE]", default_value = "table")]
    output: Vec<Output<Format>>,
}

pub(super) fn run(args: Args, _session: &Session) -> Result<()> {
    let (old, new) = (opened(&args.old)?, opened(&args.new)?);
    let changes = old.changes_to(&new).map_err(unreadable)?;
    tell::write(
        &args.output,
        |out| table(out, &changes),
        || {
            let of = |change: Change| {
                changes
                    .records
                    .iter()
                    .filter(move |(_, _, what)| *what == change)
                    .map(|(id, source, _)| json!({ "id": id, "source": source }))
            };
            let list = |change: Change| of(change).collect::<Vec<_>>();
            json!({
                "added": list(Change::Added),
                "changed": list(Change::Changed),
                "removed": list(Change::Removed),
                "kev_added": changes.kev_added,
            })
        },
    )
}

fn table(out: &mut dyn Write, changes: &Changes) -> io::Result<()> {
    for (id, source, change) in &changes.records {
        let sign = match change {
            Change::Added => '+',
            Change::Changed => '~',
            Change::Removed => '-',
        };
        writeln!(out, "{sign} {} ({})", text::printable(id), text::printable(source))?;
    }
    for cve in &changes.kev_added {
        writeln!(out, "! {} is known to be exploited", text::printable(cve))?;
    }
    let count = |wanted: Change| {
        text::count(changes.records.iter().filter(|(_, _, change)| *change == wanted).count() as u64)
    };
    writeln!(
        out,
        "{} added, {} changed, {} removed; {} newly known to be exploited",
        count(Change::Added),
        count(Change::Changed),
        count(Change::Removed),
        text::count(changes.kev_added.len() as u64)
    )
}
