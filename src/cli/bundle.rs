//! Judging by policies: the options that name a bundle, as typed and as meant,
//! and how its verdict becomes an exit code.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use clap::builder::BoolishValueParser;
use jiff::Timestamp;

use super::judging::no_database;
use super::{Failure, Result, Session, settings};
use inscan_judge::builtin;
use inscan_judge::facts::Facts;
use inscan_judge::{self as policy, Action, Bundle, Evaluation, Image, Mode, Problem};
use inscan_report::report::Format;

/// Above the options about policies.
pub(super) const POLICY: &str = "Policy: what else fails (exit code 1)";

#[derive(Debug, clap::Args)]
#[command(next_help_heading = POLICY)]
pub(super) struct PolicyArgs {
    /// Judge also by this bundle of policies: a built-in name, a file of JSON or YAML, or `-`
    ///
    /// `inscan policy list` shows the names; a file of such a name is `./NAME`, and `-` is standard
    /// input. A file has the form of Anchore Engine's and Sysdig's bundles. Its mappings say which policies
    /// are asked of which image; a match of a rule with the action STOP fails.
    #[arg(long, value_name = "BUNDLE")]
    policy: Option<PathBuf>,

    /// Ask this policy of the bundle, instead of those that its mappings choose
    #[arg(long, value_name = "ID", requires = "policy")]
    policy_id: Option<String>,

    /// Take no bundle with a fault anywhere, also where this image does not need that part
    #[arg(long, value_parser = BoolishValueParser::new(), requires = "policy")]
    policy_strict: bool,

    /// List every match of every rule in the table, and not only the first few of each
    #[arg(long, value_parser = BoolishValueParser::new(), requires = "policy")]
    policy_all: bool,
}

/// A bundle that was read.
pub(super) struct Policies {
    bundle: Bundle,
    /// As it is named in messages.
    source: String,
    only: Option<String>,
    when: Timestamp,
    /// Whether all that rules found is listed.
    pub(super) every_match: bool,
}

impl PolicyArgs {
    /// Whether standard input is taken by the bundle.
    pub(super) fn reads_stdin(&self) -> bool {
        self.policy.as_deref() == Some(Path::new("-"))
    }

    /// `formats` are those that are to be written: some tell of policies only.
    pub(super) fn meant(
        self,
        formats: impl IntoIterator<Item = Format>,
        session: &Session,
    ) -> Result<Option<Policies>> {
        let Some(path) = self.policy else {
            return match formats.into_iter().find(|format| format.needs_policy()) {
                None => Ok(None),
                Some(format) => {
                    let name = format!("{format:?}").to_lowercase();
                    let error = anyhow::anyhow!("`-o {name}` tells what policies say");
                    Err(Failure::usage(error).hint("`--policy BUNDLE` names a bundle of them"))
                }
            };
        };
        let (text, source) = bundle_text(&path)?;
        let mode = if self.policy_strict { Mode::Strict } else { Mode::Tolerant };
        let bundle = Bundle::read(&text, mode).map_err(|problems| refused(&source, &problems))?;
        for warning in &bundle.warnings {
            session.warn(&format!("bundle `{source}`: {warning}"));
        }
        if let Some(id) = &self.policy_id {
            let known = || bundle.policies.iter().map(|policy| policy.id.as_str());
            if !known().any(|known| known == id) {
                let known: Vec<_> = known().collect();
                let error = anyhow::anyhow!("the bundle `{source}` has no policy `{id}`");
                return Err(Failure::usage(error).hint(format!("it has {}", known.join(", "))));
            }
        }
        let when = settings::source_date()?.unwrap_or_else(Timestamp::now);
        Ok(Some(Policies {
            bundle,
            source,
            only: self.policy_id,
            when,
            every_match: self.policy_all,
        }))
    }
}

/// What the bundle is, and how it is called in messages.
pub(super) fn bundle_text(path: &Path) -> Result<(Vec<u8>, String)> {
    if let Some(builtin) = path.to_str().and_then(builtin::named) {
        return Ok((builtin.text().into_owned().into_bytes(), builtin.name.to_owned()));
    }
    let mut bytes = Vec::new();
    let (read, source) = match path == Path::new("-") {
        true => {
            let read = io::stdin().lock().take(MAX_BUNDLE + 1).read_to_end(&mut bytes);
            (read, "standard input".to_owned())
        }
        false => {
            let file = File::open(path);
            let read = file.and_then(|file| file.take(MAX_BUNDLE + 1).read_to_end(&mut bytes));
            (read, path.display().to_string())
        }
    };
    match read {
        Ok(_) => Ok((bytes, source)),
        Err(error) => {
            let error = anyhow::Error::from(error);
            Err(Failure::usage(error.context(format!("could not read the bundle `{source}`")))
                .hint(
                    "a bundle is a name that `inscan policy list` shows, what `inscan policy init` \
                     begins, or what `anchore-cli policy get ID --detail` writes",
                ))
        }
    }
}

/// What is read of a file that may have no end; the library's own limit says the rest.
const MAX_BUNDLE: u64 = 64 << 20;

/// Most lines of one error.
const MAX_PROBLEMS: usize = 50;

fn refused(source: &str, problems: &[Problem]) -> Failure {
    let mut lines: Vec<_> = problems.iter().take(MAX_PROBLEMS).map(ToString::to_string).collect();
    if problems.len() > MAX_PROBLEMS {
        lines.push(format!("… and {} more", problems.len() - MAX_PROBLEMS));
    }
    Failure::usage(anyhow::anyhow!("the bundle `{source}` cannot be used")).details(lines)
}

impl Policies {
    /// Whether any rule is about this gate.
    pub(super) fn ask(&self, gate: &str) -> bool {
        let rules = self.bundle.policies.iter().flat_map(|policy| &policy.rules);
        rules.filter_map(|rule| rule.compiled.as_ref()).any(|rule| rule.gate.name == gate)
    }

    /// Rule by rule, what they say of an image and why.
    pub(super) fn explain(
        &self,
        facts: &Facts<'_>,
        image: &Image,
    ) -> (&Bundle, policy::Explanation<'_>) {
        let only = self.only.as_deref();
        (&self.bundle, policy::explain(&self.bundle, facts, image, self.when, only))
    }

    /// The moment that they hold for.
    pub(super) fn when(&self) -> Timestamp {
        self.when
    }

    /// Says on stderr what is wrong with the policies, and which exceptions should be looked at.
    pub(super) fn judge(
        &self,
        facts: &Facts<'_>,
        image: &Image,
        session: &Session,
    ) -> Result<Evaluation> {
        let only = self.only.as_deref();
        if facts.vulnerabilities().is_none()
            && policy::asks(&self.bundle, image, only, "vulnerabilities")
        {
            return Err(no_database());
        }
        let evaluation = policy::evaluate(&self.bundle, facts, image, self.when, only)
            .map_err(|problems| refused(&self.source, &problems))?;
        if evaluation.policies.is_empty() && evaluation.reason == policy::Reason::Policy {
            session.warn(&format!(
                "bundle `{}`: no mapping is for this image, so that no rule was asked of it \
                 (`inscan policy explain` tells why not)",
                self.source
            ));
        }
        for lapse in &evaluation.lapses {
            session.warn(&format!("bundle `{}`: {}", self.source, lapse.message()));
        }
        Ok(evaluation)
    }
}

/// Why an image fails by its policies, if it does.
pub(super) fn objection(evaluation: &Evaluation) -> Option<String> {
    if evaluation.passes() {
        return None;
    }
    let stops = evaluation.count(Action::Stop);
    let faults = evaluation.faults.iter().filter(|fault| fault.kind.stops()).count();
    Some(match evaluation.reason {
        policy::Reason::Blacklisted => "the bundle lists the image as one that fails".to_owned(),
        _ if faults > 0 => format!("the policies have {faults} faults"),
        _ if stops == 1 => "the policies stop it by 1 match".to_owned(),
        _ => format!("the policies stop it by {stops} matches"),
    })
}
