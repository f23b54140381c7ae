//! The legacy scanner's way through a scan: look at the image, ask whether it is known, analyze
//! it, have it judged, report.

use std::path::Path;
use std::time::Instant;

use jiff::Timestamp;
use serde_json::Value;

use super::image_name;
use super::judge::{Judge, Response};
use super::log::{self, Log};
use super::options::{Options, Storage};
use super::request;
use crate::cli::Failure;
use crate::cli::Session;
use crate::output::legacy::checked::Checked;
use crate::output::legacy::malware::{self, Finding};
use crate::output::legacy::wording::{ImageNames, Wording};
use inscan_document::{Identity, Overrides};
use inscan_facts::digest::Sha256;
use inscan_image::analyze::Malware;
use inscan_image::progress::Silent;
use inscan_image::source::{Image, Opened};
use inscan_image::{Request, Scan as ImageScan};
use inscan_python_regex::text::Pattern;
use inscan_report::text;

/// Why there is no verdict.
#[derive(Debug)]
pub(super) struct Stopped(pub String);

impl From<String> for Stopped {
    fn from(message: String) -> Self {
        Stopped(message)
    }
}

/// An image and what was said of it.
pub(super) struct ImageVerdict {
    pub full_tag: String,
    pub digest: String,
    pub status: String,
    pub passes: bool,
    pub report: Value,
    pub vulnerabilities: Option<Value>,
}

/// One run.
struct Scan<'a> {
    options: &'a Options,
    wording: Wording,
    log: &'a Log,
    judge: Judge,
    annotations: Vec<(String, String)>,
    /// What the image was called on the command line.
    said: Overrides,
    /// Paths, and directories with all below them, in which malware does not count.
    malware_exclude: Option<Pattern>,
}

/// `with_vulnerabilities`: they are asked for as well.
pub(super) fn run(
    options: &Options,
    log: &Log,
    session: &Session,
    with_vulnerabilities: bool,
) -> Result<ImageVerdict, Stopped> {
    let annotations = options.annotations.clone()?;
    if options.verbose {
        log.say(&format!("Using temporary path {}", options.temporary.display()));
    }
    let (mut request, malware_exclude) = request::request(options, session)?;
    let judge = Judge::new(options, &request.options.net, session)?;
    judge.is_ready()?;
    if request.overrides.image_digest.is_none()
        && let Some(path) = &options.manifest
    {
        request.overrides.image_digest = Some(manifest_digest(path)?);
    }
    let output = options.malware.as_ref().and_then(|malware| malware.output.as_ref());
    for folder in [options.report_folder.as_ref(), output].into_iter().flatten() {
        if !folder.is_dir() {
            return Err(Stopped(format!("Directory {} does not exist", folder.display())));
        }
    }
    if let Some(malware) = request.malware.as_ref().filter(|_| options.malware.is_some()) {
        // Known before the image is read: it is no fault of the image's.
        inscan_image::scanner(malware).map_err(|error| request::said(Failure::of(error)))?;
    }
    let said = request.overrides.clone();
    let wording = options.wording();
    let mut scan = Scan { options, wording, log, judge, annotations, said, malware_exclude };
    let (names, answer) = scan.judged(request)?;
    scan.reported(names, answer, with_vulnerabilities)
}

fn manifest_digest(path: &Path) -> Result<String, Stopped> {
    if !path.is_file() {
        return Err(Stopped(format!("Manifest {} does not exist", path.display())));
    }
    let bytes = std::fs::read(path)
        .map_err(|error| Stopped(format!("Manifest {}: {error}", path.display())))?;
    Ok(Sha256::of(&bytes).to_string())
}

impl Scan<'_> {
    /// Who the image is, and the answer about it.
    fn judged(&mut self, mut request: Request) -> Result<(Identity, Response), Stopped> {
        let (source, place) = request::source(self.options);
        self.log.say_all(&self.wording.inspecting(source, &place));
        let begun = Instant::now();
        let opened = request::open(self.options, &mut request, &Silent)
            .map_err(|error| self.no_image(&error))?;
        if let Opened::Image { image, .. } = &opened {
            let identity = self.identified(image, begun);
            // Malware is looked for also in what the backend knows.
            if self.options.malware.is_none()
                && let Some(answer) = self.known(&identity)?
            {
                return Ok((identity, answer));
            }
            self.log.say_all(&self.wording.analyzing(&identity.full_tag, self.in_place()));
            let begun = Instant::now();
            let read = self.read(&request, opened)?;
            self.log.took("Analyze image", begun);
            return self.sent(read, identity);
        }
        // Who it is shows only when all of it has passed by.
        let read = self.read(&request, opened)?;
        let identity = self.identified(read.analysis().image, begun);
        if self.options.malware.is_none()
            && let Some(answer) = self.known(&identity)?
        {
            return Ok((identity, answer));
        }
        self.log.say_all(&self.wording.analyzing(&identity.full_tag, self.in_place()));
        self.sent(read, identity)
    }

    fn read(&self, request: &Request, opened: Opened) -> Result<ImageScan, Stopped> {
        let mut read = inscan_image::read(request, opened, &Silent)
            .map_err(|error| self.no_image(&request::said(Failure::of(error))))?;
        if let Some(exclude) = &self.malware_exclude {
            read.exclude_malware(|path| is_excluded(path, exclude));
        }
        Ok(read)
    }

    fn no_image(&self, error: &str) -> Stopped {
        let image = image_name::asked_for(&self.options.image);
        Stopped(format!(
            "Failed to retrieve the image specified in script input - {image}.\n\
             Please pull remote image, or build/tag all local images before attempting analysis again.\n\
             {}",
            error.trim_end()
        ))
    }

    fn in_place(&self) -> bool {
        matches!(self.options.storage, Storage::OciDir(_))
    }

    fn identified(&self, image: &Image, begun: Instant) -> Identity {
        let mut said = self.said.clone();
        let index = image.index_digest.map(|digest| digest.to_string());
        said.image_digest = said.image_digest.or(index);
        let identity = inscan_image::document::identity(image, said);
        self.log.took("Inspect image", begun);
        let full_image = image_name::full_image(&self.options.image);
        self.log.say_all(&self.wording.names(names(&identity, &full_image)));
        identity
    }

    fn known(&self, identity: &Identity) -> Result<Option<Response>, Stopped> {
        let known = self.log.timed("Check scan status", || self.judge.known(identity))?;
        if known.is_some() {
            self.log.say(self.wording.known());
        }
        Ok(known)
    }

    /// Hands the analysis to whoever judges it; but not with malware in it.
    fn sent(
        &mut self,
        mut read: ImageScan,
        identity: Identity,
    ) -> Result<(Identity, Response), Stopped> {
        self.log.say(self.wording.analyzed());
        let malware = read.analysis().malware.as_ref();
        if let Some(answer) = self.stopped_by_malware(malware, &identity)? {
            return Ok((identity, answer));
        }
        if self.options.malware.is_some()
            && let Some(answer) = self.known(&identity)?
        {
            return Ok((identity, answer));
        }
        read.set_identity(identity.clone());
        let (annotations, wording) = (&self.annotations, self.wording);
        let answer = self.judge.answer(&read, annotations, wording, self.log)?;
        Ok((identity, answer))
    }

    fn stopped_by_malware(
        &self,
        found: Option<&Malware>,
        identity: &Identity,
    ) -> Result<Option<Response>, Stopped> {
        let (Some(said), Some(found)) = (&self.options.malware, found) else { return Ok(None) };
        // As the legacy scanner, which looks at the flattened image.
        let (visible, gone): (Vec<_>, Vec<_>) = found.findings.iter().partition(|it| it.visible);
        let findings: Vec<Finding> = visible
            .into_iter()
            .map(|it| Finding {
                path: format!("/{}", text::shown(&it.path)),
                signature: text::printable(&it.signature),
            })
            .collect();
        if let Some(folder) = &said.output {
            let json = serde_json::to_vec(&findings).unwrap_or_default();
            log::keep(folder, "malware_findings.json", &json).map_err(|error| {
                let folder = folder.display();
                Stopped(format!("Cannot write malware_findings.json into {folder}: {error}"))
            })?;
        }
        for it in gone {
            let path = text::shown(&it.path);
            self.log.say(&format!("Malware in a file that a later layer deletes: /{path}"));
        }
        if findings.is_empty() {
            self.log.say("No malware found");
            return Ok(None);
        }
        self.log.say("Malware found:");
        self.log.say_all(&malware::table(&findings));
        if !said.fail_fast {
            return Ok(None);
        }
        self.log.say("Skipping send analysis to Secure backend due to Malware scan failure.");
        self.log.say("Use --malware-fail-fast false to have the image judged all the same.");
        let identity = (&*identity.image_digest, &*identity.full_tag, &*identity.image_id);
        let when = Timestamp::now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
        let (report, vulnerabilities) = malware::answer(identity, &findings, &when);
        Ok(Some(Response { report, vulnerabilities: Some(vulnerabilities), is_final: true }))
    }

    /// Tells people, fetches what is asked for beside the verdict, cleans up.
    fn reported(
        &self,
        identity: Identity,
        answer: Response,
        with_vulnerabilities: bool,
    ) -> Result<ImageVerdict, Stopped> {
        let Options { verbose, report_folder, .. } = self.options;
        let status = Checked::read(&answer.report).and_then(Checked::status).unwrap_or("UNKNOWN");
        let passes = status == "pass";
        self.log.say_all(&self.wording.report(&answer.report, *verbose));
        if *verbose {
            self.keep_report(&answer.report);
        }
        let full_image = image_name::full_image(&self.options.image);
        let names = names(&identity, &full_image);
        // Of an image that was not sent there, the backend has nothing.
        let backend = if answer.is_final { None } else { self.judge.backend() };
        if let (Some(folder), Some(backend)) = (report_folder, backend) {
            self.log.say(&self.wording.downloading_pdf(names));
            self.log
                .timed("Get PDF report", || backend.keep_pdf(&identity, folder))
                .map_err(|error| Stopped(format!("Error downloading PDF report.\n{error}")))?;
        }
        self.log.say(&format!("Status is {status}"));
        if !passes && self.wording == Wording::First && !verbose && report_folder.is_none() {
            self.log.say_all(&self.wording.details(&answer.report));
        }
        if let Some(backend) = backend {
            if let Some(page) = backend.page(&identity) {
                self.log.say(&format!("View the full result @ {page}"));
            }
            self.log.say(self.wording.pdf_hint());
        }
        let vulnerabilities = match answer.vulnerabilities {
            Some(vulnerabilities) => Some(vulnerabilities),
            None if with_vulnerabilities => self
                .judge
                .vulnerabilities(&identity)
                .map_err(|error| Stopped(format!("Unable to fetch vulnerabilities\n{error}")))?,
            None => None,
        };
        if let Some(backend) = backend.filter(|backend| backend.cleans() && !passes) {
            self.log.say("Cleaning image from Anchore");
            let cleaned = self.log.timed("Clean image from backend", || backend.clean(&identity));
            if let Err(error) = cleaned {
                self.log.say(&format!("The image could not be removed: {error}"));
            }
        }
        Ok(ImageVerdict {
            status: status.to_owned(),
            passes,
            full_tag: identity.full_tag,
            digest: identity.image_digest,
            report: answer.report,
            vulnerabilities,
        })
    }

    fn keep_report(&self, report: &Value) {
        let bytes = serde_json::to_vec(report).unwrap_or_default();
        if let Err(error) = log::keep(&self.options.temporary, "sysdig_report.log", &bytes) {
            self.log.say(&format!("The raw report could not be kept: {error}"));
        }
    }
}

/// As ClamAV's `--exclude` and `--exclude-dir` with one expression. What cannot be decided counts.
fn is_excluded(path: &[u8], exclude: &Pattern) -> bool {
    let path = format!("/{}", String::from_utf8_lossy(path));
    let ends = path.match_indices('/').map(|(at, _)| at).filter(|&at| at > 0).chain([path.len()]);
    ends.filter_map(|end| path.get(..end)).any(|part| exclude.is_match(part).unwrap_or(false))
}

fn names<'a>(identity: &'a Identity, image: &'a str) -> ImageNames<'a> {
    ImageNames {
        image,
        full_tag: &identity.full_tag,
        digest: &identity.image_digest,
        id: &identity.image_id,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_directory_is_excluded_with_all_below_it() {
        let is_excluded = |path: &str, pattern: &str| {
            super::is_excluded(path.as_bytes(), &Pattern::new(pattern).unwrap())
        };
        assert!(is_excluded("opt/test/a", "^/opt/test$"));
        assert!(is_excluded("opt/test/a.bin", "\\.bin$"));
        assert!(is_excluded("opt/testing/a", "/opt/test"));
        assert!(!is_excluded("opt/testing/a", "^/opt/test$"));
        assert!(!is_excluded("usr/bin/a", "^/opt"));
    }
}
