use std::path::PathBuf;

use clap::ValueEnum;
use clap::builder::BoolishValueParser;
use jiff::Timestamp;
use serde_json::{Value, json};

use crate::cli::bundle::BundleFile;
use crate::cli::environment::Environment;
use crate::cli::{Failure, Result, Session, broken_output, open_outputs};
use crate::output::Output;
use inscan_judge::bundle::Item;
use inscan_judge::{Bundle, Mode, Problem};

/// Check a bundle, and list all errors in it
///
/// Each problem is told with its place, by name and by line, and with what to write instead.
/// Everything has to be right, also what no image uses yet. Exit code 2 if anything is not.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  inscan policy check policy.yaml
  As Anchore Engine reads it, which passes over what no mapping uses:
      inscan policy check bundle.json --tolerant
  In an editor or a pipeline:
      inscan policy check policy.yaml -o json")]
pub(super) struct Args {
    /// The bundle: a file of JSON or YAML, or `-` for standard input
    #[arg(value_name = "FILE")]
    bundle: PathBuf,

    /// Report errors in parts that may not be used as warnings only
    #[arg(long, value_parser = BoolishValueParser::new())]
    tolerant: bool,

    /// What to write beside the messages, and where to; may be repeated
    #[arg(short, long = "output", value_name = "FORMAT[=FILE]")]
    output: Vec<Output<Format>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Format {
    /// All problems and warnings with their places
    Json,
}

pub(super) fn run(args: Args, session: &Session) -> Result<()> {
    let (text, source) = BundleFile::named(&args.bundle).read()?;
    let outputs = open_outputs(&args.output)?;
    let mode = if args.tolerant { Mode::Tolerant } else { Mode::Strict };
    let read = Bundle::read(&text, mode);
    let (problems, mut warnings) = match &read {
        Ok(bundle) => (&[][..], bundle.warnings.clone()),
        Err(problems) => (&problems[..], Vec::new()),
    };
    let now = Environment::get().now()?;
    warnings.extend(read.iter().flat_map(|bundle| lapsed(bundle, now)));
    for (Format::Json, to, sink) in outputs {
        let told = |problems: &[Problem]| problems.iter().map(told).collect::<Vec<_>>();
        let value = json!({"problems": told(problems), "warnings": told(&warnings)});
        sink.write(|out| writeln!(out, "{value:#}")).map_err(|error| broken_output(to, error))?;
    }
    for warning in &warnings {
        session.warn(&format!("`{source}`: {warning}"));
    }
    match read {
        Ok(bundle) => {
            session.say(&format!("`{source}` is right: {}", counts(&bundle)));
            Ok(())
        }
        Err(problems) => {
            let number = problems.len();
            let problems = problems.iter().map(ToString::to_string).collect();
            Err(Failure::usage(anyhow::anyhow!("`{source}` has {number} problems"))
                .details(problems)
                .hint("`inscan policy spec` shows what rules can be made of"))
        }
    }
}

/// Exceptions that hold no longer: they are right, and do nothing.
fn lapsed(bundle: &Bundle, now: Timestamp) -> Vec<Problem> {
    let items = bundle.whitelists.iter().flat_map(|whitelist| &whitelist.items);
    let expired = |item: &&Item| item.expires.is_some_and(|expires| now >= expires);
    let problem = |item: &Item| Problem {
        place: item.place.clone(),
        message: format!("the exception `{}` has expired", item.trigger_id),
        hint: Some("take it out, or give it another day".to_owned()),
    };
    items.filter(expired).map(problem).collect()
}

fn counts(bundle: &Bundle) -> String {
    let rules: usize = bundle.policies.iter().map(|policy| policy.rules.len()).sum();
    let items: usize = bundle.whitelists.iter().map(|list| list.items.len()).sum();
    let counts = [
        (bundle.policies.len(), "policies"),
        (rules, "rules"),
        (bundle.mappings.len(), "mappings"),
        (items, "exceptions"),
    ];
    counts.map(|(number, what)| format!("{what} {number}")).join(", ")
}

fn told(problem: &Problem) -> Value {
    json!({
        "path": problem.place.path,
        "line": problem.place.at.map(|at| at.line),
        "column": problem.place.at.map(|at| at.column),
        "message": problem.message,
        "hint": problem.hint,
    })
}
