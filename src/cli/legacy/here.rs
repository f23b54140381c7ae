//! Judged here, by a bundle of policies and the local database, with the answers that a backend
//! would give.

use std::path::Path;
use std::time::{Duration, SystemTime};

use jiff::Timestamp;

use super::judge::Answer;
use super::log::Log;
use super::options::Options;
use super::request::{own_settings, said};
use super::scan::Stopped;
use crate::cli::bundle::bundle_text;
use crate::cli::judging::Judging;
use crate::cli::{Session, settings};
use inscan_document::{Identity, Run};
use inscan_image::analyze::Analysis;
use inscan_image::document::Outputs;
use inscan_judge::facts::Facts;
use inscan_judge::vulnerable::listing::Which;
use inscan_judge::{self as policy, Bundle, Image, Mode, Problem, builtin};
use inscan_report::anchore;

/// What the legacy backend asks of images until somebody says otherwise.
const DEFAULT_BUNDLE: &str = "sysdig-default";

pub(super) struct Here {
    bundle: Bundle,
    judging: Judging,
    when: Timestamp,
}

impl Here {
    pub(super) fn new(options: &Options, session: &Session) -> Result<Here, Stopped> {
        let bundle = bundle(options.policy.as_deref())?;
        let args = own_settings(options)?;
        let (net, registry) = args.image.network().map_err(said)?;
        args.judge.bring_up_to_date(&net, &registry, session).map_err(said)?;
        let judging = args.judge.meant().map_err(said)?;
        let when = settings::source_date().map_err(said)?.unwrap_or_else(Timestamp::now);
        Ok(Here { bundle, judging, when })
    }

    pub(super) fn answer(
        &self,
        analysis: &Analysis<'_>,
        identity: &Identity,
        log: &Log,
    ) -> Result<Answer, Stopped> {
        let name = self.bundle.name.as_deref().unwrap_or(&self.bundle.id);
        log.say(&format!("Judging analysis result here, by the policy bundle `{name}`"));
        // Nothing of the run is in what is judged.
        let run = Run::new(SystemTime::now(), Duration::ZERO, 1, None);
        let section = inscan_image::document::section(analysis, identity, &run)
            .map_err(|error| Stopped(format!("Cannot judge the image: {error}")))?;
        let vulnerable = self.judging.listed(&section, self.when).map_err(said)?;
        let facts = Facts::of_analysis(Outputs::of(analysis, identity));
        let facts = self.judging.facts(facts, vulnerable.as_ref());
        let image = Image {
            tag: identity.full_tag.clone(),
            digest: identity.image_digest.clone(),
            id: identity.image_id.clone(),
        };
        let evaluation = policy::evaluate(&self.bundle, &facts, &image, self.when, None)
            .map_err(|problems| self.unanswered(name, &problems))?;
        let listing = |it: &policy::vulnerable::Vulnerable| {
            it.listing(Which::All, &identity.image_digest, true)
        };
        Ok(Answer {
            report: anchore::response(&evaluation),
            vulnerabilities: vulnerable.as_ref().map(listing),
            is_final: false,
        })
    }
}

impl Here {
    /// Where rules ask for vulnerabilities and there is no database, this is all there is to say.
    fn unanswered(&self, bundle: &str, problems: &[Problem]) -> Stopped {
        let rules = self.bundle.policies.iter().flat_map(|policy| &policy.rules);
        let gates = rules.filter_map(|rule| rule.compiled.as_ref()).map(|rule| rule.gate.name);
        if !self.judging.has_database() && gates.into_iter().any(|gate| gate == "vulnerabilities") {
            return Stopped(format!(
                "Cannot judge the image by the policy bundle `{bundle}`: it asks for vulnerabilities, \
                 and there is no vulnerability database (`inscan db --help` tells how to get one)"
            ));
        }
        refused(bundle, problems)
    }
}

/// A file, or one that is built in; without a name, the legacy backend's own.
fn bundle(named: Option<&Path>) -> Result<Bundle, Stopped> {
    let name = named.unwrap_or(Path::new(DEFAULT_BUNDLE));
    if let Some(builtin) = name.to_str().and_then(builtin::named)
        && !name.exists()
    {
        return Ok(builtin.bundle());
    }
    let shown = name.display().to_string();
    let (text, _) = bundle_text(name).map_err(said)?;
    Bundle::read(&text, Mode::Tolerant).map_err(|problems| refused(&shown, &problems))
}

/// Most lines of one error.
const MOST_PROBLEMS: usize = 20;

fn refused(bundle: &str, problems: &[Problem]) -> Stopped {
    let mut message = format!("Cannot judge the image by the policy bundle `{bundle}`:");
    for problem in problems.iter().take(MOST_PROBLEMS) {
        message.push_str(&format!("\n{problem}"));
    }
    if problems.len() > MOST_PROBLEMS {
        message.push_str(&format!("\n… and {} more", problems.len() - MOST_PROBLEMS));
    }
    Stopped(message)
}
