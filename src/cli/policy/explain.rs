use clap::ValueEnum;
use clap::builder::BoolishValueParser;
use inscan_document::Run;
use inscan_judge::PolicyRequest;
use inscan_report::Style;
use inscan_report::explanation::{self, Explained};

use crate::cli::bundle::PolicyArgs;
use crate::cli::judging::{Document, JudgeArgs};
use crate::cli::reading::{ImageArgs, scanned};
use crate::cli::scan::of_scan;
use crate::cli::{Failure, Result, Session, broken_output, open_outputs, source};
use crate::output::Output;

/// Explain the result of a bundle for an image, rule by rule
///
/// Which mapping was chosen and why the others were not; what each rule found, which exception
/// covers it, or why it has no answer; the trigger ids that exceptions name. The image may be an
/// analysis document. Whatever comes of it, the exit code is 0.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  From the document that `inscan analyze` wrote:
      inscan policy explain image.json --policy policy.yaml
  What would hold for another name of the image:
      inscan policy explain image.json --policy policy.yaml --tag registry.example/app:1.0
  An image, by a bundle that is built in:
      inscan policy explain image.tar --policy default --all")]
pub(super) struct Args {
    #[command(flatten)]
    image: ImageArgs,

    #[command(flatten)]
    policy: PolicyArgs,

    /// List every match of every rule
    #[arg(long, value_parser = BoolishValueParser::new())]
    all: bool,

    /// What to write, and where to (standard output unless a file is named); may be repeated
    #[arg(short, long = "output", value_name = "FORMAT[=FILE]", default_value = "table")]
    output: Vec<Output<Format>>,

    #[command(flatten)]
    judge: JudgeArgs,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Format {
    /// For people
    Table,
    /// For programs, with every match
    Json,
}

pub(super) fn run(args: Args, session: &Session) -> Result<()> {
    let Args { image, policy, all, output, judge } = args;
    let (net, registry) = image.network()?;
    judge.bring_up_to_date(&net, &registry, session)?;
    let policies = policy.resolve([], session)?.ok_or_else(no_bundle)?;
    let judging = judge.resolve()?;
    let telling = Telling { all, output: &output, session };
    match source::document(image.place()) {
        Some(path) => {
            let document = Document::read(&path)?;
            let request = document.asked(&policies, &image.named())?;
            telling.tell(&judging.with_data(request, &document.section)?)
        }
        None => {
            let scan = scanned(image, session)?;
            let section = scan.section(&Run::default());
            telling.tell(&judging.with_data(of_scan(&policies, &scan, &section), &section)?)
        }
    }
}

fn no_bundle() -> Failure {
    Failure::usage(anyhow::anyhow!("there is nothing to explain without a bundle")).hint(
        "name one: `--policy FILE`, or `--policy NAME` with a name that `inscan policy list` shows",
    )
}

struct Telling<'a> {
    all: bool,
    output: &'a [Output<Format>],
    session: &'a Session,
}

impl Telling<'_> {
    fn tell(&self, request: &PolicyRequest<'_>) -> Result<()> {
        let PolicyRequest { policies, facts, image } = request;
        let explanation = policies.explain(facts, image);
        let bundle = &policies.bundle;
        let explained = Explained { bundle, image, explanation: &explanation, all: self.all };
        for (format, to, sink) in open_outputs(self.output)? {
            let text = match format {
                Format::Table => {
                    explanation::table(&explained, &Style::new(self.session.colors(to)))
                }
                Format::Json => explanation::json(&explained),
            };
            sink.write(|out| out.write_all(text.as_bytes()))
                .map_err(|error| broken_output(to, error))?;
        }
        Ok(())
    }
}
