//! The command line. The doc comments of the arguments are the help text.

mod analyze;
mod analyzer_config;
mod analyzers;
mod archive;
mod backend;
mod bundle;
mod cache;
mod compare_versions;
mod completions;
mod database;
mod db;
mod environment;
mod evaluate;
mod explain;
mod failure;
mod judging;
mod legacy;
mod network;
mod policy;
mod pull;
mod reading;
mod registry;
mod scan;
#[cfg(feature = "http")]
mod serve;
mod settings;
mod source;
mod template;
mod upload;

use std::ffi::OsString;
use std::io::{self, IsTerminal, Write};
use std::path::PathBuf;

use clap::builder::BoolishValueParser;
use clap::{CommandFactory, FromArgMatches, Parser, Subcommand, ValueEnum};

use environment::Environment;
pub use failure::{ErrorFormat, Exit, Failure, Result};
use settings::Settings;

use crate::output::file::Sink;
use crate::output::{Destination, Output};
use inscan_image::source::ANY_ARCHIVE;
use inscan_report::text;

/// Look into a container image: read it once, analyze it, write one document
///
/// inscan reads a container image once, layer by layer, without unpacking or
/// running anything of it, and says what is in it: packages, secrets, files
/// and their checksums, how it was built. It needs no daemon and no network.
#[derive(Debug, Parser)]
#[command(
    name = "inscan",
    version,
    max_term_width = 100,
    subcommand_required = true,
    arg_required_else_help = true,
    after_help = "\
Examples:
  Show what is in an image that was saved with `docker save`:
      inscan scan image.tar
  Write the analysis document of an image in an OCI layout:
      inscan analyze oci:build/layout:latest > document.json

Exit codes:
  0    finished; the image passes, where it was judged
  1    the image fails
  2    wrong parameters
  3    could not finish
  130  interrupted

Every flag can be set in the environment (--platform is INSCAN_PLATFORM) and in
a settings file; a flag stands above the environment, and that above the file."
)]
pub struct Cli {
    #[command(flatten)]
    global: Global,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Args)]
struct Global {
    /// Read settings from this file
    ///
    /// YAML, with the long names of flags as keys. Without it:
    /// `$XDG_CONFIG_HOME/inscan/config.yaml`, and of `./.inscan.yaml` what makes a scan stricter:
    /// a file in a checkout does not choose outputs, exceptions, databases or hosts.
    #[arg(long, global = true, value_name = "FILE")]
    config: Option<PathBuf>,

    /// Say nothing on stderr but errors
    #[arg(long, short, global = true, value_parser = BoolishValueParser::new())]
    quiet: bool,

    /// How to show progress on stderr
    #[arg(long, global = true, value_name = "WHEN", default_value = "auto")]
    progress: ProgressStyle,

    /// When to use colours (NO_COLOR is respected)
    #[arg(long, global = true, value_name = "WHEN", default_value = "auto")]
    color: When,

    /// The memory that may be taken, such as 512MiB [default: 90 % of the cgroup's limit, 80 % of the machine's]
    ///
    /// Where it does not suffice, the run ends with exit code 3.
    #[arg(long, global = true, value_name = "SIZE", value_parser = cache::size)]
    max_memory: Option<u64>,

    /// How to write an error on stderr
    #[arg(long, global = true, value_name = "FORMAT", default_value = "text")]
    error_format: ErrorFormat,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum ProgressStyle {
    /// Bars on a terminal, plain lines elsewhere
    Auto,
    /// Plain lines
    Plain,
    /// A line of JSON for each event
    Json,
    /// Nothing
    None,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum When {
    /// On a terminal
    Auto,
    Always,
    Never,
}

#[derive(Debug, Subcommand)]
enum Command {
    Analyze(analyze::Args),
    Scan(Box<scan::Args>),
    Evaluate(evaluate::Args),
    Explain(explain::Args),
    Archive(archive::Args),
    Upload(upload::Args),
    Legacy(legacy::Args),
    Analyzers(analyzers::Args),
    Cache(cache::Args),
    Db(db::Args),
    Policy(policy::Args),
    Completions(completions::Args),
    Pull(pull::Args),
    #[cfg(feature = "http")]
    Serve(serve::Args),
    // For tests of the version orders: of no use to a scan.
    #[command(hide = true)]
    CompareVersions(compare_versions::Args),
}

/// What every command may ask about the one who runs it.
pub(crate) struct Session {
    quiet: bool,
    progress: ProgressStyle,
    color: When,
}

/// Parses the arguments and runs the command they name.
pub fn run(arguments: impl IntoIterator<Item = OsString>) -> Result<()> {
    let arguments: Vec<OsString> = arguments.into_iter().map(no_option).collect();
    if let Some((called, rest)) = legacy::called(&arguments) {
        return legacy::run_as(&called, rest);
    }
    let format = typed_error_format(&arguments);
    let (cli, warnings) = parse(arguments).map_err(|failure| failure.format(format))?;
    let Global { quiet, progress, color, error_format, max_memory, .. } = cli.global;
    inscan_image::allocator::limit(max_memory);
    let session = Session { quiet, progress, color };
    warnings.iter().for_each(|warning| session.warn(warning));
    Environment::get()
        .source_date()
        .and_then(|_| cli.command.run(&session))
        .map_err(|failure| failure.format(error_format))
}

/// What is said of errors in arguments that cannot be parsed otherwise.
fn typed_error_format(arguments: &[OsString]) -> ErrorFormat {
    let typed = arguments.windows(2).any(|pair| pair[0] == "--error-format" && pair[1] == "json");
    let in_one = arguments.iter().any(|argument| argument == "--error-format=json");
    let set = Environment::get().text("INSCAN_ERROR_FORMAT") == Some("json");
    if typed || in_one || set { ErrorFormat::Json } else { ErrorFormat::Text }
}

impl Command {
    fn run(self, session: &Session) -> Result<()> {
        match self {
            Command::Analyze(args) => analyze::run(args, session),
            Command::Scan(args) => scan::run(*args, session),
            Command::Evaluate(args) => evaluate::run(args, session),
            Command::Explain(args) => explain::run(args, session),
            Command::Archive(args) => archive::run(args, session),
            Command::Upload(args) => upload::run(args, session),
            Command::Legacy(args) => legacy::run(args),
            Command::Analyzers(args) => analyzers::run(args),
            Command::Cache(args) => cache::run(args, session),
            #[cfg(feature = "http")]
            Command::Serve(args) => serve::run(args, session),
            Command::Db(args) => db::run(args, session),
            Command::Policy(args) => policy::run(args, session),
            Command::Completions(args) => completions::run(args),
            Command::Pull(args) => pull::run(args, session),
            Command::CompareVersions(args) => compare_versions::run(args, session),
        }
    }
}

/// The command line as it is defined, without environment and settings.
pub fn definition() -> clap::Command {
    Cli::command()
}

/// Once as typed, to learn which settings files hold; then with their values as defaults.
fn parse(arguments: impl IntoIterator<Item = OsString>) -> Result<(Cli, Vec<String>)> {
    let arguments: Vec<OsString> = arguments.into_iter().map(no_option).collect();
    let mut command = settings::with_environment(definition());
    let matches = command.clone().try_get_matches_from(&arguments)?;
    let mut warnings = Vec::new();
    for file in settings::files(settings::named_file(&matches)) {
        let in_file = || format!("settings file `{}`", file.path.display());
        let mut settings = Settings::read(&file)?;
        if file.found_here {
            let passed_over = settings.restrict();
            if !passed_over.is_empty() {
                warnings.push(format!(
                    "ignoring `{}` in {}: without `--config {}` it may only tighten a scan",
                    passed_over.join("`, `"),
                    file.path.display(),
                    file.path.display()
                ));
            }
        }
        let unknown;
        (command, unknown) =
            settings.apply(command).map_err(|error| Failure::usage(error.context(in_file())))?;
        warnings.extend(unknown.into_iter().map(|warning| format!("{}: {warning}", in_file())));
        // What was typed is right: the first parse said so. What is wrong now is the file.
        command.clone().try_get_matches_from(&arguments).map_err(|error| {
            Failure::usage(anyhow::anyhow!("{}: {}", in_file(), first_line(&error)))
        })?;
    }
    // Each is right by itself: what is wrong now is the variable.
    let matches = settings::with_outputs(command).try_get_matches_from(&arguments)?;
    Ok((Cli::from_arg_matches(&matches)?, warnings))
}

/// `-:NAME`, an image in an archive on standard input, is no option.
fn no_option(argument: OsString) -> OsString {
    match argument.to_str() {
        Some(text) if text.starts_with("-:") => format!("{ANY_ARCHIVE}{text}").into(),
        _ => argument,
    }
}

fn first_line(error: &clap::Error) -> String {
    let text = error.to_string();
    text.lines().next().unwrap_or_default().trim_start_matches("error: ").to_owned()
}

impl Session {
    /// Tells the user that something was done.
    fn say(&self, text: &str) {
        if !self.quiet {
            let _ = writeln!(io::stderr(), "{}", text::printable(text));
        }
    }

    /// What was asked for explicitly is shown also to whoever wants quiet.
    fn table(&self, table: &str) {
        let _ = io::stderr().write_all(table.as_bytes());
    }

    /// Tells the user something that does not keep the command from running.
    fn warn(&self, warning: &str) {
        if !self.quiet {
            let _ = writeln!(io::stderr(), "warning: {}", text::printable(warning));
        }
    }

    /// Whether an output may be coloured.
    fn colors(&self, to: &Destination) -> bool {
        match self.color {
            When::Always => true,
            When::Never => false,
            When::Auto => {
                let forbidden = Environment::get().forbids_color();
                *to == Destination::Stdout && !forbidden && io::stdout().is_terminal()
            }
        }
    }
}

/// Opens every output before the work begins: a place that cannot be written is
/// a wrong parameter, and better known now than in a minute.
fn open_outputs<F: Copy>(outputs: &[Output<F>]) -> Result<Vec<(F, &Destination, Sink)>> {
    for (position, output) in outputs.iter().enumerate() {
        if outputs.iter().take(position).any(|earlier| earlier.to == output.to) {
            let place = match &output.to {
                Destination::Stdout => "standard output".to_owned(),
                Destination::File(path) => format!("`{}`", path.display()),
            };
            return Err(Failure::usage(anyhow::anyhow!("two outputs go to {place}"))
                .hint("give one of them a file of its own: `-o FORMAT=FILE`"));
        }
    }
    let open = |output: &Output<F>| Sink::open(&output.to).map(|sink| (output.format, sink));
    let mut sinks = Vec::new();
    for output in outputs {
        let (format, sink) = open(output).map_err(|error| cannot_write(&output.to, error))?;
        sinks.push((format, &output.to, sink));
    }
    Ok(sinks)
}

fn cannot_write(to: &Destination, error: io::Error) -> Failure {
    match to {
        Destination::Stdout => broken_output(to, error),
        Destination::File(path) => {
            let message = format!("could not open the output file `{}`", path.display());
            Failure::usage(anyhow::Error::new(error).context(message))
                .hint("`-o FORMAT=FILE` needs a directory that exists and can be written")
        }
    }
}

fn broken_output(to: &Destination, error: io::Error) -> Failure {
    let place = match to {
        Destination::Stdout => "standard output".to_owned(),
        Destination::File(path) => format!("`{}`", path.display()),
    };
    Failure::broken(anyhow::Error::new(error).context(format!("could not write to {place}")))
}
