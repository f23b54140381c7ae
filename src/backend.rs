//! A backend that judges images: Sysdig's, or an Anchore engine. An analysis archive is sent
//! there, and its verdict is waited for.
//!
//! What a backend says is believed only where it comes from the host that was asked, is whole,
//! and is about the image that was asked for: whatever else happens, there is no verdict.
//! Both speak Anchore's API, Sysdig's behind a prefix and with calls of its own beside it.

mod ask;
mod check;
mod error;
mod import;
mod submit;
#[cfg(test)]
mod tests;
mod wait;

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use serde::Deserialize;

use inscan_facts::percent;
use inscan_net::{HeaderValue, Http, Method, NetOptions, Secret, Url, basic};

pub use check::{Check, Row, Verdict};
pub use error::{Error, Reason};
pub use import::{ImageNames, Imported};
pub use wait::Waiting;

/// Where Sysdig's own backend takes archives, and where people look at what it says of them.
pub const SYSDIG_API: &str = "https://api.sysdigcloud.com";
pub const SYSDIG_UI: &str = "https://secure.sysdig.com";

/// Whose API it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Sysdig,
    Anchore,
}

/// Who we are to it.
pub enum Credentials {
    Token(Secret),
    Basic { user: String, password: Secret },
}

/// How long things may take.
#[derive(Clone, Debug)]
pub struct Limits {
    /// One question and its answer, all of it.
    pub step: Duration,
    /// All questions together, from [`Backend::begin`] on.
    pub total: Duration,
    /// Between two looks at whether the image is judged.
    pub poll: Duration,
    /// The same, after a look that failed.
    pub poll_after_error: Duration,
    /// So many looks.
    pub tries: u32,
}

impl Default for Limits {
    /// The looks are those of the legacy scanner: about five minutes.
    fn default() -> Self {
        Limits {
            step: Duration::from_secs(120),
            total: Duration::from_secs(3600),
            poll: Duration::from_secs(1),
            poll_after_error: Duration::from_secs(10),
            tries: 300,
        }
    }
}

/// A backend to ask. It asks nothing before it is used.
pub struct Backend {
    kind: Kind,
    base: Url,
    http: Http,
    authorization: HeaderValue,
    /// What must be in no message: tokens and passwords, in the forms they are sent in.
    secrets: Vec<String>,
    limits: Limits,
    begun: Mutex<Instant>,
}

/// What a backend says of itself.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(default)]
pub struct Status {
    pub available: Option<bool>,
    pub version: Option<String>,
    pub message: Option<String>,
}

/// Whose images they will be.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
pub struct Account {
    pub name: String,
}

/// What became of an image that is to be removed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Deleted {
    /// It is being removed, which may take a while.
    Deleting,
    /// There was none.
    NotFound,
}

impl Backend {
    /// `url` is what stands before the paths of the API: `https://secure.example`, for an engine
    /// with or without `/v1`.
    pub fn new(
        kind: Kind,
        url: &str,
        credentials: &Credentials,
        net: &NetOptions,
        limits: Limits,
    ) -> Result<Backend, Error> {
        let base = base(kind, url, net)?;
        let mut secrets = Vec::new();
        let authorization = match credentials {
            Credentials::Token(token) => {
                secrets.push(token.reveal().to_owned());
                token.bearer()
            }
            Credentials::Basic { user, password } => {
                secrets.push(password.reveal().to_owned());
                basic(user, password)
            }
        };
        let authorization = authorization.map_err(|error| Error::setup(error.to_string()))?;
        let sent = authorization.to_str().unwrap_or_default();
        secrets.extend(sent.split(' ').nth(1).map(str::to_owned));
        // Shorter ones would make holes in any text, and are in no message by chance.
        secrets.retain(|secret| secret.len() >= 4);
        let http = Http::new(net);
        let begun = Mutex::new(Instant::now());
        Ok(Backend { kind, base, http, authorization, secrets, limits, begun })
    }

    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// Its host, for people.
    pub fn place(&self) -> String {
        inscan_net::origin(&self.base)
    }

    /// Whether what is sent there is sent so that anybody between can read it.
    pub fn is_in_the_open(&self) -> bool {
        self.base.scheme() == "http" && !inscan_net::is_loopback(&self.base)
    }

    /// The limit on the whole counts from now on.
    pub fn begin(&self) {
        *self.begun.lock().unwrap_or_else(PoisonError::into_inner) = Instant::now();
    }

    /// Whether it is there, and knows us.
    pub fn status(&self) -> Result<Status, Error> {
        self.json(&self.anchore("status"), "its status")
    }

    /// The account that archives are written for.
    pub fn account(&self) -> Result<Account, Error> {
        let what = "the account";
        match self.kind {
            Kind::Anchore => self.json(&self.anchore("account"), what),
            Kind::Sysdig => match self.json(&self.sysdig("account"), what) {
                Err(error) if error.reason == Reason::Status(404) => {
                    self.json(&self.anchore("account"), what)
                }
                other => other,
            },
        }
    }

    /// What it says of an image under a name; `None`: it does not know it, or has not judged it.
    pub fn check(&self, digest: &str, full_tag: &str) -> Result<Option<Check>, Error> {
        self.patiently(|backend| backend.check_once(digest, full_tag))
    }

    /// Gives an image that it has another name. False: it has no such call.
    pub fn add_alias(&self, digest: &str, full_tag: &str) -> Result<bool, Error> {
        if self.kind == Kind::Anchore {
            return Ok(false);
        }
        let url = self.sysdig(&format!("images/{digest}/addAlias"));
        let body = serde_json::json!({ "fulltag": full_tag }).to_string();
        let put = |backend: &Backend| {
            backend.answer(backend.request(Method::PUT, &url, Some(&body)), "the new name")
        };
        match self.patiently(put) {
            Ok(_) => Ok(true),
            Err(error) if error.reason == Reason::Status(404) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Which vulnerabilities it knows in an image: the answer as it is.
    pub fn vulnerabilities(&self, digest: &str) -> Result<serde_json::Value, Error> {
        let url = self.anchore(&format!("images/{digest}/vuln/all"));
        let answer: serde_json::Value = self.json(&url, "the vulnerabilities")?;
        match answer["vulnerabilities"].is_array() {
            true => Ok(answer),
            false => Err(self.nonsense("the vulnerabilities", "there is no list in it")),
        }
    }

    /// The report for people, as PDF. Only Sysdig's backend makes one.
    pub fn pdf(&self, digest: &str, full_tag: &str) -> Result<Vec<u8>, Error> {
        if self.kind == Kind::Anchore {
            return Err(Error::setup("an Anchore engine makes no PDF report".to_owned()));
        }
        let mut url = self.sysdig(&format!("images/{digest}/report"));
        url.query_pairs_mut().append_pair("tag", full_tag);
        let bytes = self.patiently(|backend| {
            backend.answer(backend.request(Method::GET, &url, None), "the PDF report")
        })?;
        match bytes.starts_with(b"%PDF") {
            true => Ok(bytes),
            false => Err(self.nonsense("the PDF report", "it is no PDF")),
        }
    }

    /// Removes an image, whatever refers to it.
    pub fn delete(&self, digest: &str) -> Result<Deleted, Error> {
        let mut url = self.anchore(&format!("images/{digest}"));
        url.query_pairs_mut().append_pair("force", "true");
        let what = "the removal";
        let bytes = self
            .patiently(|backend| backend.answer(backend.request(Method::DELETE, &url, None), what));
        let bytes = match bytes {
            Err(error) if error.reason == Reason::Status(404) => return Ok(Deleted::NotFound),
            other => other?,
        };
        let status: serde_json::Value = serde_json::from_slice(&bytes).unwrap_or_default();
        match status["status"].as_str() {
            Some("not_found") => Ok(Deleted::NotFound),
            Some("delete_failed") => {
                let why = error::server_message(&bytes);
                Err(self.told(Reason::Status(200), what, &why.unwrap_or_default()))
            }
            _ => Ok(Deleted::Deleting),
        }
    }

    /// Where people see what Sysdig's backend says of an image.
    pub fn page(&self, digest: &str, full_tag: &str, on_premises: bool) -> Option<String> {
        if self.kind == Kind::Anchore {
            return None;
        }
        let base = self.base.as_str().trim_end_matches('/');
        let base = if base == SYSDIG_API { SYSDIG_UI } else { base };
        let secure = if on_premises { "/secure" } else { "" };
        // As the legacy scanner encodes names in the address of a page.
        let tag = percent::encoded(full_tag, percent::UNRESERVED);
        Some(format!("{base}{secure}/#/scanning/scan-results/{tag}/{digest}/summaries"))
    }

    /// A call of Anchore's API.
    fn anchore(&self, path: &str) -> Url {
        match self.kind {
            Kind::Sysdig => self.address(&format!("api/scanning/v1/anchore/{path}")),
            Kind::Anchore => self.address(&format!("v1/{path}")),
        }
    }

    /// A call that Sysdig's backend has beside it.
    fn sysdig(&self, path: &str) -> Url {
        self.address(&format!("api/scanning/v1/{path}"))
    }

    fn address(&self, path: &str) -> Url {
        let mut url = self.base.clone();
        let before = url.path().trim_end_matches('/').to_owned();
        url.set_path(&format!("{before}/{path}"));
        url
    }
}

/// Without what does not belong there.
fn base(kind: Kind, url: &str, net: &NetOptions) -> Result<Url, Error> {
    let wrong = |why: &str| {
        Error::setup(format!("the backend's address {why}: expected one as `https://host`"))
    };
    let scheme = if net.plain_http { "http" } else { "https" };
    let text = match url.trim() {
        "" => return Err(wrong("is empty")),
        url if url.contains("://") => url.to_owned(),
        url => format!("{scheme}://{url}"),
    };
    let mut base = Url::parse(&text).map_err(|error| wrong(&format!("is none ({error})")))?;
    if !matches!(base.scheme(), "https" | "http") || !base.has_host() {
        return Err(wrong("is neither http nor https"));
    }
    if !base.username().is_empty() || base.password().is_some() {
        return Err(wrong("has a user or password in it, which belong elsewhere"));
    }
    if base.query().is_some() || base.fragment().is_some() {
        return Err(wrong("has more than a path behind the host"));
    }
    let mut path = base.path().trim_end_matches('/');
    if kind == Kind::Anchore {
        path = path.strip_suffix("/v1").unwrap_or(path);
    }
    let path = path.to_owned();
    base.set_path(&path);
    Ok(base)
}
