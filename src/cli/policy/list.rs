use std::io::{self, Write};

use clap::ValueEnum;
use serde_json::json;

use crate::cli::{Result, broken_output, open_outputs};
use crate::output::Output;
use inscan_judge::builtin::{self, Builtin};

/// List the built-in bundles
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  inscan policy list
  inscan policy list -o json")]
pub(super) struct Args {
    /// What to write, and where to (standard output unless a file is named); may be repeated
    #[arg(short, long = "output", value_name = "FORMAT[=FILE]", default_value = "list")]
    output: Vec<Output<Format>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Format {
    List,
    Json,
}

pub(super) fn run(args: Args) -> Result<()> {
    for (format, to, sink) in open_outputs(&args.output)? {
        sink.write(|out| match format {
            Format::List => list(builtin::all(), out),
            Format::Json => json(builtin::all(), out),
        })
        .map_err(|error| broken_output(to, error))?;
    }
    Ok(())
}

fn list(all: &[Builtin], out: &mut dyn Write) -> io::Result<()> {
    let width = all.iter().map(|one| one.name.len()).max().unwrap_or(0);
    for one in all {
        let also = match one.aliases {
            [] => String::new(),
            aliases => format!(" (also `{}`)", aliases.join("`, `")),
        };
        writeln!(out, "{:width$}  {}{also}", one.name, one.about)?;
    }
    Ok(())
}

fn json(all: &[Builtin], out: &mut dyn Write) -> io::Result<()> {
    let list = all.iter().map(|one| {
        json!({"name": one.name, "aliases": one.aliases, "id": one.bundle().id, "about": one.about})
    });
    serde_json::to_writer_pretty(&mut *out, &list.collect::<Vec<_>>())?;
    writeln!(out)
}
