//! The one way to a connection.

use std::fs;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use reqwest::blocking::{self, Client, Request};
use reqwest::header::{self, AUTHORIZATION, COOKIE, HeaderMap, LOCATION};
use reqwest::{Certificate, Identity, Method, StatusCode, Url};

use super::{Cause, Error, NetOptions, Outcome, encoding, public, retry_after};

/// As browsers do; storage of registries needs one or two.
const MAX_REDIRECTS: usize = 10;
/// A file of certificates that is larger is none.
const MAX_PEM_BYTES: u64 = 16 << 20;

/// Asks servers, or one Unix socket. Cheap to clone; connections are kept and used again.
#[derive(Clone)]
pub struct Http(Arc<Inner>);

struct Inner {
    options: NetOptions,
    /// All requests go there, whatever host they name.
    socket: Option<PathBuf>,
    /// Made when they are first needed.
    clients: Mutex<Vec<(Variant, Client)>>,
}

/// What connections differ in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Variant {
    /// Shows the client certificate.
    identity: bool,
    /// No proxy: this machine is reached without one.
    direct: bool,
    /// A proxy is set for its kind of address.
    proxied: bool,
    insecure: bool,
}

impl Http {
    pub fn new(options: &NetOptions) -> Self {
        Http::with(options, None)
    }

    /// Over a Unix socket, which is no network: it works with `--offline` too. The host of an
    /// address has no meaning then.
    pub fn unix(options: &NetOptions, socket: &Path) -> Self {
        Http::with(options, Some(socket.to_owned()))
    }

    fn with(options: &NetOptions, socket: Option<PathBuf>) -> Self {
        Http(Arc::new(Inner { options: options.clone(), socket, clients: Mutex::default() }))
    }

    pub fn options(&self) -> &NetOptions {
        &self.0.options
    }

    /// The same, but for servers whose certificates are not verified.
    pub fn without_verifying(&self) -> Self {
        let options = NetOptions { insecure_tls: true, ..self.0.options.clone() };
        Http::with(&options, self.0.socket.clone())
    }

    /// Asks once. Redirects are followed, without credentials where they lead to another host;
    /// any other status is an answer.
    pub fn send(&self, mut request: Request) -> Result<Response, Error> {
        if self.0.options.offline && self.0.socket.is_none() {
            return Err(Error::offline(request.url()));
        }
        let first = request.url().clone();
        for _ in 0..=MAX_REDIRECTS {
            let url = request.url().clone();
            if self.0.options.public_only {
                public::check(&url)?;
            }
            let again = request.try_clone();
            let client = self.client(same_origin(&first, &url), &url)?;
            let response = client.execute(request).map_err(|error| Error::of(&error, &url))?;
            let Some(next) = redirect(&response, &url)? else {
                let elsewhere = !same_origin(&first, &url);
                return Ok(Response { response, url, elsewhere });
            };
            let may_follow =
                again.filter(|again| matches!(*again.method(), Method::GET | Method::HEAD));
            request = may_follow
                .ok_or_else(|| Error::redirect(&url, "a request that is not sent twice"))?;
            if !same_origin(&url, &next) {
                request.headers_mut().remove(AUTHORIZATION);
                request.headers_mut().remove(COOKIE);
            }
            *request.url_mut() = next;
        }
        Err(Error::redirect(&first, &format!("more than {MAX_REDIRECTS} times")))
    }

    /// Asks, and again where that may help. `request` makes the same request each time. The last
    /// answer is returned, whatever its status.
    pub fn send_patiently(&self, request: impl Fn() -> Request) -> Result<Response, Error> {
        let outcome = |sent: &Result<Response, Error>| match sent {
            Ok(answer) => (!answer.status().is_success()).then(|| answer.outcome()),
            Err(error) => Some(Outcome::Failed(error.cause)),
        };
        let host = super::origin(request().url());
        self.0.options.retry.patiently(&host, || self.send(request()), outcome).0
    }

    fn client(&self, identity: bool, url: &Url) -> Result<Client, Error> {
        let options = &self.0.options;
        let identity = identity && options.client_certificate.is_some();
        let direct = is_loopback(url);
        let proxied = super::error::proxy_variable(url).is_some();
        let variant = Variant { identity, direct, proxied, insecure: options.insecure_tls };
        let mut clients = self.0.clients.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, client)) = clients.iter().find(|(of, _)| *of == variant) {
            return Ok(client.clone());
        }
        let client = build(options, self.0.socket.as_deref(), variant)?;
        clients.push((variant, client.clone()));
        Ok(client)
    }
}

/// A status, headers, and a body to be read.
pub struct Response {
    response: blocking::Response,
    url: Url,
    elsewhere: bool,
}

impl Response {
    pub fn status(&self) -> StatusCode {
        self.response.status()
    }

    pub fn headers(&self) -> &HeaderMap {
        self.response.headers()
    }

    /// Of a header that is text; `None` where there is none, or it is something else.
    pub fn header(&self, name: header::HeaderName) -> Option<&str> {
        self.headers().get(name)?.to_str().ok()
    }

    /// Where it is from: the last of the redirects. Its query may be secret.
    pub fn url(&self) -> &Url {
        &self.url
    }

    /// Whether redirects led to another host than was asked: one that got no credentials.
    pub fn is_from_elsewhere(&self) -> bool {
        self.elsewhere
    }

    /// For deciding whether to ask again.
    pub fn outcome(&self) -> Outcome {
        Outcome::Status { code: self.status().as_u16(), retry_after: retry_after(self.headers()) }
    }

    /// The whole body, a text: it is decoded where the server encoded it.
    pub fn text(self, most: u64) -> Result<Vec<u8>, Error> {
        let (url, encoding) = (self.url.clone(), encoding::of(self.headers()));
        let bytes = self.bytes(most)?;
        let text = match encoding {
            Some(encoding) => {
                encoding.text(bytes, most).map_err(|error| Error::of(&error, &url))?
            }
            None => bytes,
        };
        within(text, most, &url)
    }

    /// The whole body, which is refused where it is larger than `most`.
    pub fn bytes(self, most: u64) -> Result<Vec<u8>, Error> {
        let url = self.url.clone();
        let mut bytes = Vec::new();
        self.take(most.saturating_add(1)).read_to_end(&mut bytes).map_err(|error| {
            match error.get_ref().and_then(|inner| inner.downcast_ref::<Error>()) {
                Some(error) => error.clone(),
                None => Error::of(&error, &url),
            }
        })?;
        within(bytes, most, &url)
    }
}

fn within(bytes: Vec<u8>, most: u64, url: &Url) -> Result<Vec<u8>, Error> {
    if bytes.len() as u64 > most {
        let message = format!("{} answers with more than {most} bytes", super::origin(url));
        return Err(Error::new(Cause::Other, message));
    }
    Ok(bytes)
}

impl Read for Response {
    /// Its errors have an [`Error`] in them.
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.response.read(buffer).map_err(|error| io::Error::other(Error::of(&error, &self.url)))
    }
}

fn same_origin(one: &Url, other: &Url) -> bool {
    one.scheme() == other.scheme()
        && one.host_str() == other.host_str()
        && one.port_or_known_default() == other.port_or_known_default()
}

/// This machine: `localhost`, 127.0.0.0/8, ::1.
pub fn is_loopback(url: &Url) -> bool {
    let host = url.host_str().unwrap_or_default();
    let address = host.trim_start_matches('[').trim_end_matches(']');
    host == "localhost"
        || host.ends_with(".localhost")
        || address.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
}

/// Where an answer leads to, if it leads elsewhere.
fn redirect(response: &blocking::Response, url: &Url) -> Result<Option<Url>, Error> {
    if !matches!(response.status().as_u16(), 301 | 302 | 303 | 307 | 308) {
        return Ok(None);
    }
    let Some(location) = response.headers().get(LOCATION) else { return Ok(None) };
    let next = location.to_str().ok().and_then(|location| url.join(location).ok());
    let mut next = next.ok_or_else(|| Error::redirect(url, "to an invalid address"))?;
    match (url.scheme(), next.scheme()) {
        ("https", "https") | ("http", "http" | "https") => {}
        ("https", "http") => {
            let why = format!(
                "from https to plain http ({}), which is not followed",
                super::origin(&next)
            );
            return Err(Error::redirect(url, &why));
        }
        _ => return Err(Error::redirect(url, "to an address that is neither http nor https")),
    }
    // A server does not choose the credentials we show to another.
    let _ = next.set_username("");
    let _ = next.set_password(None);
    Ok(Some(next))
}

fn build(options: &NetOptions, socket: Option<&Path>, variant: Variant) -> Result<Client, Error> {
    let authorities = authorities(options)?;
    let identity = match &options.client_certificate {
        Some(certificate) if variant.identity => {
            let mut pem = read_pem(&certificate.certificate)?;
            pem.push(b'\n');
            pem.extend(read_pem(&certificate.key)?);
            Some(Identity::from_pem(&pem).map_err(|_| {
                setup(format!(
                    "`{}` and `{}` are not a certificate and private key in PEM",
                    certificate.certificate.display(),
                    certificate.key.display()
                ))
            })?)
        }
        _ => None,
    };
    let builder = || {
        let mut builder = Client::builder()
            .user_agent(concat!("inscan/", env!("CARGO_PKG_VERSION")))
            // Followed by `send`, which knows what may go along.
            .redirect(reqwest::redirect::Policy::none())
            .connect_timeout(options.connect_timeout)
            // As curl and browsers write them: some receivers do not know `x-key` for `X-Key`.
            .http1_title_case_headers()
            // In the blocking client this is for each read, not for the whole.
            .timeout(options.stall_timeout)
            .tls_danger_accept_invalid_certs(variant.insecure);
        // What is sent and not taken: the limit above sees only what comes.
        #[cfg(target_os = "linux")]
        {
            builder = builder.tcp_user_timeout(options.stall_timeout);
        }
        if variant.direct {
            builder = builder.no_proxy();
        }
        // A proxy has an address of its own, and looks up names itself.
        if options.public_only && !variant.proxied {
            builder = builder.no_proxy().dns_resolver(Arc::new(public::Resolver));
        }
        if let Some(identity) = &identity {
            builder = builder.identity(identity.clone());
        }
        match socket {
            Some(socket) => builder.unix_socket(socket).tls_certs_only([]),
            None => builder,
        }
    };
    if socket.is_some() || variant.insecure {
        return builder().build().map_err(|error| not_built(&error));
    }
    match builder().build() {
        Ok(client) if authorities.is_empty() => Ok(client),
        Ok(_) => builder().tls_certs_merge(authorities).build().map_err(|error| not_built(&error)),
        Err(error) => {
            // Who names a store of their own wants that one, and not another in its place.
            if let Some(name) =
                ["SSL_CERT_FILE", "SSL_CERT_DIR"].into_iter().find(|name| is_set(name))
            {
                let Error { cause, .. } = not_built(&error);
                let message = format!(
                    "no certificate could be read from where {name} says; correct it, or leave it out"
                );
                return Err(Error::new(cause, message));
            }
            // A machine without certificates, such as a container made from scratch.
            builder()
                .tls_certs_only(bundled().into_iter().chain(authorities))
                .build()
                .map_err(|error| not_built(&error))
        }
    }
}

fn is_set(variable: &str) -> bool {
    std::env::var_os(variable).is_some_and(|value| !value.is_empty())
}

fn bundled() -> Vec<Certificate> {
    let roots = webpki_root_certs::TLS_SERVER_ROOT_CERTS.iter();
    roots.filter_map(|root| Certificate::from_der(root).ok()).collect()
}

fn authorities(options: &NetOptions) -> Result<Vec<Certificate>, Error> {
    let mut authorities = Vec::new();
    for file in &options.ca_files {
        let found = Certificate::from_pem_bundle(&read_pem(file)?).unwrap_or_default();
        if found.is_empty() {
            return Err(setup(format!("no PEM certificate in `{}`", file.display())));
        }
        authorities.extend(found);
    }
    Ok(authorities)
}

fn read_pem(path: &Path) -> Result<Vec<u8>, Error> {
    let read = || {
        let mut bytes = Vec::new();
        fs::File::open(path)?.take(MAX_PEM_BYTES).read_to_end(&mut bytes).map(|_| bytes)
    };
    read().map_err(|error| setup(format!("could not read `{}`: {error}", path.display())))
}

fn setup(message: String) -> Error {
    Error::new(Cause::Setup, message)
}

fn not_built(error: &reqwest::Error) -> Error {
    let mut message = "the connection could not be prepared".to_owned();
    let mut source = std::error::Error::source(error);
    while let Some(error) = source {
        message = format!("{message}: {error}");
        source = error.source();
    }
    setup(message)
}
