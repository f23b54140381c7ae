//! Judged by the backend, as the legacy scanner has it.

use std::cell::Cell;
use std::fs::File;
use std::path::Path;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use jiff::Timestamp;
use serde_json::Value;

use super::judge::Response;
use super::log::{self, Log};
use super::options;
use super::scan::Stopped;
use crate::backend::{self, Backend, Credentials, Imported, Kind, Limits, Reason, Waiting};
use crate::output::legacy::wording::{Wording, pdf_name};
use inscan_document::Identity;
use inscan_image::analyze::Analysis;
use inscan_image::document::archive;
use inscan_net::NetOptions;

pub(super) struct Remote {
    backend: Backend,
    /// What stands before the paths of the API, for people.
    api: String,
    on_prem: bool,
    clean: bool,
}

impl Remote {
    pub(super) fn new(said: &options::Backend, net: &NetOptions) -> Result<Remote, Stopped> {
        let net = NetOptions { insecure_tls: net.insecure_tls || said.skip_tls, ..net.clone() };
        let credentials = Credentials::Token(said.token.clone());
        let api = format!("{}/api/scanning/v1", said.api);
        let backend = Backend::new(Kind::Sysdig, &said.api, &credentials, &net, Limits::default());
        let backend = backend.map_err(|error| Stopped(error.to_string()))?;
        Ok(Remote { backend, api, on_prem: said.on_prem, clean: said.clean })
    }

    /// Whether it is there, and knows the token.
    pub(super) fn is_ready(&self) -> Result<(), Stopped> {
        let Err(error) = self.backend.status() else { return Ok(()) };
        let what = match error.reason {
            Reason::Unauthorized => "Invalid token for specific Sysdig secure endpoint",
            _ => "Unable to use the Sysdig secure endpoint",
        };
        Err(Stopped(format!("{what} ({}).\n{error}", self.api)))
    }

    pub(super) fn known(&self, identity: &Identity) -> Result<Option<Response>, Stopped> {
        let check = self.backend.check(&identity.image_digest, &identity.full_tag);
        let check = check.map_err(|error| no_result(&error))?;
        Ok(check.map(|check| Response::of_judge(check.raw)))
    }

    /// Sends the archive, and waits for what is said of it.
    pub(super) fn answer(
        &self,
        analysis: &Analysis<'_>,
        identity: &Identity,
        annotations: &[(String, String)],
        wording: Wording,
        log: &Log,
    ) -> Result<Response, Stopped> {
        let account = self.backend.account().map_err(|error| {
            Stopped(format!("Unable to fetch account information for specified user\n{error}"))
        })?;
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
        let archived = archive::Options {
            account: account.name,
            annotations: annotations.iter().cloned().collect(),
            now,
            ..archive::Options::default()
        };
        let file = write(analysis, identity, &archived)
            .map_err(|error| Stopped(format!("Cannot write image analysis archive.\n{error}")))?;
        log.say_all(&wording.sending(&self.api));
        self.send(&file, identity, wording, log)?;
        let mut begun = Instant::now();
        let check = self.backend.wait(&identity.image_digest, &identity.full_tag, &mut |waiting| {
            log.took("Get scan result", begun);
            match waiting {
                Waiting::NotYet => log.say("."),
                Waiting::Failed(_) => log.say("x"),
            }
            begun = Instant::now();
        });
        let check = check.map_err(|error| no_result(&error))?;
        log.took("Get scan result", begun);
        Ok(Response::of_judge(check.raw))
    }

    fn send(
        &self,
        file: &File,
        identity: &Identity,
        wording: Wording,
        log: &Log,
    ) -> Result<(), Stopped> {
        let names = backend::ImageNames {
            digest: identity.image_digest.clone(),
            id: identity.image_id.clone(),
            full_tag: identity.full_tag.clone(),
        };
        let begun = Cell::new(Instant::now());
        let told = |said: &str| {
            // It tells of repetitions as well.
            if said.contains("asynchronous") {
                log.took("Post analysis - sync", begun.replace(Instant::now()));
                log.say(wording.sending_asynchronously());
            } else {
                log.say(&format!("  {said}"));
            }
        };
        let imported = self.backend.import(file, &names, &told);
        let imported = imported.map_err(|error| {
            Stopped(format!(
                "Unable to POST image metadata to {}/sync/import/images\n{error}",
                self.api
            ))
        })?;
        let stage = match imported {
            Imported::Asynchronously => "Post analysis - async",
            Imported::Synchronously | Imported::AlreadyThere => "Post analysis - sync",
        };
        log.took(stage, begun.get());
        if imported == Imported::AlreadyThere {
            // Known under another name, then: its verdict is wanted under this one.
            self.backend
                .add_alias(&identity.image_digest, &identity.full_tag)
                .map_err(|error| Stopped(format!("Unable to add the tag to the image\n{error}")))?;
        }
        Ok(())
    }

    /// `None`: a backend that has no such call.
    pub(super) fn vulnerabilities(&self, identity: &Identity) -> Result<Option<Value>, String> {
        match self.backend.vulnerabilities(&identity.image_digest) {
            Ok(vulnerabilities) => Ok(Some(vulnerabilities)),
            Err(error) if error.reason == Reason::Status(404) => Ok(None),
            Err(error) => Err(error.to_string()),
        }
    }

    pub(super) fn keep_pdf(&self, identity: &Identity, folder: &Path) -> Result<(), String> {
        let pdf = self.backend.pdf(&identity.image_digest, &identity.full_tag);
        let pdf = pdf.map_err(|error| error.to_string())?;
        let day = Timestamp::now().strftime("%Y-%m-%d").to_string();
        log::keep(folder, &pdf_name(&day, &identity.full_tag), &pdf)
            .map(drop)
            .map_err(|error| format!("{}: {error}", folder.display()))
    }

    /// Where people see the result; of an image that is removed, nowhere.
    pub(super) fn page(&self, identity: &Identity) -> Option<String> {
        if self.clean {
            return None;
        }
        self.backend.page(&identity.image_digest, &identity.full_tag, self.on_prem)
    }

    /// Whether an image that does not pass is removed.
    pub(super) fn cleans(&self) -> bool {
        self.clean
    }

    pub(super) fn clean(&self, identity: &Identity) -> Result<(), String> {
        self.backend.delete(&identity.image_digest).map(drop).map_err(|error| error.to_string())
    }
}

fn no_result(error: &backend::Error) -> Stopped {
    Stopped(format!("Unable to fetch scan result\n{error}"))
}

fn write(
    analysis: &Analysis<'_>,
    identity: &Identity,
    options: &archive::Options,
) -> Result<File, archive::Error> {
    let mut file = tempfile::tempfile()?;
    archive::write_analysis(analysis, identity, options, &mut file)?;
    Ok(file)
}
