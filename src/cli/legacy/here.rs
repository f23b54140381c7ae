//! Judged here, by a bundle of policies and the local database, with the answers that a backend
//! would give.

use std::path::Path;

use inscan_document::Run;
use inscan_image::Scan;
use inscan_judge::vulnerable::VulnerabilityList;
use inscan_judge::vulnerable::listing::Which;
use inscan_judge::{Bundle, JudgeError, Mode, Policies, Problem};
use inscan_report::anchore;

use super::judge::Response;
use super::log::Log;
use super::options::Options;
use super::request::{own_settings, said};
use super::scan::Stopped;
use crate::cli::Session;
use crate::cli::bundle::BundleFile;
use crate::cli::environment::Environment;
use crate::cli::judging::Judging;
use crate::cli::scan::of_scan;

/// What the legacy backend asks of images until somebody says otherwise.
const DEFAULT_BUNDLE: &str = "sysdig-default";

pub(super) struct Here {
    policies: Policies,
    judging: Judging,
}

impl Here {
    pub(super) fn new(options: &Options, session: &Session) -> Result<Here, Stopped> {
        let (bundle, source) = bundle(options.policy.as_deref())?;
        let args = own_settings(options)?;
        let (net, registry) = args.image.network().map_err(said)?;
        args.judge.bring_up_to_date(&net, &registry, session).map_err(said)?;
        let judging = args.judge.resolve().map_err(said)?.listing();
        let when = Environment::get().now().map_err(said)?;
        Ok(Here { policies: Policies { bundle, source, only: None, when }, judging })
    }

    pub(super) fn answer(&self, scan: &Scan, log: &Log) -> Result<Response, Stopped> {
        let bundle = &self.policies.bundle;
        let name = bundle.name.as_deref().unwrap_or(&bundle.id);
        log.say(&format!("Judging analysis result here, by the policy bundle `{name}`"));
        // Nothing of the run is in what is judged.
        let section = scan.section(&Run::default());
        let judgement = self
            .judging
            .judgement(&section, Some(of_scan(&self.policies, scan, &section)))
            .map_err(|error| unanswered(name, error))?;
        let Some(evaluation) = judgement.policy else {
            return Err(Stopped("Cannot judge the image: no policy was asked".to_owned()));
        };
        let digest = &scan.identity().image_digest;
        let listing = |it: &VulnerabilityList| it.listing(Which::All, digest, true);
        Ok(Response {
            report: anchore::response(&evaluation),
            vulnerabilities: judgement.vulnerable.as_deref().map(listing),
            is_final: false,
        })
    }
}

fn unanswered(bundle: &str, error: JudgeError) -> Stopped {
    match error {
        JudgeError::NoDatabase => Stopped(format!(
            "Cannot judge the image by the policy bundle `{bundle}`: it asks for vulnerabilities, \
             and there is no vulnerability database (`inscan db --help` tells how to get one)"
        )),
        JudgeError::Bundle { problems, .. } => refused(bundle, &problems),
        error => Stopped(format!("Cannot judge the image: {error}")),
    }
}

/// A file, or one that is built in; without a name, the legacy backend's own. With what it is
/// called in messages.
fn bundle(named: Option<&Path>) -> Result<(Bundle, String), Stopped> {
    let name = named.unwrap_or(Path::new(DEFAULT_BUNDLE));
    let (text, source) = BundleFile::file_or_named(name).read().map_err(said)?;
    let bundle = Bundle::read(&text, Mode::Tolerant);
    let bundle = bundle.map_err(|problems| refused(&source, &problems))?;
    Ok((bundle, source))
}

/// Most lines of one error.
const MAX_PROBLEMS: usize = 20;

fn refused(bundle: &str, problems: &[Problem]) -> Stopped {
    let mut message = format!("Cannot judge the image by the policy bundle `{bundle}`:");
    for problem in problems.iter().take(MAX_PROBLEMS) {
        message.push_str(&format!("\n{problem}"));
    }
    if problems.len() > MAX_PROBLEMS {
        message.push_str(&format!("\n… and {} more", problems.len() - MAX_PROBLEMS));
    }
    Stopped(message)
}
