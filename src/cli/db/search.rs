use std::io::{self, Write};

use serde_json::json;

use super::show::versions;
use super::tell::{self, Format};
use super::{DatabaseArg, opened, unreadable};
use crate::cli::{Failure, Result, Session};
use crate::output::Output;
use inscan_report::text;
use inscan_vulndb::Advisory;

/// List the advisories that name a package
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  In every ecosystem that has a package of the name:
      inscan db search requests
  In one, with its release where it has releases:
      inscan db search openssl --ecosystem Debian:12")]
pub(super) struct Args {
    /// The package's name, as its ecosystem writes it
    package: String,

    /// Only in this ecosystem; a distribution without its release is meant with all of them
    #[arg(long, value_name = "NAME")]
    ecosystem: Option<String>,

    #[command(flatten)]
    database: DatabaseArg,

    /// How to list them, and where to (standard output unless a file is named); may be repeated
    #[arg(long = "output", short, value_name = "FORMAT[=FILE]", default_value = "table")]
    output: Vec<Output<Format>>,
}

pub(super) fn run(args: Args, _session: &Session) -> Result<()> {
    let database = opened(&args.database.place()?)?;
    let coverages = database.coverages().map_err(unreadable)?;
    let mut found = Vec::new();
    let mut searched = 0;
    for coverage in &coverages {
        let of_it = args.ecosystem.as_deref().is_none_or(|wanted| {
            let rest = coverage.ecosystem.strip_prefix(wanted);
            rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(':'))
        });
        if of_it {
            searched += 1;
            found.extend(
                database.advisories_for(&coverage.ecosystem, &args.package).map_err(unreadable)?,
            );
        }
    }
    if let Some(wanted) = args.ecosystem.as_ref().filter(|_| searched == 0) {
        let error = anyhow::anyhow!("the database knows no ecosystem `{wanted}`");
        return Err(Failure::usage(error).hint("`inscan db status` lists them"));
    }
    tell::write(
        &args.output,
        |out| table(out, &found, &args.package),
        || json!(found.iter().map(tell::advisory_json).collect::<Vec<_>>()),
    )
}

fn table(out: &mut dyn Write, found: &[Advisory], package: &str) -> io::Result<()> {
    if found.is_empty() {
        return writeln!(out, "no advisory names `{}`", text::printable(package));
    }
    let mut rows =
        vec![["ID", "ECOSYSTEM", "PACKAGE", "VERSIONS", "ALIASES"].map(String::from).to_vec()];
    for advisory in found {
        for affected in &advisory.affected {
            let names = [&advisory.aliases[..], &advisory.upstream[..]].concat();
            let withdrawn = if advisory.withdrawn.is_some() { " (withdrawn)" } else { "" };
            rows.push(vec![
                text::printable(&format!("{}{withdrawn}", advisory.id)),
                text::printable(&affected.ecosystem),
                text::printable(&affected.name),
                text::printable(&versions(affected)),
                text::cut(&text::printable(&names.join(", ")), 60),
            ]);
        }
    }
    tell::columns(out, &rows)
}
