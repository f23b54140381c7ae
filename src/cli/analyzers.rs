use std::io::{self, Write};

use clap::ValueEnum;
use inscan_analyzers::{Analyzer, Config};
use serde_json::json;

use super::{Result, broken_output, open_outputs};
use crate::output::Output;

/// List the analyzers, and what each finds
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  inscan analyzers
  inscan analyzers -o json=analyzers.json")]
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
    let analyzers = inscan_analyzers::all(&Config::default());
    for (format, to, sink) in open_outputs(&args.output)? {
        sink.write(|out| match format {
            Format::List => list(&analyzers, out),
            Format::Json => json(&analyzers, out),
        })
        .map_err(|error| broken_output(to, error))?;
    }
    Ok(())
}

fn list(analyzers: &[Box<dyn Analyzer>], out: &mut dyn Write) -> io::Result<()> {
    let width = analyzers.iter().map(|analyzer| analyzer.name().len()).max().unwrap_or(0);
    for analyzer in analyzers {
        writeln!(out, "{:width$}  {}", analyzer.name(), analyzer.about())?;
    }
    Ok(())
}

fn json(analyzers: &[Box<dyn Analyzer>], out: &mut dyn Write) -> io::Result<()> {
    let list: Vec<_> = analyzers
        .iter()
        .map(|analyzer| json!({ "name": analyzer.name(), "about": analyzer.about() }))
        .collect();
    serde_json::to_writer_pretty(&mut *out, &list)?;
    writeln!(out)
}
