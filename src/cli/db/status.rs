use std::io::{self, Write};

use jiff::Timestamp;
use serde_json::json;

use super::tell::{self, Format};
use super::{DatabaseArg, opened};
use crate::cli::{Result, Session};
use crate::output::Output;
use inscan_report::text;
use inscan_vulndb::{About, Coverage};

/// Show the content and age of the database
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  inscan db status
  inscan db status --db vulnerabilities.db -o json")]
pub(super) struct Args {
    #[command(flatten)]
    database: DatabaseArg,

    /// How to say it, and where to (standard output unless a file is named); may be repeated
    #[arg(long = "output", short, value_name = "FORMAT[=FILE]", default_value = "table")]
    output: Vec<Output<Format>>,
}

pub(super) fn run(args: Args, _session: &Session) -> Result<()> {
    let place = args.database.place()?;
    let database = opened(&place)?;
    let failed = |error| super::unreadable(error);
    let about = database.about().map_err(failed)?;
    let coverages = database.coverages().map_err(failed)?;
    let age = about.age(Timestamp::now());
    let place = place.display().to_string();
    tell::write(
        &args.output,
        |out| table(out, &place, &about, &coverages, age),
        || {
            let mut value = tell::about_json(&about, &coverages);
            if let Some(object) = value.as_object_mut() {
                object.insert("path".into(), json!(place));
                object.insert("age_seconds".into(), json!(age.as_secs()));
            }
            value
        },
    )
}

fn table(
    out: &mut dyn Write,
    place: &str,
    about: &About,
    coverages: &[Coverage],
    age: std::time::Duration,
) -> io::Result<()> {
    writeln!(out, "{}", text::printable(place))?;
    let advisories = text::count(about.advisories);
    let built = tell::day(about.built);
    writeln!(out, "{advisories} advisories, data of {built}, {} old", tell::age(age))?;
    writeln!(out, "schema {}, content {}", about.schema, text::printable(&about.digest))?;
    writeln!(out)?;
    tell::coverage_table(out, coverages)?;
    writeln!(out)?;
    tell::source_table(out, about)
}
