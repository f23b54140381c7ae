//! Who judges the image: the backend, or we ourselves.

use serde_json::Value;

use super::here::Here;
use super::log::Log;
use super::options::Options;
use super::remote::Remote;
use super::scan::Stopped;
use crate::cli::Session;
use crate::output::legacy::wording::Wording;
use inscan_document::Identity;
use inscan_image::Scan;
use inscan_net::NetOptions;

/// What was said of an image.
pub(super) struct Response {
    /// In the form of a backend's answer to `check`.
    pub report: Value,
    /// In the form of its answer to `vuln/all`, where it came along.
    pub vulnerabilities: Option<Value>,
    /// The judge was not asked: there is malware in the image.
    pub is_final: bool,
}

impl Response {
    pub(super) fn of_judge(report: Value) -> Response {
        Response { report, vulnerabilities: None, is_final: false }
    }
}

pub(super) enum Judge {
    Remote(Box<Remote>),
    Here(Box<Here>),
}

impl Judge {
    pub(super) fn new(
        options: &Options,
        net: &NetOptions,
        session: &Session,
    ) -> Result<Judge, Stopped> {
        match &options.backend {
            Some(backend) => Ok(Judge::Remote(Box::new(Remote::new(backend, net)?))),
            None => Ok(Judge::Here(Box::new(Here::new(options, session)?))),
        }
    }

    pub(super) fn is_ready(&self) -> Result<(), Stopped> {
        match self {
            Judge::Remote(remote) => remote.is_ready(),
            Judge::Here(_) => Ok(()),
        }
    }

    /// What it said of the image before.
    pub(super) fn known(&self, identity: &Identity) -> Result<Option<Response>, Stopped> {
        match self {
            Judge::Remote(remote) => remote.known(identity),
            Judge::Here(_) => Ok(None),
        }
    }

    pub(super) fn answer(
        &self,
        scan: &Scan,
        annotations: &[(String, String)],
        wording: Wording,
        log: &Log,
    ) -> Result<Response, Stopped> {
        match self {
            Judge::Remote(remote) => {
                let (analysis, identity) = (scan.analysis(), scan.identity());
                remote.answer(analysis, identity, annotations, wording, log)
            }
            Judge::Here(here) => here.answer(scan, log),
        }
    }

    pub(super) fn vulnerabilities(&self, identity: &Identity) -> Result<Option<Value>, String> {
        match self {
            Judge::Remote(remote) => remote.vulnerabilities(identity),
            // Where there is a database, they came along with the answer.
            Judge::Here(_) => Err("there is no vulnerability database, so nothing is known of \
                                   them (`inscan db --help` tells how to get one)"
                .into()),
        }
    }

    pub(super) fn backend(&self) -> Option<&Remote> {
        match self {
            Judge::Remote(remote) => Some(remote),
            Judge::Here(_) => None,
        }
    }
}
