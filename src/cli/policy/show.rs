use clap::ValueEnum;

use crate::cli::{Failure, Result, Session, broken_output, open_outputs};
use crate::output::Output;
use inscan_judge::builtin;
use inscan_report::{Style, bundle};

/// Show a built-in bundle: its rules, the reason for each, and how to fix what they find
///
/// Written to a file it is a beginning for one of your own.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  inscan policy show nist-800-190
  As a file to change, and to judge by:
      inscan policy show default -o yaml=policy.yaml
      inscan scan image.tar --policy policy.yaml
  For a server or tools of others, without what only inscan knows:
      inscan policy show pci -o json=pci.json")]
pub(super) struct Args {
    /// A name that `inscan policy list` shows, or a legacy id
    #[arg(value_name = "NAME")]
    name: String,

    /// What to write, and where to (standard output unless a file is named); may be repeated
    #[arg(short, long = "output", value_name = "FORMAT[=FILE]", default_value = "table")]
    output: Vec<Output<Format>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Format {
    /// For people
    Table,
    /// The bundle with its comments, reasons and remedies
    Yaml,
    /// The bundle as other engines know it
    Json,
}

pub(super) fn run(args: Args, session: &Session) -> Result<()> {
    let builtin = builtin::named(&args.name).ok_or_else(|| unknown(&args.name))?;
    let outputs = open_outputs(&args.output)?;
    for (format, to, sink) in outputs {
        let text = match format {
            Format::Table => bundle::table(&builtin.bundle(), &Style::new(session.colors(to))),
            Format::Yaml => builtin.text().into_owned(),
            Format::Json => bundle::json(&builtin.bundle()),
        };
        sink.write(|out| out.write_all(text.as_bytes()))
            .map_err(|error| broken_output(to, error))?;
    }
    Ok(())
}

pub(super) fn unknown(name: &str) -> Failure {
    let names = builtin::all().iter().map(|builtin| builtin.name).collect::<Vec<_>>().join(", ");
    Failure::usage(anyhow::anyhow!("no bundle `{name}` is built in"))
        .hint(format!("there is {names}: `inscan policy list` says what each asks"))
}
