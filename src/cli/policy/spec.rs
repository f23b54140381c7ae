use clap::ValueEnum;

use crate::cli::{Failure, Result, Session, broken_output, open_outputs};
use crate::output::Output;
use inscan_judge::gates::gates as all_gates;
use inscan_report::Style;
use inscan_report::gates::{self, Shown};

/// Show every gate, trigger and parameter that rules can use
///
/// What is asked for with `like` and the like are regular expressions in Python's dialect.
/// The same as a page: docs/policy-gates.md.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  Everything, to read:
      inscan policy spec
  One gate, or one trigger of it:
      inscan policy spec dockerfile
      inscan policy spec vulnerabilities.package
  For a program, or as a page:
      inscan policy spec -o json=gates.json -o markdown=gates.md")]
pub(super) struct Args {
    /// A gate, or a trigger as GATE.TRIGGER [default: all of them]
    name: Option<String>,

    /// What to write, and where to (standard output unless a file is named); may be repeated
    #[arg(short, long = "output", value_name = "FORMAT[=FILE]", default_value = "table")]
    output: Vec<Output<Format>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Format {
    /// For people
    Table,
    /// For programs
    Json,
    /// A page with a table and an example for each trigger
    Markdown,
}

pub(super) fn run(args: Args, session: &Session) -> Result<()> {
    let shown = match &args.name {
        Some(name) => named(name)?,
        None => all_gates().iter().map(|gate| (*gate, gate.triggers.iter().collect())).collect(),
    };
    for (format, to, sink) in open_outputs(&args.output)? {
        let text = match format {
            Format::Table => gates::table(&shown, &Style::new(session.colors(to))),
            Format::Json => gates::json(&shown),
            Format::Markdown => gates::markdown(&shown),
        };
        sink.write(|out| out.write_all(text.as_bytes()))
            .map_err(|error| broken_output(to, error))?;
    }
    Ok(())
}

/// `GATE` or `GATE.TRIGGER`, in any case, as rules may write them.
fn named(name: &str) -> Result<Vec<Shown>> {
    let (gate_name, trigger_name) = name.split_once('.').unwrap_or((name, ""));
    let unknown = |what: String, known: Vec<&str>| {
        Failure::usage(anyhow::anyhow!("{what}")).hint(format!("there is {}", known.join(", ")))
    };
    let gate = all_gates().iter().find(|gate| gate.name.eq_ignore_ascii_case(gate_name));
    let gate = *gate.ok_or_else(|| {
        let known = all_gates().iter().map(|gate| gate.name);
        unknown(format!("there is no gate `{gate_name}`"), known.collect())
    })?;
    let triggers = gate.triggers.iter();
    let triggers: Vec<_> = triggers
        .filter(|trigger| trigger_name.is_empty() || trigger.is_called(trigger_name))
        .collect();
    if triggers.is_empty() {
        let known = gate.triggers.iter().map(|trigger| trigger.name);
        let what = format!("the gate `{}` has no trigger `{trigger_name}`", gate.name);
        return Err(unknown(what, known.collect()));
    }
    Ok(vec![(gate, triggers)])
}
