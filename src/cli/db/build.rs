use std::io::{self, Write};
use std::path::PathBuf;

use jiff::Timestamp;
use serde_json::{Value, json};

use super::tell::{self, Format};
use crate::cli::environment::Environment;
use crate::cli::{Failure, Result, Session};
use crate::output::Output;
use inscan_report::text;
use inscan_vulndb::build::{Dates, Error, Report, build_after};

/// Build a database from files of many sources
///
/// What a file is, its content says: records in OSV's form (one a file, or in the
/// archives of the public bucket), Alpine's security database, CISA's catalog of known
/// exploited vulnerabilities, EPSS scores, endoflife.date, Debian's distro-info, and pages of
/// an Anchore feed service. Files may be compressed with gzip. Skipped files are reported.
///
/// The same files make the same bytes. The database's date is that of the newest change
/// in them, or SOURCE_DATE_EPOCH.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  From a mirror of OSV's bucket (<Ecosystem>/all.zip), and all else that lies beside:
      inscan db build --from mirror/ -o vulnerabilities.db
  From single files, with the report as JSON:
      inscan db build --from all.zip --from epss.csv.gz -o vulnerabilities.db --report json
  From a mirror of a feed service, once a day:
      inscan db build --from feeds/ --previous yesterday.db -o today.db")]
pub(super) struct Args {
    /// A file or folder to read; may be repeated
    #[arg(long, value_name = "PATH", required = true, num_args = 1..)]
    from: Vec<PathBuf>,

    /// Where to write the database
    #[arg(long, short = 'o', value_name = "FILE")]
    to: PathBuf,

    /// The database before this one, which knows when a feed's records and fixes were first seen
    ///
    /// Feeds do not say it, and policies ask for it (`max_days_since_creation`,
    /// `max_days_since_fix`). Without it they count from when the feed was synchronised last.
    #[arg(long, value_name = "FILE")]
    previous: Option<PathBuf>,

    /// How to report what was read, and where to (standard output unless a file is named)
    #[arg(long, value_name = "FORMAT[=FILE]", default_value = "table")]
    report: Vec<Output<Format>>,
}

pub(super) fn run(args: Args, session: &Session) -> Result<()> {
    let progress = session.reporter_of("");
    let dates = Dates { now: Timestamp::now(), built: Environment::get().source_date()? };
    let previous = args.previous.as_deref().map(super::opened).transpose()?;
    let report = build_after(previous.as_ref(), &args.from, &args.to, dates, &*progress);
    let report = report.map_err(failed)?;
    drop(progress);
    tell::write(&args.report, |out| table(&report, out), || as_json(&report))?;
    for skipped in &report.skipped {
        let example = match skipped.example.as_str() {
            "" => String::new(),
            example => format!(", as `{example}`"),
        };
        let count = text::counted(skipped.count as usize, "time", "times");
        session.warn(&format!("{}: {} ({count}{example})", skipped.input, skipped.reason));
    }
    Ok(())
}

fn failed(error: Error) -> Failure {
    match &error {
        Error::Input { .. } => Failure::usage(error).hint("`--from` needs a file or a folder"),
        Error::Nothing => Failure::usage(error)
            .hint("`inscan db build --help` names the kinds of files that are understood"),
        Error::Output { .. } => {
            Failure::usage(error).hint("`-o FILE` needs a folder that exists and can be written")
        }
        _ => Failure::broken(error),
    }
}

fn table(report: &Report, out: &mut dyn Write) -> io::Result<()> {
    tell::coverage_table(out, &report.coverages)?;
    writeln!(out)?;
    tell::source_table(out, &report.about)?;
    writeln!(out)?;
    let advisories = text::count(report.about.advisories);
    let size = text::size(report.size);
    writeln!(out, "{advisories} advisories, {size}, data of {}", tell::day(report.about.built))
}

fn as_json(report: &Report) -> Value {
    let mut value = tell::about_json(&report.about, &report.coverages);
    if let Some(object) = value.as_object_mut() {
        object.insert("size".into(), json!(report.size));
        object.insert("passed_over".into(), json!(report.skipped));
    }
    value
}
