//! In the place of the legacy scanner: `inscan legacy`, or the program under the name of either
//! of its scripts. The same arguments, environment, lines, JSON, log and exit codes, so that what
//! was built around it goes on working. COMPATIBILITY.md has what is meant to differ.

mod flags;
mod getopt;
mod help;
mod here;
mod image_name;
mod judge;
mod log;
mod options;
mod remote;
mod request;
mod scan;

use std::ffi::{OsStr, OsString};
use std::io::{self, Write};
use std::path::Path;

use crate::cli::environment::Environment;
use crate::cli::failure::{Exit, Failure, Result};
use crate::cli::{ProgressStyle, Session, When};
use crate::output::Destination;
use crate::output::file::Sink;
use crate::output::legacy::object::{self, Object};
use crate::output::legacy::wording::Wording;
use inscan_report::text;
use log::Log;
use options::{Generation, Options, Refused, Request};
use scan::{ImageVerdict, Stopped};

/// Stand in for the legacy inline scanner: its command line, its output, its exit codes
///
/// Also when the program is called by a link named `sysdig-inline-scan.sh`, or `inline_scan.sh`
/// for the first generation. `inscan legacy --help` shows all options.
#[derive(Debug, clap::Args)]
#[command(
    disable_help_flag = true,
    after_help = "\
Examples:
  Have an image in its registry judged by the backend, for a plugin that reads JSON:
      SYSDIG_API_TOKEN=… inscan legacy --format=JSON alpine:3.10
  What a build made, without a backend:
      inscan legacy --local --storage-type=docker-archive --storage-path=image.tar app:1.0
  All options:
      inscan legacy --help"
)]
pub(super) struct Args {
    /// The legacy scanner's arguments
    #[arg(value_name = "ARGUMENTS", trailing_var_arg = true, allow_hyphen_values = true)]
    arguments: Vec<OsString>,
}

/// What to run instead of a command of ours: the legacy scanner whose name the program has, or
/// that is asked for. Its arguments are none of clap's business.
pub(super) fn called(arguments: &[OsString]) -> Option<(Called, &[OsString])> {
    let (program, rest) = arguments.split_first()?;
    let name = Path::new(program).file_name().and_then(OsStr::to_str).unwrap_or_default();
    match name {
        "sysdig-inline-scan.sh" => Some((Called::new(Generation::Second, name), rest)),
        "inline_scan.sh" => Some((Called::new(Generation::First, name), rest)),
        _ => {
            let (command, rest) = rest.split_first()?;
            let called = Called::new(Generation::Second, "inscan legacy");
            (command == "legacy").then_some((called, rest))
        }
    }
}

pub(super) struct Called {
    generation: Generation,
    program: String,
}

impl Called {
    fn new(generation: Generation, program: &str) -> Called {
        Called { generation, program: program.to_owned() }
    }
}

/// As the command of that name, after options of ours.
pub(super) fn run(args: Args) -> Result<()> {
    run_as(&Called::new(Generation::Second, "inscan legacy"), &args.arguments)
}

pub(super) fn run_as(called: &Called, arguments: &[OsString]) -> Result<()> {
    let arguments = arguments.iter().map(|it| it.to_string_lossy().into_owned());
    let arguments: Vec<String> = arguments.collect();
    let environment = |name: &str| Environment::get().raw(name)?.to_str().map(str::to_owned);
    match options::read(called.generation, &arguments, &environment) {
        Ok(Request::Help(generation)) => {
            tell(&help::text(generation, &called.program));
            match generation {
                Generation::First if arguments.first().is_some_and(|it| it == "help") => {
                    Err(Failure::told(Exit::Fail))
                }
                _ => Ok(()),
            }
        }
        Err(refused) => Err(refuse(&refused, &called.program)),
        Ok(Request::Scan(options)) => scanned(&options, &called.program),
    }
}

/// Says what is wrong with the parameters.
fn refuse(refused: &Refused, program: &str) -> Failure {
    let reasons = refused.reasons.iter().map(|reason| text::printable(reason));
    match refused.generation {
        Generation::Second => {
            reasons.for_each(|reason| tell(&format!("ERROR: {reason}\n")));
            tell("\nUse -h or --help to display usage\n\n");
            Failure::told(Exit::Usage)
        }
        Generation::First => {
            reasons.for_each(|reason| tell(&format!("\n\tERROR - {reason}\n\n")));
            tell(&help::text(Generation::First, program));
            Failure::told(Exit::Fail)
        }
    }
}

/// On stderr. Nobody is left to be told if it is gone.
fn tell(text: &str) {
    let _ = io::stderr().write_all(text.as_bytes());
}

fn scanned(options: &Options, program: &str) -> Result<()> {
    let mut log = Log::new(options.json, options.time_profile, &options.secrets());
    let file = match &options.write_json {
        None => None,
        Some(path) => match Sink::open(&Destination::File(path.clone())) {
            Ok(sink) => Some(sink),
            Err(error) => {
                let reason = format!("cannot write JSON to '{}': {error}", path.display());
                let refused = Refused { generation: options.generation, reasons: vec![reason] };
                return Err(refuse(&refused, program));
            }
        },
    };
    let outcome = logged(options, &mut log).and_then(|()| {
        let session =
            Session { quiet: options.json, progress: ProgressStyle::None, color: When::Never };
        scan::run(options, &log, &session, options.json || options.write_json.is_some())
    });
    let outcome = outcome.map_err(|Stopped(reason)| log.clean_lines(&reason));
    let text = log.text();
    let object = object(&outcome, &text);
    let mut written = Ok(());
    if let Some(file) = file {
        written = file.write(|out| object::write(&object, out));
    }
    if options.json {
        written = written.and(Sink::Stdout.write(|out| object::write(&object, out)));
    }
    let failed = outcome.as_ref().err().cloned();
    let failed = failed.or(written.err().map(|error| format!("Cannot write JSON output: {error}")));
    if let Some(reason) = failed {
        if !log.is_silent() {
            stopped(options.generation, &reason);
        }
        let exit = match options.generation {
            Generation::First => Exit::Fail,
            Generation::Second => Exit::Broken,
        };
        return Err(Failure::told(exit));
    }
    match outcome {
        Ok(ImageVerdict { passes: true, .. }) => Ok(()),
        _ => Err(Failure::told(Exit::Fail)),
    }
}

/// A log that nobody asked for may be missing; one in a place that was named may not.
fn logged(options: &Options, log: &mut Log) -> std::result::Result<(), Stopped> {
    match log.follow_in(&options.temporary) {
        Ok(()) => Ok(()),
        Err(_) if !options.temporary_is_named => Ok(()),
        Err(error) => {
            let place = options.temporary.display();
            Err(Stopped(format!("Cannot write the log below {place}: {error}")))
        }
    }
}

fn object<'a>(outcome: &'a std::result::Result<ImageVerdict, String>, log: &'a str) -> Object<'a> {
    match outcome {
        Ok(judged) => Object::Judged {
            status: &judged.status,
            tag: &judged.full_tag,
            digest: &judged.digest,
            log,
            scan_report: &judged.report,
            vulns_report: judged.vulnerabilities.as_ref(),
        },
        Err(error) => Object::Failed { status: "error", error, log },
    }
}

fn stopped(generation: Generation, reason: &str) {
    match generation {
        Generation::Second => tell(&format!("\nERROR:\n{reason}\n\n")),
        Generation::First => tell(&format!("\n\tERROR - {reason}\n\n")),
    }
}

impl Options {
    fn wording(&self) -> Wording {
        match self.generation {
            Generation::First => Wording::First,
            Generation::Second => Wording::Second,
        }
    }
}
