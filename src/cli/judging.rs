//! Judging a document: the options that every command has that does it, as typed
//! and as meant, and how the verdict becomes an exit code.

use std::ffi::OsStr;
use std::fs;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use clap::ValueEnum;
use clap::builder::{BoolishValueParser, PossibleValue, PossibleValuesParser, TypedValueParser};
use inscan_document::{self as document, Section};
use inscan_evaluate::vex;
use inscan_evaluate::{
    self as evaluate, Data, Evaluation, Exceptions, Explanation, Gate, OnOldDatabase, OnUncovered,
    Options, Severity, Unrated,
};
use inscan_facts::digest::Digest;
use inscan_image::document::archive;
use inscan_judge::facts::DocumentFacts;
use inscan_judge::{self as policy, JudgeError, JudgeOptions, Judgement, Policies, PolicyRequest};
use inscan_net::NetOptions;
use inscan_net::registry::RegistryOptions;
use inscan_vulndb::Database;
use inscan_vulndb::max_age::Then;
use jiff::tz::TimeZone;

use super::database::DataArgs;
use super::environment::Environment;
use super::{Failure, Result, Session, settings};
use crate::output::packing;

#[derive(Debug, clap::Args)]
pub(super) struct JudgeArgs {
    #[command(flatten)]
    data: DataArgs,
    #[command(flatten)]
    scope: ScopeArgs,
    #[command(flatten)]
    gate: GateArgs,
}

#[derive(Debug, clap::Args)]
#[command(next_help_heading = "What is reported")]
struct ScopeArgs {
    /// Report findings of this severity or worse: unknown, negligible, low, medium, high, critical
    ///
    /// What fails the gate is always reported.
    #[arg(long, value_name = "SEVERITY", default_value = "unknown", value_parser = severity())]
    severity: Severity,

    /// Hide findings without a fix
    ///
    /// What fails the gate is always reported.
    #[arg(long, value_parser = BoolishValueParser::new())]
    hide_unfixed: bool,

    /// Also list suppressed findings, each with its reason
    #[arg(long, value_parser = BoolishValueParser::new())]
    show_suppressed: bool,

    /// Also evaluate language packages that an OS package installed
    #[arg(long, value_parser = BoolishValueParser::new())]
    keep_owned: bool,

    /// Also evaluate packages found only in lock files and manifests
    #[arg(long, value_parser = BoolishValueParser::new())]
    lockfiles: bool,

    /// Count what Debian calls unimportant
    #[arg(long, value_parser = BoolishValueParser::new())]
    unimportant: bool,

    /// Do not count findings that are matched by CPE name only
    ///
    /// Such names are guesses. Only databases made of the legacy engine's feeds have them.
    #[arg(long, value_parser = BoolishValueParser::new())]
    no_cpe: bool,

    /// Count notices that are not vulnerabilities, such as unmaintained packages
    #[arg(long, value_parser = BoolishValueParser::new())]
    informational: bool,
}

#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Gate: what fails (exit code 1)")]
struct GateArgs {
    /// Fail on vulnerabilities of this severity or worse
    #[arg(long, value_name = "SEVERITY", value_parser = severity())]
    fail_on: Option<Severity>,

    /// Fail on secrets of this severity or worse: low, medium, high, critical
    #[arg(long, value_name = "SEVERITY")]
    fail_on_secrets: Option<SecretSeverity>,
    /// What findings without a severity mean for `--fail-on`: pass, warn, fail, or a severity to take them for
    ///
    /// Scores lag days to weeks behind disclosure. `warn` lets them pass, with a warning.
    #[arg(long, value_name = "WHAT", default_value = "warn", value_parser = unrated)]
    unrated: Unrated,

    /// Fail only on vulnerabilities with a fix
    #[arg(long, value_parser = BoolishValueParser::new())]
    only_fixed: bool,

    /// Fail on vulnerabilities that are known to be exploited (CISA KEV)
    #[arg(long, value_parser = BoolishValueParser::new())]
    fail_on_kev: bool,

    /// Fail above this probability of exploitation within 30 days (EPSS): 0 to 1
    #[arg(long, value_name = "PROBABILITY", value_parser = probability)]
    epss_above: Option<f64>,

    /// What to do if something cannot be evaluated [default: fail if it could not be read, else warn]
    ///
    /// What could not be read or understood, or is over a limit, may hide anything: with any gate
    /// or policy, the image fails. What is only without data is a warning: no advisories, an
    /// unknown version, an ended release. This option sets both.
    #[arg(long, value_name = "WHAT")]
    on_uncovered: Option<WhenUncovered>,

    /// Exceptions: a YAML file with entries of id, package, purl, path, reason, expires; may be repeated
    ///
    /// For secrets the entries are of secret (the rule), path, fingerprint, reason, expires.
    /// A plain list of ids is read as well, and so are lists of Sysdig's vulnerability exceptions and
    /// whitelists of policies: they apply to the gate and to policies. Exceptions that expired or
    /// match nothing are reported.
    #[arg(long, value_name = "FILE")]
    ignore: Vec<PathBuf>,

    /// VEX documents: suppress findings marked not_affected or fixed; may be repeated
    ///
    /// OpenVEX, CSAF or CycloneDX, in JSON.
    #[arg(long, value_name = "FILE")]
    vex: Vec<PathBuf>,

    /// Fail only on findings not in this earlier document of the image
    #[arg(long, value_name = "DOCUMENT")]
    baseline: Option<PathBuf>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum WhenUncovered {
    /// Print a warning
    Warn,
    /// The image fails
    Fail,
    /// Only show it in the report
    Ignore,
}

/// The names of severities, so that shells can complete them; in any case.
fn severity() -> impl TypedValueParser<Value = Severity> {
    #[derive(Clone)]
    struct AnyCase(PossibleValuesParser);

    impl TypedValueParser for AnyCase {
        type Value = Severity;

        fn parse_ref(
            &self,
            command: &clap::Command,
            arg: Option<&clap::Arg>,
            value: &OsStr,
        ) -> std::result::Result<Severity, clap::Error> {
            let value = value.to_ascii_lowercase();
            let name = self.0.parse_ref(command, arg, &value)?;
            Ok(name.parse().expect("one of the names of severities"))
        }

        fn possible_values(&self) -> Option<Box<dyn Iterator<Item = PossibleValue> + '_>> {
            self.0.possible_values()
        }
    }
    AnyCase(PossibleValuesParser::new(Severity::ALL.map(Severity::name)))
}

/// How bad a secret has to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum SecretSeverity {
    /// Also what is published, in documentation or in tests
    Low,
    /// Known by the words around it
    Medium,
    /// The credential of one service
    High,
    /// A whole account or a private key
    Critical,
}

impl From<SecretSeverity> for Severity {
    fn from(severity: SecretSeverity) -> Severity {
        match severity {
            SecretSeverity::Low => Severity::Low,
            SecretSeverity::Medium => Severity::Medium,
            SecretSeverity::High => Severity::High,
            SecretSeverity::Critical => Severity::Critical,
        }
    }
}

fn unrated(text: &str) -> Result<Unrated, String> {
    match text {
        "pass" => Ok(Unrated::Pass),
        "warn" => Ok(Unrated::Warn),
        "fail" => Ok(Unrated::Fail),
        severity => match severity.parse() {
            Ok(Severity::Unknown) | Err(_) => {
                Err("expected pass, warn, fail, or a severity from negligible to critical"
                    .to_owned())
            }
            Ok(severity) => Ok(Unrated::As(severity)),
        },
    }
}

fn probability(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(number) if (0.0..=1.0).contains(&number) => Ok(number),
        _ => Err("expected a probability between 0 and 1".to_owned()),
    }
}

/// What the arguments mean: every named file is read.
pub(super) struct Judging {
    options: JudgeOptions,
    /// With its path, as it is named in reports.
    database: Option<(Database, String)>,
    pub(super) show_suppressed: bool,
}

impl JudgeArgs {
    /// The database, before it is opened. `registry` has nobody's login: the image's own is not
    /// for whoever has databases.
    pub(super) fn bring_up_to_date(
        &self,
        net: &NetOptions,
        registry: &RegistryOptions,
        session: &Session,
    ) -> Result<()> {
        self.data.bring_up_to_date(net, registry, session)
    }

    pub(super) fn resolve(self) -> Result<Judging> {
        let JudgeArgs { data, scope, gate } = self;
        let baseline =
            gate.baseline.as_deref().map(Document::read).transpose()?.map(|read| read.section);
        let exceptions = gate.ignore.iter().map(|path| exceptions(path));
        let options = Options {
            today: today()?,
            exceptions: exceptions.collect::<Result<_>>()?,
            vex: gate.vex.iter().map(|path| vex_document(path)).collect::<Result<_>>()?,
            severity: scope.severity,
            only_fixable: scope.hide_unfixed,
            keep_owned: scope.keep_owned,
            lockfiles: scope.lockfiles,
            unimportant: scope.unimportant,
            without_cpe: scope.no_cpe,
            informational: scope.informational,
            gate: Gate {
                fail_on: gate.fail_on,
                fail_on_secrets: gate.fail_on_secrets.map(Severity::from),
                unrated: gate.unrated,
                only_fixed: gate.only_fixed,
                fail_on_kev: gate.fail_on_kev,
                epss_above: gate.epss_above,
                on_uncovered: match gate.on_uncovered {
                    None => OnUncovered::FailIfHidden,
                    Some(WhenUncovered::Warn) => OnUncovered::Warn,
                    Some(WhenUncovered::Fail) => OnUncovered::Fail,
                    Some(WhenUncovered::Ignore) => OnUncovered::Ignore,
                },
                policies: false,
                // The day is all that is known of the data's age.
                max_database_age_days: data
                    .db_max_age
                    .map(|age| age.limit.as_secs().div_ceil(24 * 3600)),
                on_old_database: match data.db_max_age.map(|age| age.then) {
                    Some(Then::Warn) => OnOldDatabase::Warn,
                    Some(Then::Fail) | None => OnOldDatabase::Fail,
                },
                baseline: gate.baseline.map(|path| path.display().to_string()),
            },
        };
        let database = data.open()?;
        if database.is_none() && options.gate.needs_database() {
            return Err(Failure::of(JudgeError::NoDatabase));
        }
        let options = JudgeOptions { evaluate: options, baseline, list_vulnerable: false };
        Ok(Judging { options, database, show_suppressed: scope.show_suppressed })
    }
}

/// With `SOURCE_DATE_EPOCH` set, that day: then the evaluation can be repeated.
fn today() -> Result<jiff::civil::Date> {
    let now = Environment::get().now()?;
    Ok(now.to_zoned(TimeZone::UTC).date())
}

fn exceptions(path: &Path) -> Result<Exceptions> {
    let text = settings::text(path, "file of exceptions")?;
    Exceptions::parse(&path.display().to_string(), &text).map_err(|error| {
        Failure::usage(anyhow::anyhow!("file of exceptions `{}`: {error}", path.display())).hint(
            "an entry is `- {id: CVE-2024-1234, package: openssl, reason: …, expires: 2026-12-31}` \
             below `ignore:`",
        )
    })
}

/// A vendor's CSAF documents have some MiB.
const MAX_VEX: u64 = 64 << 20;

fn vex_document(path: &Path) -> Result<vex::Document> {
    let failed = |error: anyhow::Error| {
        Failure::usage(
            error.context(format!("could not read the VEX document `{}`", path.display())),
        )
    };
    let mut bytes = Vec::new();
    let read = fs::File::open(path).and_then(|file| file.take(MAX_VEX + 1).read_to_end(&mut bytes));
    read.map_err(|error| failed(error.into()))?;
    if bytes.len() as u64 > MAX_VEX {
        return Err(failed(anyhow::anyhow!("larger than {MAX_VEX} bytes")));
    }
    vex::read(&path.display().to_string(), &bytes).map_err(|error| failed(error.into()))
}

/// A document in a file, or on standard input as `-`; also one in an analysis archive.
pub(super) struct Document {
    path: PathBuf,
    pub(super) section: Section,
    /// The whole of it.
    text: Vec<u8>,
}

/// What the command line says that an image is called.
pub(super) struct Named {
    pub(super) tag: Option<String>,
    pub(super) digest: Option<Digest>,
    pub(super) id: Option<Digest>,
}

impl Document {
    pub(super) fn read(path: &Path) -> Result<Document> {
        let bytes = if path == Path::new("-") {
            let mut bytes = Vec::new();
            io::stdin().lock().read_to_end(&mut bytes).map(|_| bytes)
        } else {
            fs::read(path)
        };
        let bytes = bytes.map_err(|error| no_document(error, path))?;
        let path = path.to_owned();
        if archive::is_archive(&bytes) {
            let archive = archive::read(&*bytes).map_err(|error| no_document(error, &path))?;
            let section = archive.section().map_err(|error| no_document(error, &path))?;
            return Ok(Document { path, section, text: archive.document });
        }
        let text = packing::unpacked(bytes).map_err(|error| no_document(error, &path))?;
        let section = document::read(&text).map_err(|error| no_document(error, &path))?;
        Ok(Document { path, section, text })
    }

    /// What policies are asked of. What was said of the image stands above what is written.
    pub(super) fn asked<'a>(
        &'a self,
        policies: &'a Policies,
        said: &Named,
    ) -> Result<PolicyRequest<'a>> {
        let written = &self.section.image;
        let facts = DocumentFacts::of_document(&self.text, &self.section)
            .map_err(|error| no_document(error, &self.path))?;
        let digest = said.digest.as_ref().map(ToString::to_string);
        let image = policy::Image {
            tag: said.tag.clone().unwrap_or_else(|| written.reference.clone()),
            digest: digest.unwrap_or_else(|| written.digest.clone()),
            id: said.id.as_ref().map_or_else(|| written.id.clone(), Digest::hex),
        };
        Ok(PolicyRequest { policies, facts, image })
    }
}

pub(super) fn no_document(error: impl Into<anyhow::Error>, path: &Path) -> Failure {
    let message = format!("could not read the document `{}`", path.display());
    Failure::usage(error.into().context(message))
        .hint("a document is what `inscan analyze IMAGE` writes, an analysis archive, or an SBOM in JSON; `-` is standard input")
}

impl Judging {
    /// Lists what is vulnerable also where no rule asks for it.
    pub(super) fn listing(mut self) -> Judging {
        self.options.list_vulnerable = true;
        self
    }

    /// Whether an image can fail by what is found or hidden.
    pub(super) fn has_gate(&self) -> bool {
        self.options.evaluate.gate.is_set()
    }

    /// Whether an image can fail by its secrets.
    pub(super) fn judges_secrets(&self) -> bool {
        self.options.evaluate.gate.fail_on_secrets.is_some()
    }

    /// Whether anything can be said of vulnerabilities.
    pub(super) fn has_database(&self) -> bool {
        self.database.is_some()
    }

    fn data(&self) -> Option<Data<'_>> {
        self.database.as_ref().map(|(database, source)| Data { database, source })
    }

    /// The verdict of the gate, and of policies where they are asked. What should be known beside
    /// it is said on stderr.
    pub(super) fn judge<'a>(
        &'a self,
        section: &Section,
        policies: Option<PolicyRequest<'a>>,
        session: &Session,
    ) -> Result<Judgement> {
        let judgement = self.judgement(section, policies).map_err(Failure::of)?;
        judgement.warnings.iter().for_each(|warning| session.warn(warning));
        Ok(judgement)
    }

    /// The same, and nothing is said.
    pub(super) fn judgement<'a>(
        &'a self,
        section: &Section,
        policies: Option<PolicyRequest<'a>>,
    ) -> Result<Judgement, JudgeError> {
        inscan_judge::judge(section, self.data(), policies, &self.options)
    }

    /// What policies are asked of, with what the database knows of the image.
    pub(super) fn with_data<'a>(
        &'a self,
        policies: PolicyRequest<'a>,
        section: &Section,
    ) -> Result<PolicyRequest<'a>> {
        policies.with_data(section, self.data(), &self.options).map_err(Failure::of)
    }

    /// Everything is judged, so that exceptions and the gate are told of; nothing is left out.
    pub(super) fn explain(
        &self,
        section: &Section,
        id: &str,
        package: Option<&str>,
    ) -> Result<(Evaluation, Explanation)> {
        let Some(data) = self.data() else { return Err(Failure::of(JudgeError::NoDatabase)) };
        let asked = self.options.evaluate.clone();
        let options = Options { severity: Severity::Unknown, only_fixable: false, ..asked };
        let baseline = self.options.baseline.as_ref();
        let evaluation = evaluate::evaluate(section, Some(data), &options, baseline);
        let explanation = evaluate::explain(section, data, &options, id, package);
        let failed = |error| Failure::of(JudgeError::Database(error));
        Ok((evaluation.map_err(failed)?, explanation.map_err(failed)?))
    }
}

/// After everything is written: a verdict against the image, of the gate or of the policies, is
/// exit code 1.
pub(super) fn concluded(judgement: &Judgement) -> Result<()> {
    let objections = judgement.objections();
    match objections.is_empty() {
        true => Ok(()),
        false => Err(Failure::fail(anyhow::anyhow!("{}", objections.join("; ")))),
    }
}
