//! Talking to one registry about one repository
//! (<https://github.com/opencontainers/distribution-spec/blob/main/spec.md#pull>): over https or
//! not, and with the credentials it asks for.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, OnceLock, PoisonError};

use super::RegistryOptions;
use super::challenge::{self, Challenge};
use super::credentials::{self, Credential, Found};
use super::failure::{Failed, described};
use super::mirrors::Endpoint;
use super::name::api_host;
use super::token::{self, Wanted};
use crate::{
    Body, Cause, HeaderMap, HeaderValue, Http, Method, Request, Response, Url, basic, header,
    is_loopback,
};
use inscan_facts::error::shown;

pub(super) struct Session {
    endpoint: Endpoint,
    http: Http,
    options: RegistryOptions,
    scheme: Mutex<Scheme>,
    login: Mutex<Login>,
    found: OnceLock<Result<Found, String>>,
    /// At its own address, for what it asks for.
    was_asked: AtomicBool,
    /// What a token is to allow, as scopes have it.
    actions: &'static str,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Scheme {
    Https,
    Http,
    /// Https, and plain http where there is none: this machine, and what is configured as insecure.
    Either,
}

/// What goes along with each request.
#[derive(Clone, Default)]
struct Login {
    authorization: Option<HeaderValue>,
    /// Counts renewals: several threads are refused at once, and one of them renews for all.
    generation: u64,
}

/// A token that is refused is renewed; a new one that is refused as well ends it. Once more,
/// because another thread's may have run out meanwhile.
const MAX_RENEWALS: usize = 2;

impl Session {
    pub(super) fn new(endpoint: Endpoint, http: &Http, options: &RegistryOptions) -> Self {
        let host = api_host(&endpoint.host);
        let loopback = Url::parse(&format!("http://{host}")).is_ok_and(|url| is_loopback(&url));
        let scheme = match () {
            () if http.options().plain_http => Scheme::Http,
            () if loopback || endpoint.insecure => Scheme::Either,
            () => Scheme::Https,
        };
        Session {
            http: if endpoint.insecure { http.without_verifying() } else { http.clone() },
            endpoint,
            options: options.clone(),
            scheme: Mutex::new(scheme),
            login: Mutex::default(),
            found: OnceLock::new(),
            was_asked: AtomicBool::new(false),
            actions: "pull",
        }
    }

    /// The same, for writing to the repository as well.
    pub(super) fn for_pushing(self) -> Self {
        Session { actions: "pull,push", ..self }
    }

    /// `registry.example/app`
    pub(super) fn place(&self) -> String {
        format!("{}/{}", self.endpoint.host, self.endpoint.repository)
    }

    /// Asks once for `manifests/…` or `blobs/…`. What comes back is a success; credentials are
    /// got and renewed on the way.
    pub(super) fn ask(
        &self,
        method: &Method,
        path: &str,
        headers: &HeaderMap,
    ) -> Result<Response, Failed> {
        let mut renewals = 0;
        loop {
            let login = self.login.lock().unwrap_or_else(PoisonError::into_inner).clone();
            let response = self.send(method, path, headers, login.authorization.as_ref())?;
            let status = response.status();
            if status.is_success() {
                return Ok(response);
            }
            let is_own = !response.is_from_elsewhere();
            let is_bare = login.authorization.is_none();
            if is_own && is_bare && may_be_hidden(&response) && self.log_in(login.generation)? {
                continue;
            }
            if !is_own || !matches!(status.as_u16(), 401 | 403) {
                // The storage behind a redirect has its own reasons: it never saw our credentials.
                return Err(self.with_place(Failed::of(response)));
            }
            if status == 401 && renewals < MAX_RENEWALS {
                renewals += 1;
                self.renew(login.generation, response.headers())?;
                continue;
            }
            let mut why = described(status, response);
            if login.authorization.is_some_and(|it| it.as_bytes().starts_with(b"Bearer")) {
                why += ", to a token that it asked for";
            } else if is_bare {
                why += ", and it asks for no credentials";
            }
            return Err(Failed::Access(self.refused(&why)));
        }
    }

    /// Asks at the registry's own address, with credentials where it wants them.
    pub(super) fn ping(&self) -> Result<(), Failed> {
        let base = |scheme: &str| self.base_over(scheme);
        let first = self.send_to(&Method::GET, &base, &HeaderMap::new(), None)?;
        let answer = match first.status().as_u16() {
            401 => {
                self.renew(0, first.headers())?;
                let login = self.login.lock().unwrap_or_else(PoisonError::into_inner).clone();
                let authorization = login.authorization.as_ref();
                self.send_to(&Method::GET, &base, &HeaderMap::new(), authorization)?
            }
            _ => first,
        };
        let status = answer.status();
        match status.as_u16() {
            200..=299 => Ok(()),
            401 | 403 => Err(Failed::Access(self.refused(&described(status, answer)))),
            _ => Err(self.with_place(Failed::of(answer))),
        }
    }

    /// Some registries say what they ask for at their own address alone, as the protocol has it,
    /// and of what is private that it is not there, or forbidden. Whether there are credentials now.
    fn log_in(&self, generation: u64) -> Result<bool, Failed> {
        if self.was_asked.swap(true, Ordering::Relaxed) {
            return Ok(false);
        }
        let base = |scheme: &str| self.base_over(scheme);
        let answer = self.send_to(&Method::GET, &base, &HeaderMap::new(), None);
        let Some(answer) = answer.ok().filter(|it| it.status() == 401 && !it.is_from_elsewhere())
        else {
            return Ok(false);
        };
        match self.renew(generation, answer.headers()) {
            Ok(()) => Ok(true),
            // Without credentials the first answer tells more.
            Err(_) if !matches!(self.credential(), Ok(Found { credential: Some(_), .. })) => {
                Ok(false)
            }
            Err(failed) => Err(failed),
        }
    }

    /// Sends a body to an address of the registry, with what it asked for to let us in. A body
    /// is sent once: a request before it has to have found out what is asked for.
    pub(super) fn send_body(
        &self,
        method: &Method,
        url: Url,
        media_type: &'static str,
        body: Body,
    ) -> Result<Response, Failed> {
        // Storage elsewhere has its own ways to know who may write, in the address.
        let is_own = self.address("").is_ok_and(|own| own.origin() == url.origin());
        let mut request = Request::new(method.clone(), url);
        request.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(media_type));
        let login = self.login.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if let Some(authorization) = login.authorization.filter(|_| is_own) {
            request.headers_mut().insert(header::AUTHORIZATION, authorization);
        }
        *request.body_mut() = Some(body);
        let response = self.http.send(request)?;
        let status = response.status();
        match status.as_u16() {
            200..=299 => Ok(response),
            401 | 403 => Err(Failed::Access(self.refused(&described(status, response)))),
            _ => Err(self.with_place(Failed::of(response))),
        }
    }

    /// Where `manifests/…` or `blobs/…` is, once it is known how the registry is asked.
    pub(super) fn address(&self, path: &str) -> Result<Url, Failed> {
        let scheme = match *self.scheme.lock().unwrap_or_else(PoisonError::into_inner) {
            Scheme::Http => "http",
            Scheme::Https | Scheme::Either => "https",
        };
        self.address_over(scheme, path)
    }

    fn address_over(&self, scheme: &str, path: &str) -> Result<Url, Failed> {
        let base = self.base_over(scheme)?;
        let below = base.join(&format!("{}/{path}", self.endpoint.repository));
        below.map_err(|_| Failed::Access(format!("`{}` is not an address", shown(path))))
    }

    /// Where the registry says that it is one, and what it asks for.
    fn base_over(&self, scheme: &str) -> Result<Url, Failed> {
        let host = api_host(&self.endpoint.host);
        Url::parse(&format!("{scheme}://{host}/v2/"))
            .map_err(|_| Failed::Access(format!("`{}` is not a host", shown(host))))
    }

    fn with_place(&self, failed: Failed) -> Failed {
        match failed {
            Failed::Status { code, retry_after, text } => {
                let hint = match code {
                    429 => "; too many requests: log in, ask less often, or use a mirror",
                    _ => "",
                };
                let text = format!("`{}` answers {text}{hint}", self.place());
                Failed::Status { code, retry_after, text }
            }
            other => other,
        }
    }

    fn send(
        &self,
        method: &Method,
        path: &str,
        headers: &HeaderMap,
        authorization: Option<&HeaderValue>,
    ) -> Result<Response, Failed> {
        let address = |scheme: &str| self.address_over(scheme, path);
        self.send_to(method, &address, headers, authorization)
    }

    fn send_to(
        &self,
        method: &Method,
        address: &dyn Fn(&str) -> Result<Url, Failed>,
        headers: &HeaderMap,
        authorization: Option<&HeaderValue>,
    ) -> Result<Response, Failed> {
        let scheme = *self.scheme.lock().unwrap_or_else(PoisonError::into_inner);
        let once = |scheme: &str| {
            let mut request = Request::new(method.clone(), address(scheme)?);
            *request.headers_mut() = headers.clone();
            if let Some(authorization) = authorization {
                request.headers_mut().insert(header::AUTHORIZATION, authorization.clone());
            }
            Ok::<_, Failed>(self.http.send(request)?)
        };
        let settle = |scheme| *self.scheme.lock().unwrap_or_else(PoisonError::into_inner) = scheme;
        match scheme {
            Scheme::Https => once("https"),
            Scheme::Http => once("http"),
            Scheme::Either => match once("https") {
                Ok(response) => {
                    settle(Scheme::Https);
                    Ok(response)
                }
                Err(Failed::Net(error)) if may_be_plain(error.cause) => {
                    let response = once("http")?;
                    settle(Scheme::Http);
                    Ok(response)
                }
                Err(failed) => Err(failed),
            },
        }
    }

    /// Meets the challenge of an answer 401, unless another thread has done so meanwhile.
    fn renew(&self, generation: u64, headers: &HeaderMap) -> Result<(), Failed> {
        let mut login = self.login.lock().unwrap_or_else(PoisonError::into_inner);
        if login.generation != generation {
            return Ok(());
        }
        let challenge = challenge::choose(headers).map_err(|offered| {
            let offered =
                if offered.is_empty() { "nothing".to_owned() } else { offered.join(", ") };
            let why = format!(
                "401, and offers {} to log in with; understood are Basic and Bearer",
                shown(offered)
            );
            Failed::Access(self.refused(&why))
        })?;
        let found = self.credential()?;
        login.authorization = Some(match (&challenge, &found.credential) {
            (_, Some(Credential::Token(token))) => token.bearer()?,
            (Challenge::Basic, Some(Credential::Basic { user, password })) => {
                basic(user, password)?
            }
            (Challenge::Basic, Some(Credential::Identity(_))) => {
                let why = "a password, and there is only an identity token";
                return Err(Failed::Access(self.refused(why)));
            }
            (Challenge::Basic, None) => {
                return Err(Failed::Access(self.refused("401 Unauthorized")));
            }
            (Challenge::Bearer { realm, service, scope }, credential) => {
                let own = format!("repository:{}:{}", self.endpoint.repository, self.actions);
                // A token that may do more than is needed is nothing to hand to a registry.
                let fits = |scope: &str| {
                    self.actions == "pull" && scope.ends_with(":pull") && !scope.contains(' ')
                };
                let scope = scope.as_deref().filter(|scope| fits(scope));
                let wanted = Wanted {
                    service: service.as_deref(),
                    scope: scope.unwrap_or(&own),
                    credential: credential.as_ref(),
                };
                let plain =
                    *self.scheme.lock().unwrap_or_else(PoisonError::into_inner) == Scheme::Http;
                let token = token::fetch(&self.http, realm, plain, &wanted);
                token
                    .map_err(|failed| match failed {
                        Failed::Access(why) => Failed::Access(self.refused(&why)),
                        other => self.with_place(other),
                    })?
                    .bearer()?
            }
        });
        login.generation += 1;
        Ok(())
    }

    /// Looked for when it is first asked for: most images need none.
    fn credential(&self) -> Result<&Found, Failed> {
        let find = || match &self.options.login {
            Some(credential) if self.endpoint.is_named => {
                let origin = "the command line or environment".to_owned();
                Ok(Found { credential: Some(credential.clone()), origin, ..Found::default() })
            }
            _ => credentials::find(
                &self.options.auth_files,
                &self.endpoint.host,
                &self.endpoint.repository,
                self.options.helper_patience,
            ),
        };
        self.found.get_or_init(find).as_ref().map_err(|why| Failed::Access(why.clone()))
    }

    /// Who was refused, and what they can do.
    fn refused(&self, why: &str) -> String {
        let (place, host) = (self.place(), &self.endpoint.host);
        // They are looked for by now, so that nothing false is said of them.
        let _ = self.credential();
        let mut text = match self.found.get() {
            Some(Ok(Found { credential: Some(credential), origin, .. })) => {
                let who = match credential {
                    Credential::Basic { user, .. } => format!("user `{}`", shown(user)),
                    Credential::Identity(_) => "the identity token".to_owned(),
                    Credential::Token(_) => "the token".to_owned(),
                };
                format!("`{place}`: authentication failed for {who} from {origin}: {why}")
            }
            _ => format!(
                "`{place}`: authentication required: {why}; no credentials for `{host}`: log in with `docker login {host}` or `podman login {host}`, or give `--registry-user` and `--registry-password-stdin`"
            ),
        };
        if let Some(Ok(found)) = self.found.get() {
            found.problems.iter().for_each(|problem| text += &format!("; {problem}"));
        }
        text
    }
}

/// An answer as registries give it for what is private to whoever is not logged in; a 401 without
/// a challenge among them.
fn may_be_hidden(response: &Response) -> bool {
    match response.status().as_u16() {
        401 => challenge::choose(response.headers()).is_err(),
        status => matches!(status, 403 | 404),
    }
}

/// What https may fail with where there is only plain http. A certificate that is not trusted
/// is not among it.
fn may_be_plain(cause: Cause) -> bool {
    matches!(
        cause,
        Cause::NotTls | Cause::Refused | Cause::Cut | Cause::Stalled | Cause::Unreachable
    )
}
