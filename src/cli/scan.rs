use std::io::{self, Write};
use std::sync::LazyLock;
use std::time::{Instant, SystemTime};

use clap::ValueEnum;
use clap::builder::PossibleValue;
use inscan_analyzers::Part;
use inscan_document::{Run, Section};
use inscan_image::source::Reference;
use inscan_image::{Scan, document};
use inscan_judge::facts::DocumentFacts;
use inscan_judge::{self as policy, Judgement, Policies, PolicyRequest};
use inscan_report::report::{self, Report};
use inscan_report::{Style, Template};

use super::bundle::PolicyArgs;
use super::environment::Environment;
use super::judging::{JudgeArgs, concluded};
use super::reading::{ImageArgs, scanned};
use super::template::TemplateArgs;
use super::upload::RemoteArgs;
use super::{Failure, Result, Session, broken_output, open_outputs};
use crate::output::file::Sink;
use crate::output::{Destination, Output, ReportFormat, packing, summary, timings};

/// Scan an image: show its content, its vulnerabilities and the verdict
///
/// With a vulnerability database it shows which packages are vulnerable, which layer brought
/// them and which version fixes them. With a gate, such as `--fail-on high`, it ends with a verdict.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  An archive that `docker save` wrote:
      inscan scan image.tar
  Fail a build on severe vulnerabilities that have a fix:
      inscan scan image.tar --fail-on high --only-fixed
  One of several images in an OCI layout, for a machine with an ARM processor:
      inscan scan oci:build/layout:app-1.0 --platform linux/arm64
  An image on standard input, with the analysis document beside the summary:
      docker save app:1.0 | inscan scan - -o summary -o document=app.json
  With a bundle of policies, and the result in the form of Anchore Engine:
      inscan scan image.tar --policy bundle.json -o summary -o anchore=result.json
  A root file system, the findings as JSON:
      inscan scan dir:/mnt/rootfs -o json
  Pass only if a backend passes the image too:
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
    let clock = Clock::start();
    let (net, registry) = args.image.network()?;
    args.judge.bring_up_to_date(&net, &registry, session)?;
    let stdin_is_taken = stdin_is_taken(&args)?;
    let with_timings = args.image.timings();
    let judging = args.judge.resolve()?;
    let detail = Detail {
        template: args.template.resolve(reports(&args.output))?,
        show_suppressed: judging.show_suppressed,
        every_match: args.policy.every_match(),
    };
    let policies = args.policy.resolve(reports(&args.output), session)?;
    if judging.judges_secrets() {
        args.image.needs(&[Part::Secrets], "`--fail-on-secrets`")?;
    }
    let outputs = open_outputs(&args.output)?;
    let remote = args.remote.resolve(&net, stdin_is_taken, session)?;
    if remote.is_some() {
        args.image.needs(&Part::ALL, "`--upload`")?;
    }

    let scan = scanned(args.image, session)?;
    if judging.has_gate() || policies.is_some() || remote.is_some() {
        analyzed_whole(&scan)?;
    }
    let begun = Instant::now();
    let run = clock.run(&scan)?;
    let section = scan.section(&run);
    let request = policies.as_ref().map(|policies| of_scan(policies, &scan, &section));
    let judgement = judging.judge(&section, request, session)?;
    let shown = Shown { scan: &scan, section: &section, judgement: &judgement, run, detail };
    let is_usual = outputs.is_empty();
    match is_usual {
        true => shown.usual(judging.has_database() || policies.is_some(), session)?,
        false => shown.to(outputs, session)?,
    }
    if with_timings {
        tell_timings(&scan, begun, &clock, session);
    }
    if let Some(remote) = remote {
        remote.conclude(scan.analysis(), scan.identity(), is_usual, session)?;
    }
    concluded(&judgement)
}

/// A fault of this machine is no verdict about the image.
pub(super) fn analyzed_whole(scan: &Scan) -> Result<()> {
    match &scan.analysis().by_chance {
        None => Ok(()),
        Some(reason) => {
            Err(Failure::broken(anyhow::anyhow!("the image could not be analyzed whole: {reason}")))
        }
    }
}

/// Whether the image is read from standard input, which nothing else can be then.
fn stdin_is_taken(args: &Args) -> Result<bool> {
    let is_taken = Reference::is_stdin(args.image.place());
    if is_taken && args.policy.reads_stdin() {
        let error = anyhow::anyhow!("image and bundle cannot both be on standard input");
        return Err(Failure::usage(error).hint("write one of them to a file"));
    }
    Ok(is_taken)
}

/// The reports among the formats: some need more than others.
fn reports(outputs: &[Output<Format>]) -> impl Iterator<Item = report::Format> {
    outputs.iter().filter_map(|output| match output.format {
        Format::Image(_) => None,
        Format::Report(format) => Some(format),
    })
}

/// What policies are asked of: an image that was just scanned.
pub(super) fn of_scan<'a>(
    policies: &'a Policies,
    scan: &'a Scan,
    section: &'a Section,
) -> PolicyRequest<'a> {
    let identity = scan.identity();
    PolicyRequest {
        policies,
        facts: DocumentFacts::of_analysis(scan.legacy_part(), section),
        image: policy::Image {
            tag: identity.full_tag.clone(),
            digest: identity.image_digest.clone(),
            id: identity.image_id.clone(),
        },
    }
}

/// All that outputs are made from.
struct Shown<'a> {
    scan: &'a Scan,
    section: &'a Section,
    judgement: &'a Judgement,
    run: Run,
    detail: Detail,
}

/// What reports tell beside the verdict.
struct Detail {
    /// What `-o template` fills in.
    template: Option<Template>,
    show_suppressed: bool,
    /// Of each rule of the policies.
    every_match: bool,
}

impl Shown<'_> {
    /// What is written where nothing was said: the summary, and the verdict where there is one.
    fn usual(&self, with_verdict: bool, session: &Session) -> Result<()> {
        let to = Destination::Stdout;
        let style = Style::new(session.colors(&to));
        let usual = |out: &mut dyn Write| {
            self.write(Format::Image(ImageFormat::Summary), &style, out)?;
            match with_verdict {
                true => self.write(Format::Report(report::Format::Table), &style, out),
                false => Ok(()),
            }
        };
        Sink::Stdout.write(usual).map_err(|error| broken_output(&to, error))
    }

    fn to(&self, outputs: Vec<(Format, &Destination, Sink)>, session: &Session) -> Result<()> {
        for (format, to, sink) in outputs {
            let style = Style::new(session.colors(to));
            sink.write(|out| packing::write(to, out, |out| self.write(format, &style, out)))
                .map_err(|error| broken_output(to, error))?;
        }
        Ok(())
    }

    fn write(&self, format: Format, style: &Style, out: &mut dyn Write) -> io::Result<()> {
        match format {
            Format::Image(format) => write_image(format, self.scan, &self.run, style, out),
            Format::Report(format) => {
                let report = Report {
                    evaluation: &self.judgement.evaluation,
                    policy: self.judgement.policy.as_ref(),
                    section: self.section,
                    style,
                    show_suppressed: self.detail.show_suppressed,
                    every_match: self.detail.every_match,
                    template: self.detail.template.as_ref(),
                };
                report::write(format, &report, out)
            }
        }
    }
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
    let scan = scanned(args, session)?;
    let begun = Instant::now();
    for (format, to, sink) in outputs {
        let style = Style::new(session.colors(to));
        let run = clock.run(&scan)?;
        let write = |out: &mut dyn Write| write_image(format, &scan, &run, &style, out);
        sink.write(|out| packing::write(to, out, write))
            .map_err(|error| broken_output(to, error))?;
    }
    if with_timings {
        tell_timings(&scan, begun, &clock, session);
    }
    Ok(())
}

fn tell_timings(scan: &Scan, begun: Instant, clock: &Clock, session: &Session) {
    let timings = document::ended(document::timings(scan.analysis()), begun.elapsed());
    session.table(&timings::render(&timings, clock.clock.elapsed()));
}

fn write_image(
    format: ImageFormat,
    scan: &Scan,
    run: &Run,
    style: &Style,
    out: &mut dyn Write,
) -> io::Result<()> {
    match format {
        ImageFormat::Summary => {
            let text = summary::render(scan.analysis(), scan.identity(), style);
            out.write_all(text.as_bytes())
        }
        ImageFormat::Document => scan.write_document(run, out),
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

    fn run(&self, scan: &Scan) -> Result<Run> {
        let epoch = Environment::get().source_date()?;
        let epoch = epoch.and_then(|date| u64::try_from(date.as_second()).ok());
        let threads = scan.analysis().threads.count();
        Ok(Run::new(self.started, self.clock.elapsed(), threads, epoch))
    }
}
