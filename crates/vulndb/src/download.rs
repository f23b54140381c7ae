//! Fetching one file: only where it is newer than what is here, and taken up again
//! where it broke off, in this run or in another
//! (<https://www.rfc-editor.org/rfc/rfc9110#name-range-requests>).

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::time::Instant;

use super::place::beside;
use inscan_facts::progress::Progress;
use inscan_net::{
    self as net, HeaderValue, Http, Method, Outcome, Request, Response, Retry, Url, header,
};

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error(transparent)]
    Net(#[from] net::Error),
    #[error("{address} answers {status}")]
    Status { address: String, status: u16 },
    #[error("{0} is larger than a database or an input may be")]
    TooLarge(String),
    #[error("{0} answers with another piece than was asked for")]
    WrongPiece(String),
    #[error("the time for looking for an update is over; what has come so far is kept")]
    Deadline,
    #[error("could not write `{}`", path.display())]
    Io { path: PathBuf, source: io::Error },
}

impl Error {
    /// There is no such file.
    pub fn is_missing(&self) -> bool {
        matches!(self, Error::Status { status: 404 | 410, .. })
    }
}

pub(super) enum Fetched {
    /// It is what is known already.
    Unchanged,
    /// It is at the place now; the version is what to ask with next time.
    New { version: Option<String> },
}

pub(super) struct Download<'a> {
    pub http: &'a Http,
    pub url: &'a Url,
    /// Where the bytes go. It is there half after a failure, and taken up again.
    pub to: &'a Path,
    pub most: u64,
    pub deadline: Option<Instant>,
    pub watch: &'a dyn Progress,
}

impl Download<'_> {
    /// `known`: the version that is here already.
    pub(super) fn fetch(&self, known: Option<&str>) -> Result<Fetched, Error> {
        let retry = Retry { deadline: self.deadline, ..self.http.options().retry.clone() };
        let outcome = |fetched: &Result<Fetched, Error>| match fetched {
            Err(Error::Net(error)) => Some(Outcome::Failed(error.cause)),
            Err(Error::Status { status, .. }) => {
                Some(Outcome::Status { code: *status, retry_after: None })
            }
            _ => None,
        };
        retry.patiently(&net::origin(self.url), || self.attempt(known), outcome).0
    }

    fn is_over(&self) -> bool {
        self.deadline.is_some_and(|deadline| Instant::now() >= deadline)
    }

    fn attempt(&self, known: Option<&str>) -> Result<Fetched, Error> {
        let mut begun = self.begun();
        let mut request = Request::new(Method::GET, self.url.clone());
        let headers = request.headers_mut();
        headers.insert(header::ACCEPT_ENCODING, HeaderValue::from_static("identity"));
        if let Some((length, version)) = &begun {
            let range = HeaderValue::from_str(&format!("bytes={length}-")).ok();
            let version = HeaderValue::from_str(version).ok();
            if let Some((range, version)) = range.zip(version) {
                headers.insert(header::RANGE, range);
                headers.insert(header::IF_RANGE, version);
            }
        } else if let Some(known) = known
            && let Ok(value) = HeaderValue::from_str(known)
        {
            let name =
                if is_tag(known) { header::IF_NONE_MATCH } else { header::IF_MODIFIED_SINCE };
            headers.insert(name, value);
        }
        let response = self.http.send(request)?;
        let status = response.status().as_u16();
        match (status, &begun) {
            (304, None) => return Ok(Fetched::Unchanged),
            (206, Some((length, _))) => self.check_piece(&response, *length)?,
            (200, _) => begun = None,
            // What is here is longer than what there is now: from the beginning.
            (416, Some(_)) => {
                self.forget();
                return self.attempt(known);
            }
            _ => return Err(Error::Status { address: self.address(), status }),
        }
        let version = version(&response);
        if begun.is_none() {
            self.forget();
            // A weak tag says that it means the same, and not that the bytes are.
            if let Some(version) = version.as_ref().filter(|version| !version.starts_with("W/")) {
                fs::write(self.note(), version).map_err(|error| self.io(error))?;
            }
        }
        self.receive(response, begun.map_or(0, |(length, _)| length))?;
        let _ = fs::remove_file(self.note());
        Ok(Fetched::New { version })
    }

    /// How much is here of an earlier attempt, and of which version.
    fn begun(&self) -> Option<(u64, String)> {
        let length = fs::metadata(self.to).ok().filter(fs::Metadata::is_file)?.len();
        let version = fs::read_to_string(self.note()).ok()?;
        (length > 0 && !version.is_empty()).then_some((length, version))
    }

    /// Beside what has come: the version it is of.
    fn note(&self) -> PathBuf {
        beside(self.to, ".version")
    }

    fn forget(&self) {
        let _ = fs::remove_file(self.to);
        let _ = fs::remove_file(self.note());
    }

    fn check_piece(&self, response: &Response, length: u64) -> Result<(), Error> {
        let range = response.header(header::CONTENT_RANGE).and_then(|range| {
            let start = range.strip_prefix("bytes ")?.split_once('-')?.0;
            start.trim().parse::<u64>().ok()
        });
        if range == Some(length) {
            return Ok(());
        }
        self.forget();
        Err(Error::WrongPiece(self.address()))
    }

    fn receive(&self, mut response: Response, begun: u64) -> Result<(), Error> {
        let rest: Option<u64> =
            response.header(header::CONTENT_LENGTH).and_then(|length| length.parse().ok());
        if rest.is_some_and(|rest| begun.saturating_add(rest) > self.most) {
            return Err(Error::TooLarge(self.address()));
        }
        let name =
            self.url.path_segments().and_then(|mut parts| parts.next_back()).unwrap_or_default();
        self.watch.step_begins(&format!("fetching {name}"), rest.map(|rest| rest + begun));
        self.watch.step_advances(begun);
        let opened = OpenOptions::new().create(true).truncate(false).write(true).open(self.to);
        let mut file: File = opened.map_err(|error| self.io(error))?;
        file.seek(SeekFrom::Start(begun)).map_err(|error| self.io(error))?;
        let mut buffer = vec![0; 64 << 10];
        let mut position = begun;
        loop {
            if self.is_over() {
                return Err(Error::Deadline);
            }
            let count = response.read(&mut buffer).map_err(|error| self.broken(error))?;
            let Some(bytes) = buffer.get(..count).filter(|bytes| !bytes.is_empty()) else { break };
            position += count as u64;
            if position > self.most {
                self.forget();
                return Err(Error::TooLarge(self.address()));
            }
            file.write_all(bytes).map_err(|error| self.io(error))?;
            self.watch.step_advances(count as u64);
        }
        file.set_len(position).map_err(|error| self.io(error))?;
        Ok(())
    }

    fn broken(&self, error: io::Error) -> Error {
        match error.get_ref().and_then(|inner| inner.downcast_ref::<net::Error>()) {
            Some(error) => Error::Net(error.clone()),
            None => self.io(error),
        }
    }

    fn io(&self, source: io::Error) -> Error {
        Error::Io { path: self.to.to_owned(), source }
    }

    /// Without user, password and query.
    fn address(&self) -> String {
        format!("{}{}", net::origin(self.url), self.url.path())
    }
}

fn is_tag(version: &str) -> bool {
    version.starts_with('"') || version.starts_with("W/")
}

/// The entity tag, or else the date of the last change.
fn version(response: &Response) -> Option<String> {
    let tag = response.header(header::ETAG).filter(|tag| is_tag(tag));
    tag.or_else(|| response.header(header::LAST_MODIFIED)).map(str::to_owned)
}
