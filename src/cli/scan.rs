use std::io::{self, Write};
use std::sync::LazyLock;
use std::time::{Instant, SystemTime};

use clap::ValueEnum;
use clap::builder::PossibleValue;

use super::bundle::PolicyArgs;
use super::judging::{JudgeArgs, concluded};
use super::reading::{ImageArgs, with_analysis};
use super::template::TemplateArgs;
use super::upload::RemoteArgs;
use super::{Failure, Result, Session, broken_output, open_outputs};
use crate::output::file::Sink;
use crate::output::{Destination, Output, ReportFormat, summary, timings};
use inscan_document::{Identity, Run};
use inscan_image::analyze::Analysis;
use inscan_judge as policy;
use inscan_judge::facts::Facts;
use inscan_report::Style;
use inscan_report::report::{self, Report};

/// Analyze an image, show what is in it, and judge it
///
/// With a vulnerability database it says which packages are vulnerable, since which layer, and
/// what mends it; and with a gate, as `--fail-on high`, whether the image passes.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  An archive that `docker save` wrote:
      inscan scan image.tar
  Let a build fail on what is severe and can be mended:
      inscan scan image.tar --fail-on high --only-fixed
  One of several images in an OCI layout, for a machine with an ARM processor:
      inscan scan oci:build/layout:app-1.0 --platform linux/arm64
  An image on standard input, with the analysis document beside the summary:
      docker save app:1.0 | inscan scan - -o summary -o document=app.json
  By a bundle of policies, with the result that an Anchore Engine would give:
      inscan scan image.tar --policy bundle.json -o summary -o anchore=result.json
  A root file system, the findings as JSON:
      inscan scan dir:/mnt/rootfs -o json
  Let a build pass only if a backend says so:
      inscan scan image.tar --upload --url https://secure.example --tag registry.example/app:1.0")]
pub(super) struct Args {
    #[command(flatten)]
    pub(super) image: ImageArgs,

    /// What to write, and where to (standard output unless a file is named); may be repeated
    /// [default: summary, and table where there is a database]
    #[arg(short, long = "output", value_name = "FORMAT[=FILE]")]
    output: Vec<Output<Format>>,

    #[command(flatten)]
    template: TemplateArgs,

    #[command(flatten)]
    pub(super) judge: JudgeArgs,

    #[command(flatten)]
    remote: RemoteArgs,

    #[command(flatten)]
    policy: PolicyArgs,
}

/// What is written of the image, and what of its evaluation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Format {
    Image(ImageFormat),
    Report(report::Format),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum ImageFormat {
    /// What the image is and what was found, for people
    Summary,
    /// The analysis document: JSON
    Document,
}

impl ValueEnum for Format {
    fn value_variants<'a>() -> &'a [Self] {
        static ALL: LazyLock<Vec<Format>> = LazyLock::new(|| {
            let image = ImageFormat::value_variants().iter().copied().map(Format::Image);
            let report = report::Format::ALL.into_iter().map(Format::Report);
            image.chain(report).collect()
        });
        &ALL
    }

    fn to_possible_value(&self) -> Option<PossibleValue> {
        match self {
            Format::Image(format) => format.to_possible_value(),
            Format::Report(format) => ReportFormat(*format).to_possible_value(),
        }
    }
}

pub(super) fn run(args: Args, session: &Session) -> Result<()> {
    let (net, registry) = args.image.network()?;
    args.judge.bring_up_to_date(&net, &registry, session)?;
    let judging = args.judge.meant()?;
    let reports = args.output.iter().filter_map(|output| match output.format {
        Format::Image(_) => None,
        Format::Report(format) => Some(format),
    });
    let reports: Vec<_> = reports.collect();
    let template = args.template.meant(reports.iter().copied())?;
    let stdin_is_taken = args.image.place() == "-";
    if stdin_is_taken && args.policy.reads_stdin() {
        let error = anyhow::anyhow!("image and bundle cannot both be on standard input");
        return Err(Failure::usage(error).hint("write one of them to a file"));
    }
    let policies = args.policy.meant(reports, session)?;
    let outputs = open_outputs(&args.output)?;
    let remote = args.remote.meant(&net, stdin_is_taken, session)?;
    let clock = Clock::start();
    let with_timings = args.image.timings();
    with_analysis(args.image, session, |analysis, identity| {
        let begun = Instant::now();
        let run = clock.run();
        let section =
            inscan_image::document::section(analysis, identity, &run).map_err(Failure::broken)?;
        let evaluation = judging.judge(&section, session)?;
        let of_policies = match &policies {
            None => None,
            Some(policies) => {
                let outputs = inscan_image::document::Outputs::of(analysis, identity);
                let vulnerable = judging.vulnerable(policies, &section, Some(&evaluation))?;
                let facts = Facts::of_analysis(outputs);
                let facts = judging.facts(facts, vulnerable.as_ref());
                let image = policy::Image {
                    tag: identity.full_tag.clone(),
                    digest: identity.image_digest.clone(),
                    id: identity.image_id.clone(),
                };
                Some(policies.judge(&facts, &image, session)?)
            }
        };
        let of_policies = of_policies.as_ref();
        let write = |format, style: &Style, out: &mut dyn Write| match format {
            Format::Image(format) => write_image(format, analysis, identity, &run, style, out),
            Format::Report(format) => {
                let (evaluation, section) = (&evaluation, &section);
                let show_suppressed = judging.show_suppressed;
                let template = template.as_ref();
                let every_match = policies.as_ref().is_some_and(|policies| policies.every_match);
                let policy = of_policies;
                let report = Report {
                    evaluation,
                    policy,
                    section,
                    style,
                    show_suppressed,
                    every_match,
                    template,
                };
                report::write(format, &report, out)
            }
        };
        let is_usual = outputs.is_empty();
        if is_usual {
            let to = Destination::Stdout;
            let style = Style::new(session.colors(&to));
            let usual = |out: &mut dyn Write| {
                write(Format::Image(ImageFormat::Summary), &style, out)?;
                match judging.has_database() || of_policies.is_some() {
                    true => write(Format::Report(report::Format::Table), &style, out),
                    false => Ok(()),
                }
            };
            Sink::Stdout.write(usual).map_err(|error| broken_output(&to, error))?;
        }
        for (format, to, sink) in outputs {
            let style = Style::new(session.colors(to));
            sink.write(|out| write(format, &style, out))
                .map_err(|error| broken_output(to, error))?;
        }
        if with_timings {
            tell_timings(analysis, begun, &clock, session);
        }
        if let Some(remote) = remote {
            remote.conclude(analysis, identity, is_usual, session)?;
        }
        concluded(&evaluation, of_policies)
    })
}

/// What `analyze` writes, which judges nothing.
pub(super) fn analyze(
    args: ImageArgs,
    outputs: &[Output<ImageFormat>],
    session: &Session,
) -> Result<()> {
    let outputs = open_outputs(outputs)?;
    let clock = Clock::start();
    let with_timings = args.timings();
    with_analysis(args, session, |analysis, identity| {
        let begun = Instant::now();
        for (format, to, sink) in outputs {
            let style = Style::new(session.colors(to));
            sink.write(|out| write_image(format, analysis, identity, &clock.run(), &style, out))
                .map_err(|error| broken_output(to, error))?;
        }
        if with_timings {
            tell_timings(analysis, begun, &clock, session);
        }
        Ok(())
    })
}

fn tell_timings(analysis: &Analysis<'_>, begun: Instant, clock: &Clock, session: &Session) {
    let timings =
        inscan_image::document::ended(inscan_image::document::timings(analysis), begun.elapsed());
    session.table(&timings::render(&timings, clock.clock.elapsed()));
}

fn write_image(
    format: ImageFormat,
    analysis: &Analysis<'_>,
    identity: &Identity,
    run: &Run,
    style: &Style,
    out: &mut dyn Write,
) -> io::Result<()> {
    match format {
        ImageFormat::Summary => {
            out.write_all(summary::render(analysis, identity, style).as_bytes())
        }
        ImageFormat::Document => inscan_image::document::write(analysis, identity, run, out),
    }
}

/// When the scan began.
struct Clock {
    started: SystemTime,
    clock: Instant,
}

impl Clock {
    fn start() -> Self {
        Clock { started: SystemTime::now(), clock: Instant::now() }
    }

    fn run(&self) -> Run {
        let threads = rayon::current_num_threads();
        Run::new(self.started, self.clock.elapsed(), threads, source_date_epoch())
    }
}

/// For documents that come out the same at any time: <https://reproducible-builds.org/specs/source-date-epoch/>.
fn source_date_epoch() -> Option<u64> {
    std::env::var("SOURCE_DATE_EPOCH").ok()?.parse().ok()
}
