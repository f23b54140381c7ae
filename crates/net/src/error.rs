//! What went wrong on the way to a server: where, why, and what to do about it.
//!
//! Never in it: passwords, tokens, and the query of an address, which carries
//! signatures where a registry redirects to its storage.

use std::error::Error as StdError;
use std::fmt::Write;
use std::io;

use reqwest::Url;

/// Why a request had no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cause {
    /// `--offline` forbids it.
    Offline,
    NoSuchHost,
    Refused,
    Unreachable,
    Proxy,
    /// The server's certificate is not trusted, or ours not accepted.
    Certificate,
    /// The server speaks, but not TLS.
    NotTls,
    /// No byte for too long.
    Stalled,
    /// The connection ended before the answer did.
    Cut,
    /// A redirect that is not followed.
    Redirect,
    /// It could not even be tried: a file of certificates, an address.
    Setup,
    Other,
}

impl Cause {
    /// Stable, in kebab case.
    pub fn code(self) -> &'static str {
        match self {
            Cause::Offline => "offline",
            Cause::NoSuchHost => "no-such-host",
            Cause::Refused => "connection-refused",
            Cause::Unreachable => "host-unreachable",
            Cause::Proxy => "proxy-failed",
            Cause::Certificate => "certificate-not-trusted",
            Cause::NotTls => "not-tls",
            Cause::Stalled => "connection-stalled",
            Cause::Cut => "connection-cut",
            Cause::Redirect => "redirect-not-followed",
            Cause::Setup | Cause::Other => "request-failed",
        }
    }
}

/// No answer. Its text is whole: there is no chain behind it.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{message}")]
pub struct Error {
    pub cause: Cause,
    message: String,
}

/// Scheme, host and port: what of an address is safe to show and says whom it is about.
pub fn origin(url: &Url) -> String {
    let mut text = format!("{}://{}", url.scheme(), url.host_str().unwrap_or_default());
    if let Some(port) = url.port() {
        let _ = write!(text, ":{port}");
    }
    text
}

/// An address without user, password, query and fragment.
fn shown(url: &Url) -> String {
    format!("{}{}", origin(url), url.path())
}

impl Error {
    /// The code of the first of these errors in a chain of causes.
    pub fn code_in(error: &anyhow::Error) -> Option<&'static str> {
        error.chain().find_map(|cause| cause.downcast_ref::<Error>()).map(|it| it.cause.code())
    }

    pub(super) fn new(cause: Cause, message: impl Into<String>) -> Self {
        Error { cause, message: message.into() }
    }

    pub(super) fn offline(url: &Url) -> Self {
        Error::new(
            Cause::Offline,
            format!(
                "`--offline` forbids the request to {}; leave the flag out, or use a local image or database",
                origin(url)
            ),
        )
    }

    pub(super) fn redirect(url: &Url, why: &str) -> Self {
        Error::new(Cause::Redirect, format!("{} redirects {why}", shown(url)))
    }

    /// Of a request, or of reading its answer.
    pub(super) fn of(error: &(dyn StdError + 'static), url: &Url) -> Self {
        let (cause, why, todo) = reason(error);
        let mut message = format!("{}: {why}", shown(url));
        if let Some(todo) = todo {
            let _ = write!(message, "; {todo}");
        }
        let may_be_proxy =
            matches!(cause, Cause::NoSuchHost | Cause::Refused | Cause::Unreachable | Cause::Proxy);
        if let Some(variable) = proxy_variable(url).filter(|_| may_be_proxy) {
            let _ = write!(
                message,
                "; a proxy is set in {variable}: check it, or name the host in NO_PROXY"
            );
        }
        Error { cause, message }
    }
}

/// Which variable of the environment names a proxy for the address, if any.
pub(super) fn proxy_variable(url: &Url) -> Option<&'static str> {
    let names: &[&str] = match url.scheme() {
        "https" => &["HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"],
        _ => &["HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"],
    };
    names.iter().copied().find(|name| std::env::var_os(name).is_some_and(|set| !set.is_empty()))
}

/// The chain of causes, outermost first. The errors that `reqwest` wraps around others have
/// the address in their text, with its query: those are skipped.
fn chain<'a>(error: &'a (dyn StdError + 'static)) -> Vec<&'a (dyn StdError + 'static)> {
    let mut chain = Vec::new();
    let mut next = Some(error);
    while let Some(error) = next {
        let inner: Option<&'a (dyn StdError + 'static)> = error
            .downcast_ref::<io::Error>()
            .and_then(|error| error.get_ref())
            .map(|inner| inner as &(dyn StdError + 'static));
        if !error.is::<reqwest::Error>() && inner.is_none() {
            chain.push(error);
        }
        next = inner.or_else(|| error.source());
    }
    chain
}

fn reason(error: &(dyn StdError + 'static)) -> (Cause, String, Option<&'static str>) {
    let outer = error
        .downcast_ref::<io::Error>()
        .and_then(|error| error.get_ref()?.downcast_ref::<reqwest::Error>())
        .or_else(|| error.downcast_ref::<reqwest::Error>());
    let chain = chain(error);
    let texts: Vec<String> = chain.iter().map(ToString::to_string).collect();
    let kinds = || chain.iter().filter_map(|error| error.downcast_ref::<io::Error>());
    let has = |part: &str| texts.iter().any(|text| text.contains(part));
    let deepest = || match texts.last() {
        Some(text) if !text.is_empty() => text.clone(),
        _ => "the connection failed".to_owned(),
    };
    let kind = |wanted: io::ErrorKind| kinds().any(|error| error.kind() == wanted);
    if outer.is_some_and(|error| error.is_builder()) {
        return (Cause::Setup, deepest(), None);
    }
    if has("invalid peer certificate") || has("UnknownIssuer") {
        return (
            Cause::Certificate,
            format!("its certificate is not trusted: {}", deepest()),
            Some(
                "give the certificate authority with `--cacert FILE`, or skip the check with `--insecure-tls`",
            ),
        );
    }
    if has("CertificateRequired") || has("certificate required") || has("received fatal alert") {
        return (
            Cause::Certificate,
            format!("it refused the TLS connection: {}", deepest()),
            Some(
                "if it needs a client certificate, give one with `--client-cert` and `--client-key`",
            ),
        );
    }
    if has("received corrupt message") || has("InvalidContentType") {
        return (
            Cause::NotTls,
            "it does not speak TLS".to_owned(),
            Some("if it is plain http, use `--plain-http`"),
        );
    }
    if has("tunnel") || has("proxy") {
        return (Cause::Proxy, format!("the proxy refused the request: {}", deepest()), None);
    }
    if outer.is_some_and(reqwest::Error::is_dns) {
        let passing = has("Temporary failure") || has("Try again");
        let cause = if passing { Cause::Unreachable } else { Cause::NoSuchHost };
        return (cause, "host not found (DNS)".to_owned(), Some("check its name"));
    }
    if kind(io::ErrorKind::ConnectionRefused) {
        return (
            Cause::Refused,
            "connection refused".to_owned(),
            Some("check that a server is listening there"),
        );
    }
    if outer.is_some_and(|error| error.is_timeout()) || kind(io::ErrorKind::TimedOut) {
        if outer.is_some_and(|error| error.is_connect()) {
            let todo = Some("check firewall and proxy; `--connect-timeout` sets the limit");
            return (Cause::Unreachable, "the connection timed out".to_owned(), todo);
        }
        let todo = Some("`--stall-timeout` sets the limit");
        return (Cause::Stalled, "no data for too long".to_owned(), todo);
    }
    if kind(io::ErrorKind::NotFound) || kind(io::ErrorKind::PermissionDenied) {
        return (Cause::Other, deepest(), None);
    }
    if outer.is_some_and(|error| error.is_connect())
        && (kind(io::ErrorKind::HostUnreachable) || kind(io::ErrorKind::NetworkUnreachable))
    {
        return (Cause::Unreachable, deepest(), Some("check the network of this machine"));
    }
    (Cause::Cut, format!("the connection was closed early: {}", deepest()), None)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_shown_without_what_is_secret_in_it() {
        let url =
            Url::parse("https://me:secret@cdn.example:8443/blob/1?X-Signature=secret#s").unwrap();
        let error = Error::of(&io::Error::from(io::ErrorKind::ConnectionReset), &url);
        assert!(error.to_string().starts_with("https://cdn.example:8443/blob/1: "), "{error}");
        assert!(!error.to_string().contains("secret"), "{error}");
        assert_eq!(error.cause, Cause::Cut);
    }

    #[test]
    fn offline_names_the_host_and_what_to_do() {
        let url = Url::parse("https://registry.example/v2/?token=secret").unwrap();
        let error = Error::offline(&url).to_string();
        assert!(
            error.contains("request to https://registry.example; leave the flag out"),
            "{error}"
        );
    }
}
