use clap::ValueEnum;
use clap::builder::BoolishValueParser;

use crate::cli::bundle::{Policies, PolicyArgs};
use crate::cli::explain::document_at;
use crate::cli::judging::{JudgeArgs, no_document, read_whole_document};
use crate::cli::reading::{ImageArgs, with_analysis};
use crate::cli::{Failure, Result, Session, broken_output, open_outputs};
use crate::output::Output;
use inscan_document::Run;
use inscan_image::document::Outputs;
use inscan_judge::Image;
use inscan_judge::facts::Facts;
use inscan_report::Style;
use inscan_report::explanation::{self, Explained};

/// Tell rule by rule what a bundle says of an image, and why
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

    /// Tell every match, however many a rule has
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
    let policies = policy.meant([], session)?.ok_or_else(no_bundle)?;
    let judging = judge.meant()?;
    let telling = Telling { policies: &policies, all, output: &output, session };
    match document_at(image.place()) {
        Some(path) => {
            let (section, text) = read_whole_document(&path)?;
            let vulnerable = judging.vulnerable(&policies, &section, None)?;
            let facts = Facts::of_document(&text, &section);
            let facts = facts.map_err(|error| no_document(error, &path))?;
            let facts = judging.facts(facts, vulnerable.as_ref());
            telling.tell(&facts, &image.named(&section))
        }
        None => with_analysis(image, session, |analysis, identity| {
            let section = inscan_image::document::section(analysis, identity, &Run::default())
                .map_err(Failure::broken)?;
            let image = Image {
                tag: identity.full_tag.clone(),
                digest: identity.image_digest.clone(),
                id: identity.image_id.clone(),
            };
            let vulnerable = judging.vulnerable(&policies, &section, None)?;
            let facts = Facts::of_analysis(Outputs::of(analysis, identity));
            telling.tell(&judging.facts(facts, vulnerable.as_ref()), &image)
        }),
    }
}

fn no_bundle() -> Failure {
    Failure::usage(anyhow::anyhow!("there is nothing to explain without a bundle")).hint(
        "name one: `--policy FILE`, or `--policy NAME` with a name that `inscan policy list` shows",
    )
}

struct Telling<'a> {
    policies: &'a Policies,
    all: bool,
    output: &'a [Output<Format>],
    session: &'a Session,
}

impl Telling<'_> {
    fn tell(&self, facts: &Facts<'_>, image: &Image) -> Result<()> {
        let (bundle, explanation) = self.policies.explain(facts, image);
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
