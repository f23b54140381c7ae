//! One question and its answer: within its time, from the host that was asked, without the
//! secrets in what is said of it.

use std::io::Read;
use std::sync::PoisonError;
use std::time::{Duration, Instant};

use serde::de::DeserializeOwned;

use super::error::{self, server_message};
use super::{Backend, Error, Reason};
use inscan_net::{
    self as net, Body, HeaderValue, Listener, Method, Request, Response, Retry, Url, header,
};

/// What an answer may have. The checks and vulnerabilities of large images have some MiB.
const MAX_BYTES: u64 = 256 << 20;
/// What is read of an answer that says no.
const MAX_ERROR_BYTES: u64 = 64 << 10;

impl Backend {
    pub(super) fn request(&self, method: Method, url: &Url, json: Option<&str>) -> Request {
        let mut request = Request::new(method, url.clone());
        let headers = request.headers_mut();
        headers.insert(header::AUTHORIZATION, self.authorization.clone());
        let json_type = HeaderValue::from_static("application/json");
        headers.insert(header::CONTENT_TYPE, json_type);
        if let Some(json) = json {
            *request.body_mut() = Some(Body::from(json.to_owned()));
        }
        request
    }

    /// A question that changes nothing, and its answer as JSON.
    pub(super) fn json<T: DeserializeOwned>(&self, url: &Url, what: &str) -> Result<T, Error> {
        self.patiently(|backend| {
            let bytes = backend.answer(backend.request(Method::GET, url, None), what)?;
            serde_json::from_slice(&bytes)
                .map_err(|error| backend.nonsense(what, &error.to_string()))
        })
    }

    /// Asks, and again where that may help: only for what does no harm when it is done twice.
    pub(super) fn patiently<T>(
        &self,
        ask: impl Fn(&Backend) -> Result<T, Error>,
    ) -> Result<T, Error> {
        let outcome = |asked: &Result<T, Error>| asked.as_ref().err().map(Error::outcome);
        self.retry().patiently(&self.place(), || ask(self), outcome).0
    }

    /// Within the time that is left. Nobody is told of a wait: a submission tells its steps itself.
    pub(super) fn retry(&self) -> Retry {
        let begun = *self.begun.lock().unwrap_or_else(PoisonError::into_inner);
        let deadline = begun.checked_add(self.limits.total);
        let listener = Listener::default();
        Retry { deadline, listener, ..self.http.options().retry.clone() }
    }

    /// Of all the time there is.
    pub(super) fn left(&self) -> Option<Duration> {
        let begun = *self.begun.lock().unwrap_or_else(PoisonError::into_inner);
        let left = self.limits.total.checked_sub(begun.elapsed());
        left.filter(|left| !left.is_zero())
    }

    /// The body of a good answer.
    pub(super) fn answer(&self, request: Request, what: &str) -> Result<Vec<u8>, Error> {
        self.answer_within(request, what, self.limits.step)
    }

    pub(super) fn answer_within(
        &self,
        mut request: Request,
        what: &str,
        step: Duration,
    ) -> Result<Vec<u8>, Error> {
        let time = self.left().ok_or_else(|| self.too_late(what))?.min(step);
        let until = Instant::now() + time;
        let is_upload = request.body().is_some_and(|body| body.as_bytes().is_none());
        let stall = self.http.options().stall_timeout;
        // For the request up to the head of its answer, and then for each read.
        *request.timeout_mut() = Some(if is_upload { time } else { time.min(stall) });
        let response = self.http.send(request).map_err(|error| self.unanswered(&error, what))?;
        if response.is_from_elsewhere() {
            let to = net::origin(response.url());
            let message = format!(
                "{}: asked for {what}, it leads to {to}, which is not followed: no token goes there, and no verdict is taken from there; is that the address to give?",
                self.place()
            );
            return Err(Error::new(Reason::Elsewhere, message));
        }
        let status = response.status();
        if status.is_success() {
            return self.body(response, what, until, MAX_BYTES);
        }
        // What it says helps, and is not needed.
        let body = self.body(response, what, until, MAX_ERROR_BYTES).unwrap_or_default();
        let said = server_message(&body);
        let code = status.as_u16();
        let status = match status.canonical_reason() {
            Some(reason) => format!("{code} {reason}"),
            None => code.to_string(),
        };
        let message = match said {
            Some(said) => format!("{said} ({status})"),
            None => status,
        };
        let reason = match code {
            401 | 403 => Reason::Unauthorized,
            code => Reason::Status(code),
        };
        let mut error = self.told(reason, what, &message);
        error.is_engines = error::is_engines(&body, code);
        Err(error)
    }

    /// Not more than so many bytes, and not for longer.
    fn body(
        &self,
        mut response: Response,
        what: &str,
        until: Instant,
        most: u64,
    ) -> Result<Vec<u8>, Error> {
        let mut bytes = Vec::new();
        let mut buffer = [0; 16 << 10];
        loop {
            let count = response.read(&mut buffer).map_err(|error| {
                match error.get_ref().and_then(|inner| inner.downcast_ref::<net::Error>()) {
                    Some(error) => self.unanswered(error, what),
                    None => self.told(Reason::Net(net::Cause::Other), what, &error.to_string()),
                }
            })?;
            match buffer.get(..count) {
                Some(read) if !read.is_empty() => bytes.extend_from_slice(read),
                _ => return Ok(bytes),
            }
            if bytes.len() as u64 > most {
                return Err(self.nonsense(what, &format!("it has more than {most} bytes")));
            }
            if Instant::now() > until {
                return Err(self.too_late(what));
            }
        }
    }

    fn unanswered(&self, error: &net::Error, what: &str) -> Error {
        if self.left().is_none() {
            return self.too_late(what);
        }
        Error::new(Reason::Net(error.cause), self.without_secrets(&format!("{what}: {error}")))
    }

    fn too_late(&self, what: &str) -> Error {
        let message = format!("{}: {what} did not come in time", self.place());
        Error::new(Reason::TooLate, message)
    }

    pub(super) fn nonsense(&self, what: &str, why: &str) -> Error {
        let why = format!("what came is not understood: {why}");
        self.told(Reason::Nonsense, what, &why)
    }

    pub(super) fn told(&self, reason: Reason, what: &str, why: &str) -> Error {
        Error::new(reason, self.without_secrets(&format!("{}: {what}: {why}", self.place())))
    }

    /// A server may repeat what it was sent.
    pub(super) fn without_secrets(&self, text: &str) -> String {
        let mut text = text.to_owned();
        for secret in &self.secrets {
            text = text.replace(secret.as_str(), "***");
        }
        text
    }
}
